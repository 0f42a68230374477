import type { LogIndex } from '../core/ids.ts';
import { maxHistory } from './limits.ts';
import type { HistoryItem, Task, TaskState } from './task.ts';

/** The state machine's own copy of a task. Changed only through `TaskTable.move`, which keeps the indexes true. */
export type TaskRecord = { -readonly [Field in keyof Task]: Task[Field] } & {
  /** As submitted: a revived task gets as much time again. */
  readonly deadlineMs: number | undefined;
  /** Until then the agents in `excluded` are passed over while others could take the task. */
  exclusionEndsTs: number;
  /** Names the tasks that the same agents can take; derived, not in snapshots. */
  readonly signature: string;
};

/** True while an agent holds the task and a lease runs at the leader. */
export const isHeld = (state: TaskState): boolean => state === 'assigned' || state === 'running' || state === 'cancelling';

/** Equal for tasks of one type, swarm and set of requirements. */
export const signatureOf = (task: Pick<Task, 'type' | 'requires' | 'swarm'>): string =>
  JSON.stringify([task.type, task.swarm ?? null, ...[...new Set(task.requires)].toSorted()]);

/** The history with one more step. Bounded: the oldest fall off. */
export function extended(history: readonly HistoryItem[], item: HistoryItem): readonly HistoryItem[] {
  return history.length < maxHistory ? [...history, item] : [...history.slice(history.length - maxHistory + 1), item];
}

export function historyItem(index: LogIndex, state: TaskState, agent: Task['agent'], reason: string | undefined): HistoryItem {
  if (agent === undefined) return reason === undefined ? { index, state } : { index, state, reason };
  return reason === undefined ? { index, state, agent } : { index, state, agent, reason };
}

/** Oldest created first: one entry of the log creates at most one task. */
export const byCreation = (a: Task, b: Task): number => a.createdIndex - b.createdIndex;

/** The order in which waiting tasks of one priority are taken: longest due first. */
export const byTurn = (a: Task, b: Task): number => a.notBeforeTs - b.notBeforeTs || a.createdIndex - b.createdIndex;
