import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { Evidence } from '../../../src/byzantine/evidence.ts';
import { hold } from '../../violation.ts';
import type { VoteFacts, VoteInvariant } from './invariant.ts';

/** Of protocol design 1.11: no honest member is ever accused. */
export class FairEvidence implements VoteInvariant {
  readonly name = 'fair-evidence';
  readonly #liars: ReadonlySet<MemberIndex>;

  constructor({ liars }: Pick<VoteFacts, 'liars'>) {
    this.#liars = liars;
  }

  onEvidence(by: MemberIndex, { member, kind }: Evidence): void {
    hold(this.#liars.has(member), this.name, () => `honest member ${member} is accused of ${kind} by ${by}`);
  }
}
