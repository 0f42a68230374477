import type { LogIndex } from '../../src/core/ids.ts';
import type { SaveBatch } from '../../src/storage/store.ts';
import { hold } from '../violation.ts';
import type { Facts, Invariant, NodeView } from './invariant.ts';
import { isHeldByQuorum, namesOf } from './quorums.ts';

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
