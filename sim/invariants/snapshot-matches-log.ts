import type { LogIndex } from '../../src/core/ids.ts';
import type { SnapshotMeta } from '../../src/raft/messages.ts';
import { hold } from '../violation.ts';
import type { Facts, Invariant, NodeView } from './invariant.ts';

/**
 * A snapshot is the log up to its index (Raft §7; openraft: the snapshot's last log id is a committed one): it bears index and term of an entry that was applied,
 * and two snapshots at one index are equal byte by byte, whoever took them.
 */
export class SnapshotMatchesLog implements Invariant {
  readonly name = 'snapshot-matches-log';
  readonly #facts: Facts;
  readonly #prints = new Map<LogIndex, number>();

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  onSnapshotTaken(node: NodeView, meta: SnapshotMeta): void {
    this.#check(node, meta);
    const { appliedIndex } = node.replica;
    hold(meta.index === appliedIndex, this.name, () => `${node.id} calls its state at ${appliedIndex} a snapshot at ${meta.index}`);
  }

  onSnapshotWritten({ id }: NodeView, { index }: SnapshotMeta, print: number): void {
    const known = this.#prints.get(index);
    hold(known === undefined || known === print, this.name, () => `${id} took another snapshot at ${index} than others did`);
    this.#prints.set(index, print);
  }

  onSnapshotInstalled(node: NodeView, meta: SnapshotMeta): void {
    this.#check(node, meta);
  }

  #check({ id }: NodeView, { index, term }: SnapshotMeta): void {
    const entry = this.#facts.agreed.at(index);
    hold(entry?.term === term, this.name, () => `${id} has a snapshot at ${index} in term ${term}, where term ${entry?.term} was applied`);
  }
}
