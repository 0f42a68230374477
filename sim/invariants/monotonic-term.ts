import type { NodeId } from '../../src/core/ids.ts';
import type { HardState } from '../../src/raft/messages.ts';
import type { SaveBatch, StoredState } from '../../src/storage/store.ts';
import { hold } from '../violation.ts';
import type { Disk } from './disk.ts';
import type { Invariant, NodeView } from './invariant.ts';

/** Terms never go back on a disk, also across crashes (Raft figure 2, persistent state; hashicorp/raft #661). */
export class MonotonicTerm implements Invariant {
  readonly name = 'monotonic-term';

  onSaving({ id, disk }: NodeView, { hardState }: SaveBatch): void {
    if (hardState !== undefined) this.#check(id, disk.hardState, hardState);
  }

  onStart(id: NodeId, disk: Disk, found: StoredState): void {
    if (!disk.isLoss(found)) this.#check(id, disk.hardState, found.hardState);
  }

  #check(id: NodeId, before: HardState, after: HardState): void {
    hold(after.currentTerm >= before.currentTerm, this.name, () => `${id} is in term ${after.currentTerm} after ${before.currentTerm}`);
  }
}
