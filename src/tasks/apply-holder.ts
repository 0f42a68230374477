import type { CancelAck, CheckpointTask, CompleteTask, FailTask, ReleaseTask, StartTask } from './commands.ts';
import { unknownTask, wrongState } from './apply-client.ts';
import { backoffMs } from './backoff.ts';
import { maxReleases } from './limits.ts';
import { accepted, type Machine, type Outcome, refused } from './machine.ts';
import type { TaskRecord } from './task-record.ts';
import { become, end, endCancelling } from './transitions.ts';

// Commands of a task's holder. Each is obeyed only under the fence of the newest assignment: of two agents that believe they hold a task, the log knows one.

/** Row 4. Repeating it is harmless, so it is allowed. */
export function startTask(machine: Machine, command: StartTask): Outcome {
  const task = machine.tasks.record(command.task);
  if (task === undefined) return unknownTask(command.task);
  if (isFenced(task, command.fence)) return staleFence(task);
  if (task.state === 'assigned') become(machine, task, 'running', {}, undefined);
  else if (task.state !== 'running') return wrongState(task);
  return answer(task);
}

/** Row 5. Checkpoints only go forward; the newest one may be repeated. */
export function checkpointTask(machine: Machine, command: CheckpointTask): Outcome {
  const task = machine.tasks.record(command.task);
  if (task === undefined) return unknownTask(command.task);
  if (isFenced(task, command.fence)) return staleFence(task);
  if (task.state !== 'assigned' && task.state !== 'running') return wrongState(task);
  const { seq, digest, ref } = command;
  const last = task.checkpoint;
  if (last === undefined || seq > last.seq) machine.tasks.move(task, { checkpoint: { seq, digest, ref } });
  else if (seq !== last.seq || digest !== last.digest || ref !== last.ref) {
    return refused('wrong_state', `checkpoint ${last.seq} is already recorded`, { state: task.state, seq: last.seq });
  }
  return answer(task);
}

/** Rows 6, 7, 8 and 17. A completion that arrives while the task is being cancelled wins: the work is done. */
export function completeTask(machine: Machine, command: CompleteTask): Outcome {
  const task = machine.tasks.record(command.task);
  if (task === undefined) return unknownTask(command.task);
  if (isFenced(task, command.fence)) {
    keepOrphan(machine, task, command);
    return staleFence(task);
  }
  switch (task.state) {
    case 'assigned':
    case 'running':
    case 'cancelling':
      end(machine, task, 'succeeded', { result: command.result, error: undefined }, undefined);
      return answer(task);
    case 'succeeded':
      return task.result === command.result
        ? answer(task)
        : refused('already_completed', 'the task has another result', { state: task.state });
    case 'dead':
    case 'cancelled':
    case 'expired':
      keepOrphan(machine, task, command);
      return wrongState(task);
    case 'pending':
    case 'retry_wait':
      return wrongState(task);
  }
}

/** Rows 9 and 18. */
export function failTask(machine: Machine, command: FailTask): Outcome {
  const task = machine.tasks.record(command.task);
  if (task === undefined) return unknownTask(command.task);
  if (isFenced(task, command.fence)) return staleFence(task);
  const { error, retryable } = command;
  if (task.state === 'cancelling') {
    machine.tasks.move(task, { error });
    endCancelling(machine, task, 'failed');
  } else if (task.state !== 'assigned' && task.state !== 'running') {
    return wrongState(task);
  } else if (retryable && task.attempt < task.maxAttempts) {
    const notBeforeTs = machine.ts + backoffMs(task.id, task.attempt, task.backoff);
    become(machine, task, 'retry_wait', { agent: undefined, error, notBeforeTs }, 'failed');
  } else {
    end(machine, task, 'dead', { error }, retryable ? 'attempts_exhausted' : 'not_retryable');
  }
  return answer(task);
}

/** Row 10. After the third time a release counts as an attempt: a task that every agent hands back must come to an end. */
export function releaseTask(machine: Machine, command: ReleaseTask): Outcome {
  const task = machine.tasks.record(command.task);
  if (task === undefined) return unknownTask(command.task);
  if (isFenced(task, command.fence)) return staleFence(task);
  if (task.state !== 'assigned' && task.state !== 'running') return wrongState(task);
  if (task.releases < maxReleases) {
    const changes = { agent: undefined, attempt: task.attempt - 1, releases: task.releases + 1 };
    become(machine, task, 'pending', changes, 'released');
  } else if (task.attempt < task.maxAttempts) {
    become(machine, task, 'pending', { agent: undefined }, 'released');
  } else {
    end(machine, task, 'dead', {}, 'released');
  }
  return answer(task);
}

/** Row 18. */
export function cancelAck(machine: Machine, command: CancelAck): Outcome {
  const task = machine.tasks.record(command.task);
  if (task === undefined) return unknownTask(command.task);
  if (isFenced(task, command.fence)) return staleFence(task);
  if (task.state !== 'cancelling') return wrongState(task);
  endCancelling(machine, task, 'acknowledged');
  return answer(task);
}

/**
 * True if this fence holds the task no longer: a newer assignment was made, or the lease under this one was lost and the task waits for the next. In the
 * second case the fence still equals the newest, and without this line a lost agent could complete a task that is about to run again.
 */
const isFenced = (task: TaskRecord, fence: number): boolean =>
  fence !== task.fence || (task.fence > 0 && (task.state === 'pending' || task.state === 'retry_wait'));

const staleFence = (task: TaskRecord): Outcome =>
  refused('stale_fence', 'the task is no longer held under this fence', { fence: task.fence, state: task.state });

const answer = (task: TaskRecord): Outcome => accepted({ kind: 'task', task: task.id, state: task.state, created: false });

/** A fence that was never given out is a mistake of the caller, not a late result. */
function keepOrphan(machine: Machine, task: TaskRecord, command: CompleteTask): void {
  const { tasks, index, ts, limits } = machine;
  if (command.fence > task.fence || command.fence < 1) return;
  if (tasks.orphans().some((orphan) => orphan.task === task.id && orphan.fence === command.fence)) return;
  tasks.addOrphan({ task: task.id, fence: command.fence, index, ts, result: command.result }, limits);
}
