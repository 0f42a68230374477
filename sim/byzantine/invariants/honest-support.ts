import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { Witness } from '../../../src/byzantine/witness.ts';
import { hold } from '../../violation.ts';
import type { VoteFacts, VoteInvariant } from './invariant.ts';

/** Of protocol design 1.4: no option wins by the ballots of liars, each of whom counts once at most. */
export class HonestSupport implements VoteInvariant {
  readonly name = 'honest-support';
  readonly #facts: VoteFacts;

  constructor(facts: VoteFacts) {
    this.#facts = facts;
  }

  onDecided(_member: MemberIndex, { outcome, ballots }: Witness): void {
    const { motion, liars } = this.#facts;
    const needed = motion.minSupport - liars.size;
    for (const [item, option] of outcome.entries()) {
      if (option >= motion.options) continue;
      const honest = ballots.filter(({ ballot }) => !liars.has(ballot.voter) && ballot.choices[item] === option).length;
      hold(honest >= needed, this.name, () => `item ${item} was decided with ${honest} honest ballots, not ${needed}`);
    }
  }
}
