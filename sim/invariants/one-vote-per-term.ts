import type { NodeId } from '../../src/core/ids.ts';
import type { HardState, RaftMessage } from '../../src/raft/messages.ts';
import type { SaveBatch, StoredState } from '../../src/storage/store.ts';
import { hold, Violation } from '../violation.ts';
import type { Disk } from './disk.ts';
import type { Facts, Invariant, NodeView } from './invariant.ts';

/**
 * One vote per term, on disk and before it counts (Raft §5.2 and figure 2): a vote once given in a term stays, also across crashes, and a candidate counts only
 * votes that are durable.
 */
export class OneVotePerTerm implements Invariant {
  readonly name = 'one-vote-per-term';
  readonly #facts: Facts;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  onSaving({ id, disk }: NodeView, { hardState }: SaveBatch): void {
    if (hardState !== undefined) this.#check(id, disk.hardState, hardState);
  }

  onStart(id: NodeId, disk: Disk, found: StoredState): void {
    if (!disk.isLoss(found)) this.#check(id, disk.hardState, found.hardState);
  }

  onStep({ id }: NodeView, from: NodeId, message: RaftMessage): void {
    if (message.type !== 'RequestVoteResponse' || message.preVote || !message.voteGranted) return;
    const disk = this.#facts.disks.get(from);
    // A late answer of a node that has lost its disk since is an answer all the same.
    if (disk === undefined || disk.hardState.rejoining !== 0) return;
    const { currentTerm, votedFor } = disk.hardState;
    if (currentTerm > message.term || (currentTerm === message.term && votedFor === id)) return;
    throw new Violation(
      this.name,
      `${id} counts the vote of ${from} in term ${message.term}, whose disk says ${votedFor ?? 'nobody'} in term ${currentTerm}`,
    );
  }

  #check(id: NodeId, before: HardState, after: HardState): void {
    const isSame = after.currentTerm !== before.currentTerm || before.votedFor === undefined || before.votedFor === after.votedFor;
    hold(isSame, this.name, () => `${id} voted for ${before.votedFor} and ${after.votedFor} in term ${after.currentTerm}`);
  }
}
