import type { LogIndex, NodeId } from '../../src/core/ids.ts';
import type { RaftMessage } from '../../src/raft/messages.ts';
import type { SaveBatch, StoredState } from '../../src/storage/store.ts';
import { hold } from '../violation.ts';
import type { Disk } from './disk.ts';
import type { Facts, Invariant, NodeView } from './invariant.ts';
import { isHeldByQuorum } from './quorums.ts';

/**
 * Durable before acknowledged (Raft §5.3 and §8; TigerBeetle's VOPR: a reply only for what a quorum has): what a follower says that it holds is on its disk, and
 * what a client is told is on the disks of a quorum. Disks of crashed nodes count; what is merely in memory doesn't.
 */
export class DurableBeforeAcknowledged implements Invariant {
  readonly name = 'durable-before-acknowledged';
  readonly #facts: Facts;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  onStep({ id }: NodeView, from: NodeId, message: RaftMessage): void {
    if (message.type !== 'AppendEntriesResponse' || !message.success || message.rejoining !== 0) return;
    const disk = this.#facts.disks.get(from);
    // In a later term the follower may have replaced what it held; and a late answer speaks of a disk that may be lost since.
    if (disk === undefined || disk.hardState.currentTerm !== message.term || disk.hardState.rejoining !== 0) return;
    hold(
      disk.lastIndex >= message.index,
      this.name,
      () => `${from} told ${id} that it holds ${message.index}, but its disk ends at ${disk.lastIndex}`,
    );
  }

  onAcknowledged(index: LogIndex): void {
    const { agreed, disks } = this.#facts;
    const entry = agreed.covering(index);
    hold(entry !== undefined, this.name, () => `index ${index} was acknowledged, but no node has applied it`);
    // By the configuration that committed it, or one that came into force with it: a later one may have other disks.
    const configurations = [agreed.configurationAt(entry.index - 1), ...agreed.newestConfigurations];
    hold(
      configurations.some((configuration) => isHeldByQuorum(configuration, disks, entry.index, entry.term)),
      this.name,
      () => `index ${index} was acknowledged, but ${namesOf(disks, (disk) => disk.holds(entry.index, entry.term))} alone hold it`,
    );
  }
}

/**
 * Committed is durable (Raft §5.4.2, figure 8; openraft: a committed entry is on a quorum): what any node takes for committed is on the disks of a quorum, by a
 * configuration in force on that node, and no disk drops it again.
 */
export class CommittedIsDurable implements Invariant {
  readonly name = 'committed-is-durable';
  readonly #facts: Facts;
  #checked: LogIndex = 0;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  onCommitted({ id, replica, configurations }: NodeView, index: LogIndex): void {
    if (index <= this.#checked) return;
    this.#checked = index;
    const { disks } = this.#facts;
    const term = replica.raft.termAt(index);
    hold(
      term !== undefined && configurations.some((configuration) => isHeldByQuorum(configuration, disks, index, term)),
      this.name,
      () =>
        `${id} takes ${index} for committed, but ${namesOf(disks, (disk) => term !== undefined && disk.holds(index, term))} alone hold it`,
    );
  }

  onSaving({ id, disk }: NodeView, { entries }: SaveBatch): void {
    const first = entries?.[0];
    if (first === undefined) return;
    const from = first.index - first.count;
    const { agreed } = this.#facts;
    if (from >= disk.lastIndex || from >= agreed.lastIndex) return;
    // The first entry that is to be replaced: if it was not agreed on, none after it was.
    const replaced = agreed.covering(from + 1);
    hold(
      replaced === undefined || disk.termAt(replaced.index) !== replaced.term,
      this.name,
      () => `${id} drops its log after ${from}, but ${replaced?.index} is committed`,
    );
  }
}

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

function namesOf(disks: ReadonlyMap<NodeId, Disk>, isHolder: (disk: Disk) => boolean): string {
  return (
    [...disks]
      .filter(([, disk]) => isHolder(disk))
      .map(([id]) => id)
      .join(' and ') || 'no disk'
  );
}
