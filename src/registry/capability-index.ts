import { assert, defined } from '../core/assert.ts';
import type { AgentId } from '../core/ids.ts';
import type { Agent } from './agent.ts';
import type { RegistryQuery } from './query.ts';

const nobody: ReadonlySet<AgentId> = new Set();

/**
 * Who can do what: capability → agents, swarm → agents. A conjunction is answered from its rarest member, so its cost follows the smallest set and
 * not the number of agents. Bounded by the registrations it mirrors.
 */
export class CapabilityIndex {
  readonly #byCapability = new Map<string, Set<AgentId>>();
  readonly #bySwarm = new Map<string, Set<AgentId>>();

  add(agent: Agent): void {
    for (const capability of agent.capabilities) put(this.#byCapability, capability, agent.id);
    for (const swarm of agent.swarms) put(this.#bySwarm, swarm, agent.id);
  }

  remove(agent: Agent): void {
    for (const capability of new Set(agent.capabilities)) take(this.#byCapability, capability, agent.id);
    for (const swarm of new Set(agent.swarms)) take(this.#bySwarm, swarm, agent.id);
  }

  withCapability(capability: string): ReadonlySet<AgentId> {
    return this.#byCapability.get(capability) ?? nobody;
  }

  inSwarm(swarm: string): ReadonlySet<AgentId> {
    return this.#bySwarm.get(swarm) ?? nobody;
  }

  /** Capability counts, for people and metrics. */
  capabilities(): ReadonlyMap<string, ReadonlySet<AgentId>> {
    return this.#byCapability;
  }

  swarms(): ReadonlyMap<string, ReadonlySet<AgentId>> {
    return this.#bySwarm;
  }

  /** True if the agent has every capability and is in the swarm. */
  satisfies(agent: AgentId, all: readonly string[], swarm: string | undefined): boolean {
    for (const capability of all) if (!this.withCapability(capability).has(agent)) return false;
    return swarm === undefined || this.inSwarm(swarm).has(agent);
  }

  /** The smallest known set that holds everyone with these capabilities in that swarm; undefined when nothing is asked for. */
  rarest(all: readonly string[], swarm: string | undefined): ReadonlySet<AgentId> | undefined {
    let smallest = swarm === undefined ? undefined : this.inSwarm(swarm);
    for (const capability of all) {
      const set = this.withCapability(capability);
      if (smallest === undefined || set.size < smallest.size) smallest = set;
    }
    return smallest;
  }

  /** The capability part of a query for one agent, its state aside. */
  matches(agent: AgentId, query: RegistryQuery): boolean {
    if (!this.satisfies(agent, query.all, query.swarm)) return false;
    if (query.any.length > 0 && !query.any.some((capability) => this.withCapability(capability).has(agent))) return false;
    return !query.none.some((capability) => this.withCapability(capability).has(agent));
  }
}

function put(index: Map<string, Set<AgentId>>, name: string, agent: AgentId): void {
  const set = index.get(name);
  if (set === undefined) index.set(name, new Set([agent]));
  else set.add(agent);
}

function take(index: Map<string, Set<AgentId>>, name: string, agent: AgentId): void {
  const set = defined(index.get(name), 'a registered agent is in the index');
  assert(set.delete(agent), 'a registered agent is in the index');
  if (set.size === 0) index.delete(name);
}
