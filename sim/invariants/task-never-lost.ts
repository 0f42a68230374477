import type { TaskId } from '../../src/core/ids.ts';
import type { ClusterState } from '../../src/tasks/state.ts';
import { hold } from '../violation.ts';
import type { Deed, Invariant, NodeView } from './invariant.ts';

/** No task is lost (T1): what a client was told is submitted, is there. */
export class TaskNeverLost implements Invariant {
  readonly name = 'task-never-lost';
  readonly #created = new Set<TaskId>();
  readonly #submitted = new Set<TaskId>();

  onCommand(_node: NodeView, { command: { command }, effects, isFirst }: Deed): void {
    if (isFirst && command.op === 'SubmitTask' && effects.length > 0) this.#created.add(command.task);
  }

  onSubmitted(task: TaskId): void {
    hold(this.#created.has(task), this.name, () => `${task} was acknowledged, but is not in the log`);
    this.#submitted.add(task);
  }

  onWhole(state: ClusterState): void {
    for (const task of this.#submitted) hold(state.tasks.get(task) !== undefined, this.name, () => `${task} was acknowledged and is gone`);
  }
}
