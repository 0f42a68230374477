import { assert, defined } from '../core/assert.ts';
import type { AgentId, LogIndex, TaskId } from '../core/ids.ts';
import { Former } from '../registry/former.ts';
import { SortedList } from '../registry/sorted-list.ts';
import type { JsonText } from './commands.ts';
import type { StateLimits } from './limits.ts';
import { PendingQueue } from './pending-queue.ts';
import { byCreation, isHeld, type TaskRecord } from './task-record.ts';
import { isTerminal, taskStates, type Task, type TaskState } from './task.ts';

/** Tasks looked at for one page of a listing: a filter that few tasks pass must not stop the node. The page's `next` goes on from there. */
const maxScanned = 20_000;

export interface TaskFilter {
  readonly state: TaskState | undefined;
  readonly type: string | undefined;
  readonly agent: AgentId | undefined;
}

export interface TaskPage {
  readonly items: readonly Task[];
  /** Ask again after this creation index; undefined at the end. A page may be short, even empty, and still have a next one. */
  readonly next: LogIndex | undefined;
}

/** A result that came after its lease was lost. It changed nothing; it is kept so that a person can see it. */
export interface Orphan {
  readonly task: TaskId;
  readonly fence: number;
  readonly index: LogIndex;
  readonly ts: number;
  readonly result: JsonText;
}

/** What remains of a purged task. */
export interface PurgedTask {
  readonly digest: string;
  readonly state: TaskState;
  readonly ts: number;
}

/**
 * The tasks, by id, state, agent and time. Every task is in exactly one state's list (T6). It knows no rule of the task's life: `apply` decides, and
 * changes a task only through `move`, so that the indexes stay true. A `Task` read from here is live: it shows later changes too. Bounded by `apply`'s
 * limits on live and on ended tasks.
 */
export class TaskTable {
  readonly #deadlineGraceMs: number;
  readonly #tasks = new Map<TaskId, TaskRecord>();
  readonly #all = new SortedList<TaskRecord>(byCreation);
  readonly #byState: Readonly<Record<TaskState, SortedList<TaskRecord>>>;
  /** Held tasks; an agent without one is absent. */
  readonly #byAgent = new Map<AgentId, Set<TaskRecord>>();
  /** Every live task that time will move, by (when, id). */
  readonly #timers: SortedList<TaskRecord>;
  /** Ended tasks, the longest ended first. */
  readonly #ended = new SortedList<TaskRecord>((a, b) => endOf(a) - endOf(b) || compareIds(a, b));
  readonly #purged = new Map<TaskId, PurgedTask>();
  readonly #orphans: Orphan[] = [];
  readonly #queue = new PendingQueue();
  readonly #former = new Former<TaskRecord, TaskRecord>();
  #nowTs = 0;
  #liveText = 0;
  #endedText = 0;
  #orphanText = 0;

