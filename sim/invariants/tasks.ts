import type { AgentId, TaskId } from '../../src/core/ids.ts';
import type { ClusterState } from '../../src/tasks/state.ts';
import { isTerminal, type TaskState } from '../../src/tasks/task.ts';
import { hold } from '../violation.ts';
import type { Deed, Invariant, NodeView } from './invariant.ts';

/** A fence names one task and one holder (Chubby's sequencers, Burrows 2006), in the log and for whoever is told. */
export class OneHolderPerFence implements Invariant {
  readonly name = 'one-holder-per-fence';
  readonly #holders = new Map<number, { readonly task: TaskId; readonly agent: AgentId | undefined }>();

  onCommand(_node: NodeView, { effects, isFirst }: Deed): void {
    if (!isFirst) return;
    for (const event of effects) {
      if (event.kind !== 'task' || event.state !== 'assigned') continue;
      const { task, fence, agent } = event;
      const known = this.#holders.get(fence);
      hold(
        known === undefined,
        this.name,
        () => `fence ${fence} is given for ${known?.task} to ${known?.agent} and for ${task} to ${agent}`,
      );
      this.#holders.set(fence, { task, agent });
    }
  }

  onClaimed(agent: AgentId, task: TaskId, fence: number): void {
    const known = this.#holders.get(fence);
    hold(
      known?.task === task && known.agent === agent,
      this.name,
      () => `${agent} was given ${task} under fence ${fence}, which is for ${known?.task} and ${known?.agent}`,
    );
  }
}

/** A task's fences rise (T2; Kleppmann 2016 on fencing tokens): a newer holder always has the greater one. */
export class FencesRise implements Invariant {
  readonly name = 'fences-rise';
  readonly #fences = new Map<TaskId, number>();

  onCommand(_node: NodeView, { effects, isFirst }: Deed): void {
    if (!isFirst) return;
    for (const event of effects) {
      if (event.kind !== 'task') continue;
      const { task, fence, state } = event;
      const before = this.#fences.get(task) ?? 0;
      hold(
        state === 'assigned' ? fence > before : fence >= before,
        this.name,
        () => `${task} is ${state} under fence ${fence} after ${before}`,
      );
      this.#fences.set(task, fence);
    }
  }
}

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
