import type { AgentId, TaskId } from '../core/ids.ts';
import type { Agent } from '../registry/agent.ts';
import type { Registry } from '../registry/registry.ts';
import type { Assignment } from './commands.ts';
import { isPassedOver } from './eligibility.ts';
import { Heap } from './heap.ts';
import { maxPriority } from './limits.ts';
import type { PendingGroup } from './pending-queue.ts';
import type { ClusterState } from './state.ts';
import type { TaskRecord } from './task-record.ts';

/** A waiting task gains one step of priority for each of these, so that nothing waits for ever. */
const agingMs = 30_000;
/** Tasks of one lane that may be passed over in one call because they avoid every free agent: bounds the call, the next one looks again. */
const maxPassedOver = 64;

/** What an agent asks for. */
export interface DemandEntry {
  /** Tasks its open claims have room for, less those already proposed for them. */
  readonly slots: number;
  /** The task types it takes; undefined: all. */
  readonly types: ReadonlySet<string> | undefined;
}

/** Open claims: the leader's volatile knowledge. */
export type Demand = ReadonlyMap<AgentId, DemandEntry>;

/** Assignments that the leader has proposed and that are not applied yet: they are not proposed again, and they fill their agents. */
export type InFlight = ReadonlyMap<TaskId, AgentId>;

/** An agent that can take more. */
interface Worker {
  readonly agent: Agent;
  readonly types: ReadonlySet<string> | undefined;
  /** Held, in flight and given by this call. */
  load: number;
  free: number;
}

/** A place in a worker heap, with the load that the worker had when it was put there. */
interface Place {
  readonly worker: Worker;
  readonly load: number;
}

/** The first task of one lane, and what comes behind it. */
interface Head {
  readonly task: TaskRecord;
  readonly urgency: number;
  readonly rest: Iterator<TaskRecord, void>;
  readonly group: Candidates;
  passedOver: number;
}

interface Candidates {
  readonly pending: PendingGroup;
  /** Built when the group's first task has its turn. */
  heap: Heap<Place> | undefined;
}

/**
 * Chooses at most `limit` assignments: a judgement, made at the leader from what it knows now; `apply` checks each again. Tasks are taken by priority,
 * raised by one for each 30 s of waiting, then the longest due first; each goes to the least loaded agent for its size that asks, is up, has room and can
 * do it, with the larger weight and then the id to break ties. A backup gets nothing while its group has a primary that is up.
 *
 * The cost follows the agents that ask, the groups of tasks with equal requirements and `limit`, not the number of tasks.
 */
export function schedule(state: ClusterState, demand: Demand, nowTs: number, inFlight: InFlight, limit: number): Assignment[] {
  const { registry, tasks } = state;
  const workers = freeWorkers(registry, demand, inFlight);
  const chosen: Assignment[] = [];
  if (workers.size === 0) return chosen;
  const heads = new Heap<Head>(hasTurnBefore);
  const advance = (group: Candidates, rest: Iterator<TaskRecord, void>, passedOver: number): void => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) {
      const task = next.value;
      if (inFlight.has(task.id) || (task.deadlineTs !== undefined && task.deadlineTs <= nowTs)) continue;
      heads.push({ task, urgency: urgencyOf(task, nowTs), rest, group, passedOver });
      return;
    }
  };
  for (const pending of tasks.queue.groups()) {
    // Work that no registered agent can do may pile up in many groups: it must cost next to nothing.
    if (registry.rarest(pending.requires, pending.swarm)?.size === 0) continue;
    const group: Candidates = { pending, heap: undefined };
    for (const lane of pending.lanes.values()) if (lane.size > 0) advance(group, lane[Symbol.iterator](), 0);
  }
  let free = 0;
  for (const worker of workers.values()) free += worker.free;
  while (chosen.length < limit && free > 0) {
    const head = heads.pop();
    if (head === undefined) break;
    const { task, group } = head;
    group.heap ??= candidatesFor(registry, group.pending, workers);
    const choice = takeLeastLoaded(group.heap, (agent) => isPassedOver(registry, task, agent, nowTs));
    if (choice === 'nobody') continue;
    if (choice === 'only passed over') {
      if (head.passedOver < maxPassedOver) advance(group, head.rest, head.passedOver + 1);
      continue;
    }
    free -= 1;
    chosen.push({ task: task.id, agent: choice.id, generation: choice.generation });
    advance(group, head.rest, head.passedOver);
  }
  return chosen;
}

