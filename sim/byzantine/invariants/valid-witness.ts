import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import { faultOf } from '../../../src/byzantine/tally.ts';
import type { Witness } from '../../../src/byzantine/witness.ts';
import { hold } from '../../violation.ts';
import type { VoteFacts, VoteInvariant } from './invariant.ts';

/** I2: what a member votes for first, and so what is decided, has a witness that convinces everyone. */
export class ValidWitness implements VoteInvariant {
  readonly name = 'valid-witness';
  readonly #facts: VoteFacts;

  constructor(facts: VoteFacts) {
    this.#facts = facts;
  }

  onSaved(member: MemberIndex, _before: Memory | undefined, { statement: { view, current }, witnesses }: Memory): void {
    const [first] = current;
    const isShown = first === undefined || witnesses.some(({ value }) => value === first);
    hold(isShown, this.name, () => `member ${member} votes in view ${view} without a witness`);
  }

  onDecided(member: MemberIndex, witness: Witness): void {
    const fault = faultOf(this.#facts.motion, this.#facts.notary, witness);
    hold(fault === undefined, this.name, () => `member ${member} decided on a bad witness: ${fault}`);
  }
}
