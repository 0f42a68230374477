import type { NodeId } from '../../core/ids.ts';
import type { View } from '../../partition/classify.ts';
import { preferredLeaders } from '../../partition/placement.ts';

/** A transfer needs time to show in everyone's rows before the next is considered. */
const pauseMs = 5000;

/**
 * Keeps leadership with a node that can lead (protocol design 4.5): a leader that is not connected with a majority resigns, and one that others are better connected
 * than hands over. Hints: a wrong one costs an election.
 */
export class LeaderPlace {
  #movedMs = -Infinity;

  /**
   * What this node, the leader, should do in a split that has stood for a moment. `hasQuorum` counts all voters but those that are not heard, or say that they don't
   * hear: one without a row may be new and not know yet that it is a member, and needs this leader to learn it.
   */
  advise(view: View, voters: readonly NodeId[], hasQuorum: boolean, nowMs: number): 'resign' | { readonly transferTo: NodeId } | undefined {
    const { self, graph } = view;
    if (!hasQuorum) return 'resign';
    const best = preferredLeaders(self, voters, graph, self)[0];
    if (best === undefined || graph.star(best, voters) === graph.star(self, voters) || nowMs - this.#movedMs < pauseMs) return undefined;
    this.#movedMs = nowMs;
    return { transferTo: best };
  }
}