/** Priority with age, 0..9. */
const urgencyOf = (task: TaskRecord, nowTs: number): number =>
  Math.min(maxPriority, task.priority + Math.max(0, Math.floor((nowTs - task.notBeforeTs) / agingMs)));

/** Within a lane tasks stand in this order already: the longer due, the more urgent. */
function hasTurnBefore(a: Head, b: Head): boolean {
  if (a.urgency !== b.urgency) return a.urgency > b.urgency;
  if (a.task.notBeforeTs !== b.task.notBeforeTs) return a.task.notBeforeTs < b.task.notBeforeTs;
  return a.task.createdIndex < b.task.createdIndex;
}

function freeWorkers(registry: Registry, demand: Demand, inFlight: InFlight): ReadonlyMap<AgentId, Worker> {
  const coming = new Map<AgentId, number>();
  for (const id of inFlight.values()) coming.set(id, (coming.get(id) ?? 0) + 1);
  const workers = new Map<AgentId, Worker>();
  for (const [id, { slots, types }] of demand) {
    const agent = registry.get(id);
    if (agent === undefined || agent.state !== 'up') continue;
    if (agent.role === 'backup' && agent.group !== undefined && registry.hasPrimary(agent.group)) continue;
    const load = agent.load + (coming.get(id) ?? 0);
    const free = Math.min(slots, agent.concurrency - load);
    if (free > 0) workers.set(id, { agent, types, load, free });
  }
  return workers;
}

/** The free workers that can do the group's tasks. */
function candidatesFor(registry: Registry, group: PendingGroup, workers: ReadonlyMap<AgentId, Worker>): Heap<Place> {
  const heap = new Heap<Place>(isLessLoaded);
  const offer = (worker: Worker): void => {
    if (worker.types !== undefined && !worker.types.has(group.type)) return;
    if (worker.free > 0 && registry.satisfies(worker.agent.id, group.requires, group.swarm)) heap.push({ worker, load: worker.load });
  };
  const able = registry.rarest(group.requires, group.swarm);
  if (able === undefined || able.size > workers.size) {
    for (const worker of workers.values()) offer(worker);
  } else {
    for (const id of able) {
      const worker = workers.get(id);
      if (worker !== undefined) offer(worker);
    }
  }
  return heap;
}

/** Loads are compared by cross multiplication: whole numbers, no rounding. */
function isLessLoaded(a: Place, b: Place): boolean {
  const difference = a.load * b.worker.agent.concurrency - b.load * a.worker.agent.concurrency;
  if (difference !== 0) return difference < 0;
  if (a.worker.agent.weight !== b.worker.agent.weight) return a.worker.agent.weight > b.worker.agent.weight;
  return a.worker.agent.id < b.worker.agent.id;
}

/** Gives the least loaded candidate that is not passed over one task more. */
function takeLeastLoaded(heap: Heap<Place>, isPassed: (agent: Agent) => boolean): Agent | 'nobody' | 'only passed over' {
  const aside: Place[] = [];
  let found: Agent | undefined;
  for (let place = heap.pop(); place !== undefined; place = heap.pop()) {
    const { worker } = place;
    if (worker.free === 0) continue;
    if (place.load !== worker.load) {
      // It was given a task of another group meanwhile. Loads only rise, so putting it back where it belongs now keeps the order right.
      heap.push({ worker, load: worker.load });
      continue;
    }
    if (isPassed(worker.agent)) {
      aside.push(place);
      continue;
    }
    worker.load += 1;
    worker.free -= 1;
    if (worker.free > 0) heap.push({ worker, load: worker.load });
    found = worker.agent;
    break;
  }
  for (const place of aside) heap.push(place);
  return found ?? (aside.length > 0 ? 'only passed over' : 'nobody');
}
