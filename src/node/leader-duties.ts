import { failure } from '../core/errors.ts';
import type { AgentId, LogIndex, NodeId, TaskId } from '../core/ids.ts';
import type { Assignment, Command } from '../tasks/commands.ts';
import type { StateEvent } from '../tasks/events.ts';
import { schedule, type DemandEntry } from '../tasks/scheduler.ts';
import type { ClusterState } from '../tasks/state.ts';
import { isTerminal, maxAssignmentsPerCommand, type Task } from '../tasks/task.ts';
import type { Question, Reply } from '../wire/frames.ts';
import type { Liveness } from './liveness.ts';
import type { EnactQuestion } from './guarding/enactments.ts';
import type { MembershipQuestion } from './membership.ts';

type Respond = (reply: Reply) => void;

interface Lease {
  readonly fence: number;
  expiresMs: number;
}

interface OpenClaim {
  readonly agent: AgentId;
  readonly respond: Respond;
}

/** Leases or agents that one command gives up; the rest follows in the next round. */
const maxPerCommand = 1024;

/**
 * What only the leader does, from memory that dies with its leadership: renews leases, notices silence, matches open claims with waiting tasks. It decides
 * nothing: it proposes, and `apply` checks every guard again. A new leader gives every agent and every lease its full time (as Chubby's does).
 */
export class LeaderDuties {
  readonly #liveness: Liveness;
  readonly #leases = new Map<TaskId, Lease>();
  readonly #demand = new Map<AgentId, Map<NodeId, { slots: number; types: ReadonlySet<string> | undefined }>>();
  /** Proposed assignments that are not applied yet. */
  readonly #inFlight = new Map<TaskId, AgentId>();
  /** Proposed give-ups that are not applied yet: a lease's fence, an agent's generation. */
  readonly #givenUp = new Set<number>();
  /** Where the newest assignment to an agent stands in the log: a claim is answered once that is applied. */
  readonly #assignedAt = new Map<AgentId, LogIndex>();
  #claims: OpenClaim[] = [];
  #workToDo = true;
  #tickInFlight = false;

  constructor(liveness: Liveness) {
    this.#liveness = liveness;
  }

  /** Leadership begins, with all entries of older terms applied. */
  begin(state: ClusterState, nowMs: number): void {
    this.end();
    for (const agent of state.registry.all()) if (agent.state !== 'down') this.#liveness.beat(agent.id, agent.generation, { atMs: nowMs });
    for (const task of state.tasks.held()) this.#startLease(task, nowMs);
  }

  end(): void {
    this.#leases.clear();
    this.#demand.clear();
    this.#inFlight.clear();
    this.#givenUp.clear();
    this.#assignedAt.clear();
    this.#claims = [];
    this.#tickInFlight = false;
    this.#workToDo = true;
  }

