import type { AgentId } from '../core/ids.ts';
import { maxExcluded } from './limits.ts';
import { emitTask, type Machine } from './machine.ts';
import { extended, historyItem, isHeld, type TaskRecord } from './task-record.ts';
import type { TaskState } from './task.ts';

type Changes = Partial<Omit<TaskRecord, 'id' | 'createdIndex' | 'signature' | 'state' | 'history'>>;

/** Puts a task into a state: the one place where its life goes on, its agent's load follows (T5), and watchers are told. */
export function become(machine: Machine, task: TaskRecord, state: TaskState, changes: Changes, reason: string | undefined): void {
  const from = task.agent;
  const wasHeld = isHeld(task.state);
  const agent = 'agent' in changes ? changes.agent : task.agent;
  const history = extended(task.history, historyItem(machine.index, state, agent, reason));
  machine.tasks.move(task, { ...changes, state, history });
  if (wasHeld && from !== undefined && !isHeld(state)) machine.registry.changeLoad(from, -1);
  if (!wasHeld && agent !== undefined && isHeld(state)) machine.registry.changeLoad(agent, 1);
  emitTask(machine, task, reason);
}

/** Ends a task. It keeps the agent that held it last, so that one can see who did it. */
export function end(
  machine: Machine,
  task: TaskRecord,
  state: 'succeeded' | 'dead' | 'cancelled' | 'expired',
  changes: Changes,
  reason: string | undefined,
): void {
  become(machine, task, state, { ...changes, endedTs: machine.ts }, reason);
  const { tasks, limits } = machine;
  while (tasks.ended > 1 && (tasks.ended > limits.maxTerminal || tasks.endedText > limits.maxTerminalText)) purgeOldest(machine);
}

/** Forgets the task that ended first, and remembers its id for a while. */
export function purgeOldest(machine: Machine): void {
  const oldest = machine.tasks.oldestEnded();
  if (oldest === undefined) return;
  machine.tasks.purge(oldest, machine.ts);
  const ids = machine.tasks.purgedIds();
  for (const id of ids.keys()) {
    if (ids.size <= machine.limits.maxPurgedIds) break;
    machine.tasks.forgetPurged(id);
  }
}

/** Ends a cancelling task whose holder is through with it (row 18). */
export function endCancelling(machine: Machine, task: TaskRecord, reason: string): void {
  end(machine, task, task.cancelReason === 'deadline' ? 'expired' : 'cancelled', {}, reason);
}

/** Takes a held task from an agent that is believed lost (rows 11, 12, 18): the attempt counts, since the agent may have begun. */
export function lose(machine: Machine, task: TaskRecord, reason: 'lease_expired' | 'agent_down' | 'agent_gone' | 'agent_replaced'): void {
  if (task.state === 'cancelling') {
    endCancelling(machine, task, reason);
  } else if (task.attempt >= task.maxAttempts) {
    end(machine, task, 'dead', {}, reason);
  } else {
    // `notBeforeTs` stays: the task keeps its place in the queue, before those that were submitted after it.
    const excluded = task.agent === undefined ? task.excluded : remembered(task.excluded, task.agent);
    become(machine, task, 'pending', { agent: undefined, excluded, exclusionEndsTs: machine.ts + machine.limits.exclusionMs }, reason);
  }
}

/** All tasks of a lost agent, the most urgent and then the oldest first (row 12). */
export function loseAllOf(machine: Machine, agent: AgentId, reason: 'agent_down' | 'agent_gone' | 'agent_replaced'): void {
  const held: TaskRecord[] = [];
  for (const { id } of machine.tasks.assignedTo(agent)) {
    const task = machine.tasks.record(id);
    if (task !== undefined) held.push(task);
  }
  // Sorted, because the order in which the agent's tasks are kept differs on a node that was restored from a snapshot.
  for (const task of held.toSorted((a, b) => b.priority - a.priority || a.createdIndex - b.createdIndex)) lose(machine, task, reason);
}

const remembered = (excluded: readonly AgentId[], agent: AgentId): readonly AgentId[] =>
  [...excluded.filter((each) => each !== agent), agent].slice(-maxExcluded);
