import { assert, defined } from '../core/assert.ts';
import type { AgentId, LogIndex } from '../core/ids.ts';
import type { Agent, AgentState, Registration } from './agent.ts';
import { CapabilityIndex } from './capability-index.ts';
import { Former } from './former.ts';
import type { RegistryQuery } from './query.ts';
import { SortedList } from './sorted-list.ts';

type AgentRecord = { -readonly [Field in keyof Agent]: Agent[Field] };

const byId = (a: AgentId, b: AgentId): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The agents that the log knows, by id, by capability and by swarm. It holds facts of the log only: what an agent is doing right now is not here. Every
 * order it shows is by id, so that it is the same on every node, whatever the history. Reading is for everyone; `register`, `setState`, `changeLoad`,
 * `remove` and `restore` are for `apply` alone. Bounded by `apply`'s limit on agents.
 */
export class Registry {
  readonly #agents = new Map<AgentId, AgentRecord>();
  readonly #ids = new SortedList<AgentId>(byId);
  readonly #index = new CapabilityIndex();
  readonly #former = new Former<AgentId, Agent>();
  /** Primaries that are up, by group. */
  readonly #primaries = new Map<string, number>();

  get size(): number {
    return this.#agents.size;
  }

  get(id: AgentId): Agent | undefined {
    return this.#agents.get(id);
  }

  /** Every agent, by id. */
  *all(): Generator<Agent, void, undefined> {
    for (const id of this.#ids) yield this.#record(id);
  }

  /** Every agent as it is now, but for its load, by id, whatever is applied before `thaw`. One view at a time. */
  freeze(): Iterable<Agent> {
    return this.#former.freeze(this.#ids.freeze(), (id) => this.#record(id));
  }

  thaw(): void {
    this.#ids.thaw();
    this.#former.thaw();
  }

  /** The agents that satisfy the query, by id, after `afterId`: lazily, for callers that filter further and stop when their page is full. */
  *query(query: RegistryQuery, afterId: string | undefined): Generator<Agent, void, undefined> {
    for (const id of this.#inOrder(query, afterId)) {
      const agent = this.#record(id);
      if (query.state !== undefined && agent.state !== query.state) continue;
      if (this.#index.matches(id, query)) yield agent;
    }
  }

  /** True if the agent has every capability and is in the swarm. */
  satisfies(agent: AgentId, requires: readonly string[], swarm: string | undefined): boolean {
    return this.#agents.has(agent) && this.#index.satisfies(agent, requires, swarm);
  }

  /** A set that holds everyone who satisfies these, and perhaps others: the smallest known; undefined means everyone. */
  rarest(requires: readonly string[], swarm: string | undefined): ReadonlySet<AgentId> | undefined {
    return this.#index.rarest(requires, swarm);
  }

  /** True if some agent that is up satisfies these and is not one of `except`. */
  hasOther(requires: readonly string[], swarm: string | undefined, except: readonly AgentId[]): boolean {
    for (const id of this.#index.rarest(requires, swarm) ?? this.#agents.keys()) {
      if (except.includes(id) || this.#record(id).state !== 'up') continue;
      if (this.#index.satisfies(id, requires, swarm)) return true;
    }
    return false;
  }

  /** True if the group has a primary that is up. */
  hasPrimary(group: string): boolean {
    return this.#primaries.has(group);
  }

  /** Members of each swarm, whatever their state. */
  swarms(): ReadonlyMap<string, ReadonlySet<AgentId>> {
    return this.#index.swarms();
  }

  capabilities(): ReadonlyMap<string, ReadonlySet<AgentId>> {
    return this.#index.capabilities();
  }

  /** The agent that has been registered for longest among those that are down: the first to be forgotten when room is needed. */
  oldestDown(): Agent | undefined {
    let oldest: Agent | undefined;
    for (const agent of this.#agents.values()) {
      if (agent.state === 'down' && (oldest === undefined || agent.registeredIndex < oldest.registeredIndex)) oldest = agent;
    }
    return oldest;
  }

  /** Makes the agent known anew, with the registering entry's index as its generation: it rises even when the agent had been forgotten in between. */
  register(registration: Registration, index: LogIndex): Agent {
    const { agent: id, labels, ...rest } = registration;
    if (this.#agents.has(id)) this.remove(id);
    // Sorted, because the order of an object's fields must not depend on which node took the request or on a restored snapshot.
    const sorted = Object.fromEntries(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const agent: Agent = {
      id,
      generation: index,
      capabilities: rest.capabilities,
      swarms: rest.swarms,
      concurrency: rest.concurrency,
      weight: rest.weight,
      labels: sorted,
      ttlMs: rest.ttlMs,
      role: rest.role,
      group: rest.group,
      node: rest.node,
      state: 'up',
      load: 0,
      registeredIndex: index,
    };
    this.restore(agent);
    return agent;
  }

  setState(id: AgentId, state: AgentState): Agent {
    const agent = this.#record(id);
    this.#keep(agent);
    this.#countPrimary(agent, -1);
    agent.state = state;
    this.#countPrimary(agent, 1);
    return agent;
  }

  changeLoad(id: AgentId, by: 1 | -1): void {
    const agent = this.#record(id);
    agent.load += by;
    assert(agent.load >= 0, 'no agent has a negative load');
  }

  /** Its tasks have been taken from it before. */
  remove(id: AgentId): void {
    const agent = this.#record(id);
    assert(agent.load === 0, 'an agent is forgotten only when it holds no task');
    this.#keep(agent);
    this.#countPrimary(agent, -1);
    this.#index.remove(agent);
    this.#ids.delete(id);
    this.#agents.delete(id);
  }

  /** Puts an agent back as a snapshot holds it. */
  restore(agent: Agent): void {
    assert(!this.#agents.has(agent.id), 'an agent is added once');
    const record: AgentRecord = { ...agent };
    this.#agents.set(agent.id, record);
    this.#ids.add(agent.id);
    this.#index.add(agent);
    this.#countPrimary(record, 1);
  }

  #keep(agent: Agent): void {
    this.#former.keep(agent.id, () => ({ ...agent }));
  }

  #record(id: AgentId): AgentRecord {
    return defined(this.#agents.get(id), 'the agent is registered');
  }

  #countPrimary(agent: Agent, by: 1 | -1): void {
    if (agent.role !== 'primary' || agent.group === undefined || agent.state !== 'up') return;
    const count = (this.#primaries.get(agent.group) ?? 0) + by;
    if (count === 0) this.#primaries.delete(agent.group);
    else this.#primaries.set(agent.group, count);
  }

  /** Candidates for a query after an id, in order: from the smallest set that holds them all, or from everyone. */
  #inOrder(query: RegistryQuery, afterId: string | undefined): Iterable<AgentId> {
    const few = this.#index.rarest(query.all, query.swarm) ?? this.#union(query.any);
    if (few === undefined) return afterId === undefined ? this.#ids : this.#ids.from((id) => id <= afterId);
    return [...few].filter((id) => afterId === undefined || id > afterId).toSorted(byId);
  }

  #union(capabilities: readonly string[]): ReadonlySet<AgentId> | undefined {
    if (capabilities.length === 0) return undefined;
    const union = new Set<AgentId>();
    for (const capability of capabilities) for (const id of this.#index.withCapability(capability)) union.add(id);
    return union;
  }
}