  answer(
    question: Exclude<Question, MembershipQuestion | EnactQuestion>,
    from: NodeId,
    state: ClusterState,
    nowMs: number,
    respond: Respond,
  ): void {
    switch (question.kind) {
      case 'beat': {
        const refused = refusalOf(question, state);
        if (refused !== undefined) return respond(refused);
        this.#liveness.beat(question.agent, question.generation, {
          atMs: nowMs,
          by: from,
          said: { report: question.report, atMs: nowMs },
        });
        const ttlMs = state.registry.get(question.agent)?.ttlMs ?? 0;
        const cancelled = [...state.tasks.assignedTo(question.agent)].filter((task) => task.state === 'cancelling').map((task) => task.id);
        return respond({ kind: 'beat', ttlMs, cancelled });
      }
      case 'taskBeat':
        return respond(this.#taskBeat(question.task, question.fence, from, state, nowMs));
      case 'claim': {
        const refused = refusalOf(question, state);
        if (refused !== undefined) return respond(refused);
        // A claim that ends may have ended with the agent.
        if (question.slots > 0) this.#liveness.beat(question.agent, question.generation, { atMs: nowMs, by: from });
        this.#setDemand(question.agent, from, question.slots, question.types);
        this.#claims.push({ agent: question.agent, respond });
        return undefined;
      }
    }
  }

  /** Keeps leases, and what is in flight, in step with what was applied. */
  onApplied(events: readonly StateEvent[], state: ClusterState, nowMs: number): void {
    if (events.length > 0) this.#workToDo = true;
    for (const event of events) {
      if (event.kind === 'agent' && event.state === 'gone') this.#demand.delete(event.agent);
      if (event.kind !== 'task') continue;
      if (event.state === 'assigned') {
        this.#inFlight.delete(event.task);
        const task = state.tasks.get(event.task);
        if (task !== undefined) this.#startLease(task, nowMs);
      } else if (event.state === 'pending' || event.state === 'retry_wait' || isTerminal(event.state)) {
        this.#leases.delete(event.task);
      }
    }
  }

  /** An AssignTasks was applied: pairs that `apply` skipped are free to be proposed again. */
  onAssignApplied(assignments: readonly Assignment[]): void {
    for (const { task } of assignments) this.#inFlight.delete(task);
    this.#workToDo = true;
  }

  onTickApplied(): void {
    this.#tickInFlight = false;
    this.#workToDo = true;
  }

  /** Matches claims with tasks. `propose` returns the index that the command will have, or undefined when it can't be taken now. */
  schedule(state: ClusterState, ts: number, propose: (command: Command) => LogIndex | undefined): void {
    while (this.#workToDo && this.#demand.size > 0) {
      const assignments = schedule(state, this.#totalDemand(), ts, this.#inFlight, maxAssignmentsPerCommand);
      if (assignments.length === 0) break;
      const index = propose({ op: 'AssignTasks', assignments });
      if (index === undefined) break;
      for (const { task, agent } of assignments) {
        this.#inFlight.set(task, agent);
        this.#assignedAt.set(agent, index);
        this.#takeDemand(agent);
      }
    }
    this.#workToDo = false;
    for (const { agent, respond } of this.#claims) respond({ kind: 'claim', index: this.#assignedAt.get(agent) ?? 0 });
    this.#claims = [];
  }

  /** Once a heartbeat interval: gives up silent agents and leases, and lets time pass in the log when something is due. */
  patrol(state: ClusterState, ts: number, nowMs: number, propose: (command: Command) => LogIndex | undefined): void {
    const agents = [...state.registry.all()].filter(
      (agent) => agent.state !== 'down' && !this.#givenUp.has(agent.generation) && this.#liveness.accuse(agent, nowMs),
    );
    for (let at = 0; at < agents.length; at += maxPerCommand) {
      const some = agents.slice(at, at + maxPerCommand).map((agent) => ({ agent: agent.id, generation: agent.generation }));
      if (propose({ op: 'AgentsDown', agents: some }) === undefined) return;
      for (const { generation } of some) this.#givenUp.add(generation);
    }
    const leases = [...this.#leases].filter(([, lease]) => nowMs >= lease.expiresMs && !this.#givenUp.has(lease.fence));
    for (let at = 0; at < leases.length; at += maxPerCommand) {
      const some = leases.slice(at, at + maxPerCommand).map(([task, { fence }]) => ({ task, fence }));
      if (propose({ op: 'ExpireLeases', leases: some }) === undefined) return;
      for (const { fence } of some) this.#givenUp.add(fence);
    }
    const dueTs = state.nextDueTs();
    if (dueTs !== undefined && dueTs <= ts && !this.#tickInFlight) this.#tickInFlight = propose({ op: 'Tick' }) !== undefined;
    // Waiting raises a task's effective priority, so a look now and then is due even when nothing has changed.
    this.#workToDo = true;
  }

  #taskBeat(id: TaskId, fence: number, from: NodeId, state: ClusterState, nowMs: number): Reply {
    const task = state.tasks.get(id);
    if (task === undefined) return { kind: 'failure', failure: failure('unknown_task', `there is no task ${id}`) };
    const lease = this.#leases.get(id);
    if (task.fence !== fence || lease === undefined || lease.fence !== fence) {
      return { kind: 'failure', failure: failure('stale_fence', `task ${id} is no longer held under this fence`, { fence: task.fence }) };
    }
    lease.expiresMs = nowMs + leaderLeaseMs(task.leaseMs);
    if (task.agent !== undefined) this.#liveness.beat(task.agent, task.generation, { atMs: nowMs, by: from });
    return { kind: 'taskBeat', leaseMs: task.leaseMs, cancelRequested: task.state === 'cancelling' };
  }

  #startLease(task: Task, nowMs: number): void {
    this.#leases.set(task.id, { fence: task.fence, expiresMs: nowMs + leaderLeaseMs(task.leaseMs) });
  }

  #setDemand(agent: AgentId, node: NodeId, slots: number, types: readonly string[] | undefined): void {
    const byNode = this.#demand.get(agent) ?? new Map<NodeId, { slots: number; types: ReadonlySet<string> | undefined }>();
    if (slots > 0) byNode.set(node, { slots, types: types === undefined ? undefined : new Set(types) });
    else byNode.delete(node);
    if (byNode.size > 0) this.#demand.set(agent, byNode);
    else this.#demand.delete(agent);
    this.#workToDo = true;
  }

  #totalDemand(): ReadonlyMap<AgentId, DemandEntry> {
    const total = new Map<AgentId, DemandEntry>();
    for (const [agent, byNode] of this.#demand) {
      let slots = 0;
      let types: Set<string> | undefined = new Set<string>();
      for (const demand of byNode.values()) {
        slots += demand.slots;
        if (demand.types === undefined) types = undefined;
        else if (types !== undefined) for (const type of demand.types) types.add(type);
      }
      total.set(agent, { slots, types });
    }
    return total;
  }

  #takeDemand(agent: AgentId): void {
    const byNode = this.#demand.get(agent);
    if (byNode === undefined) return;
    for (const [node, demand] of byNode) {
      demand.slots--;
      if (demand.slots <= 0) byNode.delete(node);
      break;
    }
    if (byNode.size === 0) this.#demand.delete(agent);
  }
}

function refusalOf(
  { agent, generation }: { readonly agent: AgentId; readonly generation: number },
  state: ClusterState,
): Reply | undefined {
  const known = state.registry.get(agent);
  if (known === undefined)
    return { kind: 'failure', failure: failure('unknown_agent', `agent ${agent} is not registered; register it first`) };
  if (known.generation === generation && known.state !== 'down') return undefined;
  const detail = known.state === 'down' ? `agent ${agent} was given up; register it again` : `agent ${agent} has registered again since`;
  return { kind: 'failure', failure: failure('stale_generation', detail, { generation: known.generation }) };
}

/**
 * The agent counts its lease from when it *sent* the renewal and stops at 90 % of it; the leader counts from when it received it and adds 10 %. So the
 * agent gives up first as long as the two clocks' rates differ by less than a fifth.
 */
const leaderLeaseMs = (leaseMs: number): number => leaseMs + Math.ceil(leaseMs / 10);
