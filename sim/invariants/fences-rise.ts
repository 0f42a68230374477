import type { TaskId } from '../../src/core/ids.ts';
import { hold } from '../violation.ts';
import type { Deed, Invariant, NodeView } from './invariant.ts';

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
