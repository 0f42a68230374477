import type { SaveBatch } from '../../src/storage/store.ts';
import { hold } from '../violation.ts';
import type { Invariant, NodeView } from './invariant.ts';

/** Leader Append-Only (Raft §5.3, figure 3): a leader never overwrites or deletes entries of its own log. */
export class LeaderAppendOnly implements Invariant {
  readonly name = 'leader-append-only';

  onSaving({ id, disk, replica }: NodeView, { entries, snapshotChunk }: SaveBatch): void {
    if (replica.raft.role !== 'leader') return;
    hold(snapshotChunk === undefined, this.name, () => `${id} leads term ${replica.raft.term} and takes a snapshot of another`);
    const first = entries?.[0];
    if (first === undefined) return;
    const from = first.index - first.count;
    hold(
      from === disk.lastIndex,
      this.name,
      () => `${id} leads term ${replica.raft.term} and writes after ${from}, but its log ends at ${disk.lastIndex}`,
    );
  }
}
