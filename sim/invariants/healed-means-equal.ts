import type { LogIndex } from '../../src/core/ids.ts';
import { hold } from '../violation.ts';
import type { Invariant, NodeView } from './invariant.ts';

/** A split is called healed only when every voter has, on its disk, what was committed when the sides met. */
export class HealedMeansEqual implements Invariant {
  readonly name = 'healed-means-equal';

  onHealed(node: NodeView, index: LogIndex, voters: readonly NodeView[]): void {
    const term = node.replica.raft.termAt(index);
    // Before the log, or compacted: everyone has it.
    if (index === 0 || term === undefined) return;
    for (const { id, disk } of voters) {
      hold(
        disk.lost !== undefined || disk.snapshotIndex >= index || disk.holds(index, term),
        this.name,
        () => `${node.id} calls the split healed up to ${index}, but ${id} has only ${disk.lastIndex} entries`,
      );
    }
  }
}
