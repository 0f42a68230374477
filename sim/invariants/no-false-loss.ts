import type { NodeId } from '../../src/core/ids.ts';
import { hold } from '../violation.ts';
import type { Invariant, NodeView } from './invariant.ts';

/** Three heartbeats of 100 ms, on clocks that may be half as fast again; one, if the connection was torn and others heard nothing either. */
const leastQuietMs = 190;
const leastTornMs = 60;

/** No link is taken for lost while its frames come, or while they wait to be read by a node that stood still (Lifeguard). */
export class NoFalseLoss implements Invariant {
  readonly name = 'no-false-loss';

  onLinkLost(node: NodeView, peer: NodeId, quietMs: number, isTorn: boolean): void {
    hold(
      quietMs >= (isTorn ? leastTornMs : leastQuietMs),
      this.name,
      () => `${node.id} has lost ${peer}, whose last frame came ${quietMs} ms before`,
    );
  }
}
