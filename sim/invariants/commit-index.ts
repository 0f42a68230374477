import type { LogIndex, NodeId } from '../../src/core/ids.ts';
import type { Entry } from '../../src/raft/messages.ts';
import type { SaveBatch, StoredState } from '../../src/storage/store.ts';
import { hold } from '../violation.ts';
import type { Disk } from './disk.ts';
import type { Invariant, NodeView } from './invariant.ts';

/** Only committed entries are applied (Raft figure 2, volatile state: lastApplied follows commitIndex; openraft: `applied <= committed`). */
export class AppliedIsCommitted implements Invariant {
  readonly name = 'applied-is-committed';

  onApplied({ id, replica }: NodeView, { index }: Entry): void {
    const { commitIndex } = replica.raft;
    hold(commitIndex >= index, this.name, () => `${id} applies ${index} of ${commitIndex}`);
  }

  afterTurn({ id, replica }: NodeView): void {
    const { commitIndex } = replica.raft;
    if (commitIndex < replica.appliedIndex) hold(false, this.name, () => `${id} applied ${replica.appliedIndex} of ${commitIndex}`);
  }
}

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

/** A leader commits by counting only what is of its own term; what is older is committed along with it (Raft §5.4.2, figure 8). So what nobody knew to be committed is of the term of the leader that says so. */
export class CommitsOwnTerm implements Invariant {
  readonly name = 'commits-own-term';
  #newest: LogIndex = 0;

  onCommitted({ id, replica: { raft } }: NodeView, index: LogIndex): void {
    if (index <= this.#newest) return;
    this.#newest = index;
    const term = raft.termAt(index);
    hold(
      raft.role !== 'leader' || term === raft.term,
      this.name,
      () => `${id} leads term ${raft.term} and commits ${index} of term ${term}`,
    );
  }
}
