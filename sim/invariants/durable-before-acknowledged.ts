import type { LogIndex, NodeId } from '../../src/core/ids.ts';
import type { RaftMessage } from '../../src/raft/messages.ts';
import { hold } from '../violation.ts';
import type { Facts, Invariant, NodeView } from './invariant.ts';
import { isHeldByQuorum, namesOf } from './quorums.ts';

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
