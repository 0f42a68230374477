import type { AgentId, TaskId } from '../../src/core/ids.ts';
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