  constructor(limits: Pick<StateLimits, 'deadlineGraceMs'>) {
    this.#deadlineGraceMs = limits.deadlineGraceMs;
    this.#timers = new SortedList((a, b) => this.#timerOf(a) - this.#timerOf(b) || compareIds(a, b));
    this.#byState = {
      pending: inOrder(),
      assigned: inOrder(),
      running: inOrder(),
      retry_wait: inOrder(),
      cancelling: inOrder(),
      succeeded: inOrder(),
      dead: inOrder(),
      cancelled: inOrder(),
      expired: inOrder(),
    };
  }

  // Views, for everyone.

  get size(): number {
    return this.#tasks.size;
  }

  /** Tasks that have not ended. */
  get live(): number {
    return this.#tasks.size - this.#ended.size;
  }

  get(id: TaskId): Task | undefined {
    return this.#tasks.get(id);
  }

  counts(): Record<TaskState, number> {
    const count = (state: TaskState): number => this.#byState[state].size;
    return {
      pending: count('pending'),
      assigned: count('assigned'),
      running: count('running'),
      retry_wait: count('retry_wait'),
      cancelling: count('cancelling'),
      succeeded: count('succeeded'),
      dead: count('dead'),
      cancelled: count('cancelled'),
      expired: count('expired'),
    };
  }

  /** A page of tasks in the order of their creation, after the one created at `afterCreatedIndex` (0: from the start). */
  list(filter: TaskFilter, afterCreatedIndex: LogIndex, limit: number): TaskPage {
    const source = filter.state === undefined ? this.#all : this.#byState[filter.state];
    const items: Task[] = [];
    let scanned = 0;
    let last = afterCreatedIndex;
    for (const task of source.from((each) => each.createdIndex <= afterCreatedIndex)) {
      if (items.length >= limit || scanned >= maxScanned) return { items, next: last };
      scanned += 1;
      last = task.createdIndex;
      if (filter.type !== undefined && task.type !== filter.type) continue;
      if (filter.agent !== undefined && task.agent !== filter.agent) continue;
      items.push(task);
    }
    return { items, next: undefined };
  }

  /** What the agent holds: assigned, running and cancelling tasks. */
  assignedTo(agent: AgentId): Iterable<Task> {
    return this.#byAgent.get(agent) ?? [];
  }

  /** Every held task: those whose leases a new leader has to start afresh. */
  *held(): Generator<Task, void, undefined> {
    yield* this.#byState.assigned;
    yield* this.#byState.running;
    yield* this.#byState.cancelling;
  }

  /** Results that came too late, oldest first. */
  orphans(): readonly Orphan[] {
    return this.#orphans;
  }

  purged(id: TaskId): PurgedTask | undefined {
    return this.#purged.get(id);
  }

  /** Purged ids in the order of their purging. */
  purgedIds(): ReadonlyMap<TaskId, PurgedTask> {
    return this.#purged;
  }

  /** When the first purged id is forgotten. */
  nextForgottenTs(purgedIdsMs: number): number | undefined {
    for (const purged of this.#purged.values()) return purged.ts + purgedIdsMs;
    return undefined;
  }

  /** For the scheduler. */
  get queue(): Pick<PendingQueue, 'groups' | 'nextDueTs'> {
    return this.#queue;
  }

  /** Payloads of live tasks. */
  get liveText(): number {
    return this.#liveText;
  }

  /** Payloads and results of ended tasks. */
  get endedText(): number {
    return this.#endedText;
  }

  get ended(): number {
    return this.#ended.size;
  }

  /** Time of the next move of a live task. */
  nextTimerTs(): number | undefined {
    const task = this.#timers.first();
    return task === undefined ? undefined : this.#timerOf(task);
  }

  [Symbol.iterator](): Iterator<TaskRecord> {
    return this.#all[Symbol.iterator]();
  }

  /** The tasks as they are now, in the order of their creation, whatever is applied before `thaw`. One view at a time. */
  freeze(): Iterable<TaskRecord> {
    return this.#former.freeze(this.#all.freeze(), (task) => task);
  }

  thaw(): void {
    this.#all.thaw();
    this.#former.thaw();
  }

  // Changes, for `apply` alone.

  record(id: TaskId): TaskRecord | undefined {
    return this.#tasks.get(id);
  }

  add(task: TaskRecord): void {
    assert(!this.#tasks.has(task.id), 'a task is added once');
    this.#tasks.set(task.id, task);
    this.#all.add(task);
    this.#link(task);
  }

  /** The only way to change a task. */
  move(task: TaskRecord, changes: Partial<Omit<TaskRecord, 'id' | 'createdIndex' | 'signature'>>): void {
    this.#former.keep(task, () => ({ ...task }));
    this.#unlink(task);
    Object.assign(task, changes);
    this.#link(task);
  }

  /** Forgets an ended task but for its id. */
  purge(task: TaskRecord, ts: number): void {
    assert(isTerminal(task.state), 'only ended tasks are purged');
    this.#unlink(task);
    this.#all.delete(task);
    this.#tasks.delete(task.id);
    this.restorePurged(task.id, { digest: task.digest, state: task.state, ts });
  }

  restorePurged(id: TaskId, purged: PurgedTask): void {
    this.#purged.set(id, purged);
  }

  forgetPurged(id: TaskId): void {
    this.#purged.delete(id);
  }

  addOrphan(orphan: Orphan, limits: Pick<StateLimits, 'maxOrphans' | 'maxOrphanText'>): void {
    this.#orphans.push(orphan);
    this.#orphanText += orphan.result.length;
    while (this.#orphans.length > limits.maxOrphans || this.#orphanText > limits.maxOrphanText) {
      this.#orphanText -= defined(this.#orphans.shift(), 'the ring is over its bound, so not empty').result.length;
    }
  }

  /** Time has passed: delayed tasks become visible to the scheduler. */
  advance(ts: number): void {
    this.#nowTs = ts;
    this.#queue.advance(ts);
  }

  /** The next live task to be moved at `ts`, by (when, id). */
  nextTimer(ts: number): TaskRecord | undefined {
    const task = this.#timers.first();
    return task !== undefined && this.#timerOf(task) <= ts ? task : undefined;
  }

  oldestEnded(): TaskRecord | undefined {
    return this.#ended.first();
  }

  #link(task: TaskRecord): void {
    this.#byState[task.state].add(task);
    if (task.state === 'pending') this.#queue.add(task, this.#nowTs);
    if (isHeld(task.state)) {
      const agent = defined(task.agent, 'a held task has its agent');
      const held = this.#byAgent.get(agent);
      if (held === undefined) this.#byAgent.set(agent, new Set([task]));
      else held.add(task);
    }
    if (isTerminal(task.state)) {
      this.#ended.add(task);
      this.#endedText += task.payload.length + (task.result?.length ?? 0);
    } else {
      this.#liveText += task.payload.length;
      if (this.#timerOf(task) !== Infinity) this.#timers.add(task);
    }
  }

  #unlink(task: TaskRecord): void {
    assert(this.#byState[task.state].delete(task), 'a task is in the list of its state');
    if (task.state === 'pending') this.#queue.remove(task);
    if (isHeld(task.state)) {
      const agent = defined(task.agent, 'a held task has its agent');
      const held = defined(this.#byAgent.get(agent), 'a held task is in the list of its agent');
      assert(held.delete(task), 'a held task is in the list of its agent');
      if (held.size === 0) this.#byAgent.delete(agent);
    }
    if (isTerminal(task.state)) {
      this.#ended.delete(task);
      this.#endedText -= task.payload.length + (task.result?.length ?? 0);
    } else {
      this.#liveText -= task.payload.length;
      if (this.#timerOf(task) !== Infinity) assert(this.#timers.delete(task), 'a task that time will move has its timer');
    }
  }

  /** When time will move the task: its retry, its deadline, or never (Infinity). */
  #timerOf(task: Task): number {
    const deadlineTs = task.deadlineTs ?? Infinity;
    switch (task.state) {
      case 'pending':
        return deadlineTs;
      case 'retry_wait':
        return Math.min(task.notBeforeTs, deadlineTs);
      case 'assigned':
      case 'running':
        return deadlineTs + this.#deadlineGraceMs;
      case 'cancelling':
      case 'succeeded':
      case 'dead':
      case 'cancelled':
      case 'expired':
        return Infinity;
    }
  }
}

/** True for a word that names a state. */
export const isTaskState = (text: string): text is TaskState => taskStates.some((state) => state === text);

const inOrder = (): SortedList<TaskRecord> => new SortedList<TaskRecord>(byCreation);

const endOf = (task: Task): number => defined(task.endedTs, 'an ended task has its time');

const compareIds = (a: Task, b: Task): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
