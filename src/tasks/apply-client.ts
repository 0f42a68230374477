import type { CancelTask, RetryTask, SubmitTask } from './commands.ts';
import { accepted, emitTask, type Machine, type Outcome, refused } from './machine.ts';
import { historyItem, signatureOf, type TaskRecord } from './task-record.ts';
import { become, end } from './transitions.ts';

/** Rows 1 and 2. An id stands for one body for ever, or for as long as purged ids are remembered. */
export function submitTask(machine: Machine, command: SubmitTask): Outcome {
  const { tasks, limits } = machine;
  const known = tasks.get(command.task) ?? tasks.purged(command.task);
  if (known !== undefined) {
    if (known.digest !== command.digest) return refused('id_conflict', 'this task id stands for another task', { state: known.state });
    return accepted({ kind: 'task', task: command.task, state: known.state, created: false });
  }
  if (tasks.live >= limits.maxTasks)
    return refused('overloaded', 'there are as many tasks as this cluster keeps', { maxTasks: limits.maxTasks });
  if (tasks.liveText + command.payload.length > limits.maxTaskText) return refused('overloaded', 'payloads fill the room they have');
  const task = newTask(machine, command);
  tasks.add(task);
  emitTask(machine, task, undefined);
  return accepted({ kind: 'task', task: task.id, state: task.state, created: true });
}

function newTask(machine: Machine, command: SubmitTask): TaskRecord {
  const { index, ts } = machine;
  return {
    id: command.task,
    type: command.type,
    payload: command.payload,
    digest: command.digest,
    requires: command.requires,
    swarm: command.swarm,
    priority: command.priority,
    maxAttempts: command.maxAttempts,
    leaseMs: command.leaseMs,
    deadlineTs: command.deadlineMs === undefined ? undefined : ts + command.deadlineMs,
    backoff: command.backoff,
    state: 'pending',
    attempt: 0,
    releases: 0,
    fence: 0,
    agent: undefined,
    generation: 0,
    checkpoint: undefined,
    result: undefined,
    error: undefined,
    createdIndex: index,
    createdTs: ts,
    notBeforeTs: ts + command.delayMs,
    endedTs: undefined,
    cancelReason: undefined,
    excluded: [],
    history: [historyItem(index, 'pending', undefined, undefined)],
    deadlineMs: command.deadlineMs,
    exclusionEndsTs: 0,
    signature: signatureOf(command),
  };
}

/** Rows 15 and 16. */
export function cancelTask(machine: Machine, command: CancelTask): Outcome {
  const task = machine.tasks.record(command.task);
  if (task === undefined) return unknownTask(command.task);
  switch (task.state) {
    case 'pending':
    case 'retry_wait':
      end(machine, task, 'cancelled', { cancelReason: 'client' }, 'client');
      break;
    case 'assigned':
    case 'running':
      become(machine, task, 'cancelling', { cancelReason: 'client' }, 'client');
      break;
    case 'cancelling':
    case 'succeeded':
    case 'dead':
    case 'cancelled':
    case 'expired':
      return wrongState(task);
  }
  return accepted({ kind: 'task', task: task.id, state: task.state, created: false });
}

/** Row 21. The task starts over, with as much time to its deadline as it was given at first; its fence goes on rising (T2). */
export function retryTask(machine: Machine, command: RetryTask): Outcome {
  const { tasks, limits, ts } = machine;
  const task = tasks.record(command.task);
  if (task === undefined) return unknownTask(command.task);
  if (task.state !== 'dead' && task.state !== 'expired' && task.state !== 'cancelled') return wrongState(task);
  if (tasks.live >= limits.maxTasks)
    return refused('overloaded', 'there are as many tasks as this cluster keeps', { maxTasks: limits.maxTasks });
  if (tasks.liveText + task.payload.length > limits.maxTaskText) return refused('overloaded', 'payloads fill the room they have');
  const changes = {
    attempt: 0,
    releases: 0,
    agent: undefined,
    error: undefined,
    cancelReason: undefined,
    endedTs: undefined,
    excluded: [],
    exclusionEndsTs: 0,
    notBeforeTs: ts,
    deadlineTs: task.deadlineMs === undefined ? undefined : ts + task.deadlineMs,
  };
  become(machine, task, 'pending', changes, 'retried');
  return accepted({ kind: 'task', task: task.id, state: task.state, created: false });
}

export const unknownTask = (id: string): Outcome => refused('unknown_task', `there is no task ${id}`);

export const wrongState = (task: TaskRecord): Outcome => refused('wrong_state', `the task is ${task.state}`, { state: task.state });
