import type { TaskId } from '../../src/core/ids.ts';
import type { ClusterState } from '../../src/tasks/state.ts';
import { isTerminal, type TaskState } from '../../src/tasks/task.ts';
import { hold } from '../violation.ts';
import type { Deed, Invariant, NodeView } from './invariant.ts';

/** A task comes to an end once (T3, T4): an ended task stays as it ended, with the one result that its agent was told was taken. */
export class CompletedOnce implements Invariant {
  readonly name = 'completed-once';
  readonly #ended = new Map<TaskId, TaskState>();
  readonly #results = new Map<TaskId, string>();

  onCommand(_node: NodeView, { effects, isFirst }: Deed): void {
    if (!isFirst) return;
    for (const event of effects) {
      if (event.kind !== 'task') continue;
      const { task, state, reason } = event;
      const ended = this.#ended.get(task);
      // A client may revive what failed, never what succeeded.
      const isRevived = reason === 'retried' && ended !== 'succeeded';
      hold(ended === undefined || isRevived, this.name, () => `${task} was ${ended} and is ${state}`);
      if (isTerminal(state)) this.#ended.set(task, state);
      else this.#ended.delete(task);
    }
  }

  onCompleted(task: TaskId, result: string): void {
    const known = this.#results.get(task);
    hold(known === undefined || known === result, this.name, () => `${task} was completed with ${known} and with ${result}`);
    this.#results.set(task, result);
  }

  onWhole(state: ClusterState): void {
    for (const [id, result] of this.#results) {
      const task = state.tasks.get(id);
      hold(
        task?.state === 'succeeded' && task.result === result,
        this.name,
        () => `${id} was completed with ${result} but is ${task?.state} with ${task?.result}`,
      );
    }
  }
}
