import { hold } from '../violation.ts';
import type { Facts, Invariant, NodeView } from './invariant.ts';

/**
 * Leader Completeness (Raft §5.4, figure 3): a new leader's log holds every entry that was committed in an earlier term. The newest of them is enough, since Log
 * Matching makes the rest equal.
 */
export class LeaderCompleteness implements Invariant {
  readonly name = 'leader-completeness';
  readonly #facts: Facts;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  onElected({ id, replica: { raft } }: NodeView): void {
    const last = this.#facts.agreed.lastBelow(raft.term);
    if (last === undefined) return;
    const { lastIndex } = raft.status();
    hold(
      lastIndex >= last.index,
      this.name,
      () => `${id} leads term ${raft.term} with a log up to ${lastIndex}, but ${last.index} is committed`,
    );
    // Undefined: compacted.
    const own = raft.termAt(last.index);
    hold(own === undefined || own === last.term, this.name, () => `${id} leads term ${raft.term} with another entry at ${last.index}`);
  }
}
