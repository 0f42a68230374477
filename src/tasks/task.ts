import type { AgentId, LogIndex, TaskId } from '../core/ids.ts';
import type { JsonText } from './commands.ts';

/** Waiting states first; the last four are terminal. */
export const taskStates = [
  'pending',
  'assigned',
  'running',
  'retry_wait',
  'cancelling',
  'succeeded',
  'dead',
  'cancelled',
  'expired',
] as const;
export type TaskState = (typeof taskStates)[number];

export const isTerminal = (state: TaskState): boolean =>
  state === 'succeeded' || state === 'dead' || state === 'cancelled' || state === 'expired';

/** The wait before attempt n+1 is min(maxMs, baseMs * factor^(n-1)), with a deterministic jitter. */
export interface Backoff {
  readonly baseMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/** One step in a task's life, for people: who, when, why. */
export interface HistoryItem {
  readonly index: LogIndex;
  readonly state: TaskState;
  readonly agent?: AgentId;
  readonly reason?: string;
}

/** Pairs in one AssignTasks command. 2^16 bounds it, so that a fence stays unique; larger batches gain nothing. */
export const maxAssignmentsPerCommand = 512;

/** The fence of the `k`th pair assigned at `index`: rises with every assignment of every task; exact in a double up to index 2^37. */
export const fenceOf = (index: LogIndex, k: number): number => index * 2 ** 16 + k;

/** A task as everyone sees it. The state machine owns and mutates its own copies. */
export interface Task {
  readonly id: TaskId;
  readonly type: string;
  readonly payload: JsonText;
  readonly digest: string;
  readonly requires: readonly string[];
  readonly swarm: string | undefined;
  readonly priority: number;
  readonly maxAttempts: number;
  readonly leaseMs: number;
  readonly deadlineTs: number | undefined;
  readonly backoff: Backoff;
  readonly state: TaskState;
  readonly attempt: number;
  readonly releases: number;
  /** Of the newest assignment; stays when the task leaves its agent, so that an old holder can be told `stale_fence`. 0 before the first. */
  readonly fence: number;
  readonly agent: AgentId | undefined;
  readonly generation: number;
  readonly checkpoint: { readonly seq: number; readonly digest: string; readonly ref: string } | undefined;
  readonly result: JsonText | undefined;
  readonly error: string | undefined;
  readonly createdIndex: LogIndex;
  readonly createdTs: number;
  readonly notBeforeTs: number;
  readonly endedTs: number | undefined;
  /** Why a cancelling task is cancelled: it ends as `expired` when by its deadline. */
  readonly cancelReason: 'client' | 'deadline' | undefined;
  /** The last three agents that lost the task; others are preferred. */
  readonly excluded: readonly AgentId[];
  readonly history: readonly HistoryItem[];
}
