import type { LogIndex, NodeId } from '../../src/core/ids.ts';
import { isJoint } from '../../src/raft/configuration.ts';
import type { Configuration, SnapshotMeta } from '../../src/raft/messages.ts';
import type { SaveBatch } from '../../src/storage/store.ts';
import { hold } from '../violation.ts';
import type { Facts, Invariant, NodeView } from './invariant.ts';
import { isQuorum } from './quorums.ts';

/**
 * Membership (Raft §6; thesis §4.1, §4.3): every quorum of a configuration has a node in common with every quorum of the next, so that no two leaders can be elected
 * by them in one term; one change at a time; and all nodes have the same configuration at the same index.
 */
export class MembershipOverlap implements Invariant {
  readonly name = 'membership-overlap';
  readonly #facts: Facts;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  onConfiguration({ id }: NodeView, index: LogIndex, configuration: Configuration, isFirst: boolean): void {
    const { agreed } = this.#facts;
    const before = agreed.configurationAt(index - 1);
    const after = agreed.configurationAt(index);
    this.#same(id, index, configuration);
    if (!isFirst) return;
    hold(overlap(before, after), this.name, () => `quorums of ${named(before)} and ${named(after)} at ${index} need not meet`);
    hold(!isJoint(before) || !isJoint(after), this.name, () => `${named(after)} at ${index} follows ${named(before)}, which was not left`);
  }

  /** A leader proposes a change only when the one before is in force. */
  onSaving({ id, replica }: NodeView, { entries }: SaveBatch): void {
    if (entries === undefined || replica.raft.role !== 'leader') return;
    let changes = 0;
    for (const { kind, term } of entries) if (kind === 'configuration' && term === replica.raft.term) changes++;
    hold(changes < 2, this.name, () => `${id} proposes ${changes} changes at once`);
  }

  onSnapshotTaken({ id }: NodeView, { index, configuration }: SnapshotMeta): void {
    this.#same(id, index, configuration);
  }

  onSnapshotInstalled({ id }: NodeView, { index, configuration }: SnapshotMeta): void {
    this.#same(id, index, configuration);
  }

  #same(id: NodeId, index: LogIndex, configuration: Configuration): void {
    const known = this.#facts.agreed.configurationAt(index);
    hold(
      known === configuration || named(known) === named(configuration),
      this.name,
      () => `${id} has ${named(configuration)} at ${index}, where others have ${named(known)}`,
    );
  }
}

/** Whether any two quorums have a node in common. Tries every set of nodes against all the others: clusters of a run are small. */
export function overlap(one: Configuration, other: Configuration): boolean {
  const ids = [...new Set([...one.voters, ...one.outgoing, ...other.voters, ...other.outgoing])];
  for (let set = 0; set < 2 ** ids.length; set++) {
    const isIn = (id: NodeId): boolean => ((set >>> ids.indexOf(id)) & 1) === 1;
    if (isQuorum(one, isIn) && isQuorum(other, (id) => !isIn(id))) return false;
  }
  return true;
}

const named = ({ voters, outgoing, learners, learnersNext }: Configuration): string =>
  `(${voters.join(' ')}${outgoing.length === 0 ? '' : ` | ${outgoing.join(' ')}`}${learners.length === 0 ? '' : `, learners ${learners.join(' ')}`}${learnersNext.length === 0 ? '' : `, next ${learnersNext.join(' ')}`})`;
