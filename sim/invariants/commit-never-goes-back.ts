import type { LogIndex, NodeId } from '../../src/core/ids.ts';
import type { SaveBatch, StoredState } from '../../src/storage/store.ts';
import { hold } from '../violation.ts';
import type { Disk } from './disk.ts';
import type { Invariant, NodeView } from './invariant.ts';

/** The commit index only rises: in the life of a node, on its disk, and from one life to the next as far as it was durable (Raft figure 2; openraft: `committed` is monotonic). */
export class CommitNeverGoesBack implements Invariant {
  readonly name = 'commit-never-goes-back';
  readonly #seen = new Map<NodeId, LogIndex>();

  onStart(id: NodeId, disk: Disk, found: StoredState): void {
    const { commitIndex } = found.hardState;
    if (!disk.isLoss(found)) this.#check(id, disk.hardState.commitIndex, commitIndex);
    this.#seen.set(id, Math.min(commitIndex, found.entries.at(-1)?.index ?? found.compactedIndex));
  }

  onSaving({ id, disk }: NodeView, { hardState }: SaveBatch): void {
    if (hardState !== undefined) this.#check(id, disk.hardState.commitIndex, hardState.commitIndex);
  }

  onCommitted({ id }: NodeView, index: LogIndex): void {
    this.#check(id, this.#seen.get(id) ?? 0, index);
    this.#seen.set(id, index);
  }

  #check(id: NodeId, before: LogIndex, after: LogIndex): void {
    hold(after >= before, this.name, () => `${id} has ${after} committed after ${before}`);
  }
}
