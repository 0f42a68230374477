import { assert, defined } from '../core/assert.ts';
import { SortedList } from '../registry/sorted-list.ts';
import { byTurn, type TaskRecord } from './task-record.ts';

/** Delayed tasks made ready by one entry: a crowd due at the same moment must not hold up the log. The next Tick goes on. */
const maxAdvance = 1_000;

/** Pending tasks that the same agents can take: one type, one swarm, one set of required capabilities. */
export interface PendingGroup {
  readonly type: string;
  readonly requires: readonly string[];
  readonly swarm: string | undefined;
  /** By priority, each in the order of `byTurn`; made with the first task of that priority. */
  readonly lanes: ReadonlyMap<number, SortedList<TaskRecord>>;
}

interface Group extends PendingGroup {
  readonly lanes: Map<number, SortedList<TaskRecord>>;
  size: number;
}

/**
 * Pending tasks for the scheduler, in groups of equal requirements: it looks at the heads of a few lanes and never at all tasks. A task that is not due
 * yet waits aside. All of it is derived from the task table, is in no snapshot, and decides nothing that `apply` does. Bounded by the table.
 */
export class PendingQueue {
  readonly #groups = new Map<string, Group>();
  readonly #delayed = new SortedList<TaskRecord>(byTurn);

  groups(): Iterable<PendingGroup> {
    return this.#groups.values();
  }

  /** When the first delayed task is due. */
  nextDueTs(): number | undefined {
    return this.#delayed.first()?.notBeforeTs;
  }

  add(task: TaskRecord, nowTs: number): void {
    if (task.notBeforeTs > nowTs) this.#delayed.add(task);
    else this.#addReady(task);
  }

  remove(task: TaskRecord): void {
    if (this.#delayed.size > 0 && this.#delayed.delete(task)) return;
    const group = defined(this.#groups.get(task.signature), 'a pending task is in the queue');
    assert(group.lanes.get(task.priority)?.delete(task) === true, 'a pending task is in the queue');
    group.size -= 1;
    if (group.size === 0) this.#groups.delete(task.signature);
  }

  /** Makes ready what has become due. */
  advance(nowTs: number): void {
    for (let moved = 0; moved < maxAdvance; moved++) {
      const task = this.#delayed.first();
      if (task === undefined || task.notBeforeTs > nowTs) return;
      this.#delayed.delete(task);
      this.#addReady(task);
    }
  }

  #addReady(task: TaskRecord): void {
    let group = this.#groups.get(task.signature);
    if (group === undefined) {
      group = { type: task.type, requires: task.requires, swarm: task.swarm, lanes: new Map(), size: 0 };
      this.#groups.set(task.signature, group);
    }
    let lane = group.lanes.get(task.priority);
    if (lane === undefined) {
      lane = new SortedList<TaskRecord>(byTurn);
      group.lanes.set(task.priority, lane);
    }
    lane.add(task);
    group.size += 1;
  }
}
