import type { Model } from './checker.ts';

/** Requests about one task. An assignment is what an agent's claim brought it. */
export type TaskInput =
  | { readonly kind: 'submit'; readonly digest: string }
  | { readonly kind: 'assign' }
  | { readonly kind: 'complete'; readonly fence: number; readonly result: string }
  | { readonly kind: 'fail'; readonly fence: number; readonly retryable: boolean }
  | { readonly kind: 'read' };

/** `held` stands for assigned and running, `pending` also for the wait before a retry. */
type Phase = 'pending' | 'held' | 'succeeded' | 'dead';

export type TaskOutput =
  | { readonly kind: 'submitted'; readonly created: boolean }
  | { readonly kind: 'assigned'; readonly fence: number }
  /** To a completion or a failure that was obeyed: where the task stands now. */
  | { readonly kind: 'obeyed'; readonly phase: Phase }
  | { readonly kind: 'task'; readonly phase: Phase; readonly fence: number; readonly result?: string }
  | { readonly kind: 'stale_fence'; readonly phase: Phase; readonly fence: number }
  | { readonly kind: 'id_conflict' | 'unknown_task' | 'wrong_state' | 'already_completed' };

interface TaskState {
  readonly phase: Phase | 'absent';
  readonly digest: string;
  /** Of the newest assignment, 0 before the first; undefined while nobody was told that of an unanswered one. */
  readonly fence: number | undefined;
  /** The newest fence that is known: those given later are greater. */
  readonly newest: number;
  readonly result: string | undefined;
}

/**
 * One fenced task as `src/tasks/apply-holder.ts` keeps it, without cancellation, deadline and an end of its attempts. That a lease is lost is no client's doing,
 * so it may happen at any time: a held task is seen to be pending, or is assigned again under a greater fence.
 */
export const taskModel: Model<TaskState, TaskInput, TaskOutput> = {
  initial: { phase: 'absent', digest: '', fence: 0, newest: 0, result: undefined },

  step(state, input, output) {
    if (input.kind === 'submit') return submit(state, input.digest, output);
    if (output?.kind === 'unknown_task') return state.phase === 'absent' && input.kind !== 'assign' ? state : undefined;
    if (state.phase === 'absent') return undefined;
    if (input.kind === 'assign') return assign(state, output);
    if (input.kind === 'read') return output === undefined ? state : read(state, output);
    if (output?.kind === 'stale_fence') return stale(state, input.fence, output);
    const held = withFence(state, input.fence);
    if (held === undefined) return undefined;
    return input.kind === 'complete' ? complete(held, input.result, output) : fail(held, input.retryable, output);
  },

  keyOf: ({ phase, digest, fence, newest, result }) => JSON.stringify([phase, digest, fence, newest, result]),
};

function submit(state: TaskState, digest: string, output: TaskOutput | undefined): TaskState | undefined {
  const isNew = state.phase === 'absent';
  const isOther = !isNew && state.digest !== digest;
  if (output?.kind === 'id_conflict') return isOther ? state : undefined;
  if (isOther || (output !== undefined && (output.kind !== 'submitted' || output.created !== isNew))) return undefined;
  return isNew ? { ...state, phase: 'pending', digest } : state;
}

function assign(state: TaskState, output: TaskOutput | undefined): TaskState | undefined {
  if (state.phase !== 'pending' && state.phase !== 'held') return undefined;
  if (output === undefined) return { ...state, phase: 'held', fence: undefined };
  return output.kind === 'assigned' && output.fence > state.newest
    ? { ...state, phase: 'held', fence: output.fence, newest: output.fence }
    : undefined;
}

function read(state: TaskState, output: TaskOutput): TaskState | undefined {
  if (output.kind !== 'task' || output.result !== state.result) return undefined;
  const known = withFence(state, output.fence);
  return known === undefined ? undefined : inPhase(known, output.phase);
}

/** A fence is stale when a newer one was given out, or when the lease under it was lost and the task waits for its next agent. */
function stale(state: TaskState, fence: number, output: TaskOutput & { readonly kind: 'stale_fence' }): TaskState | undefined {
  const known = withFence(state, output.fence);
  if (known === undefined || (fence === output.fence && (output.phase !== 'pending' || fence === 0))) return undefined;
  return inPhase(known, output.phase);
}

function complete(state: TaskState, result: string, output: TaskOutput | undefined): TaskState | undefined {
  switch (state.phase) {
    case 'held':
      return output === undefined || isObeyed(output, 'succeeded') ? { ...state, phase: 'succeeded', result } : undefined;
    case 'succeeded':
      if (state.result !== result) return output?.kind === 'already_completed' ? state : undefined;
      return output === undefined || isObeyed(output, 'succeeded') ? state : undefined;
    case 'absent':
    case 'pending':
    case 'dead':
      return refuse(state, output);
  }
}

function fail(state: TaskState, retryable: boolean, output: TaskOutput | undefined): TaskState | undefined {
  if (state.phase !== 'held') return refuse(state, output);
  const phase = retryable ? 'pending' : 'dead';
  return output === undefined || isObeyed(output, phase) ? { ...state, phase } : undefined;
}

/** A task that was assigned once and waits again answers `stale_fence`; see `isFenced` in the state machine. */
const refuse = (state: TaskState, output: TaskOutput | undefined): TaskState | undefined =>
  output?.kind === 'wrong_state' && !(state.phase === 'pending' && state.newest > 0) ? state : undefined;

const isObeyed = (output: TaskOutput, phase: Phase): boolean => output.kind === 'obeyed' && output.phase === phase;

/** The state if its newest fence is this one. An unanswered assignment gets its fence here: any that is greater than all before it. */
function withFence(state: TaskState, fence: number): TaskState | undefined {
  if (state.fence !== undefined) return state.fence === fence ? state : undefined;
  return fence > state.newest ? { ...state, fence, newest: fence } : undefined;
}

/** The state if the task may be seen in this phase: as it is, or held and its lease just lost. */
function inPhase(state: TaskState, phase: Phase): TaskState | undefined {
  if (state.phase === phase) return state;
  return state.phase === 'held' && phase === 'pending' ? { ...state, phase } : undefined;
}
