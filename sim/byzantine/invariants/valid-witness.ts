import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import { faultOf } from '../../../src/byzantine/tally.ts';
import type { Witness } from '../../../src/byzantine/witness.ts';
import { hold } from '../../violation.ts';
import type { VoteFacts, VoteInvariant } from './invariant.ts';

/** I2: what is decided has a witness that convinces everyone. */
export class ValidWitness implements VoteInvariant {
  readonly name = 'valid-witness';
  readonly #facts: VoteFacts;

  constructor(facts: VoteFacts) {
    this.#facts = facts;
  }

  onDecided(member: MemberIndex, witness: Witness): void {
    const fault = faultOf(this.#facts.motion, this.#facts.notary, witness);
    hold(fault === undefined, this.name, () => `member ${member} decided on a bad witness: ${fault}`);
  }
}
