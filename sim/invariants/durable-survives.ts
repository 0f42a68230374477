import type { NodeId } from '../../src/core/ids.ts';
import type { StoredState } from '../../src/storage/store.ts';
import { hold } from '../violation.ts';
import type { Disk } from './disk.ts';
import type { Invariant } from './invariant.ts';

/** What a disk had, it has after a crash (Raft figure 2: persistent state; etcd robustness, TigerBeetle's storage checker): a node starts with all that was durable. */
export class DurableSurvives implements Invariant {
  readonly name = 'durable-survives';

  onStart(id: NodeId, disk: Disk, found: StoredState): void {
    if (disk.isLoss(found)) return;
    const last = found.entries.at(-1);
    const lastIndex = last?.index ?? found.compactedIndex;
    const lastTerm = last?.term ?? found.compactedTerm;
    const isLog = (each: Disk): boolean => each.lastIndex === lastIndex && each.lastTerm === lastTerm;
    const had = `${disk.lastIndex} in term ${disk.lastTerm}`;
    hold(
      isLog(disk) || isLog(disk.withInFlight()),
      this.name,
      () => `${id} starts with a log up to ${lastIndex} in term ${lastTerm}; ${had} was durable`,
    );
    const snapshot = found.snapshot?.meta.index ?? 0;
    hold(snapshot >= disk.snapshotIndex, this.name, () => `${id} starts with a snapshot at ${snapshot}; ${disk.snapshotIndex} was durable`);
    const { hardState } = found;
    const isKept = [disk, disk.withInFlight()].some(
      (each) => each.hardState.currentTerm === hardState.currentTerm && each.hardState.votedFor === hardState.votedFor,
    );
    hold(
      isKept,
      this.name,
      () => `${id} starts in term ${hardState.currentTerm} with a vote for ${hardState.votedFor}, which was never saved`,
    );
  }
}
