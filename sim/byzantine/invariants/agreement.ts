import { toHex } from '../../../src/byzantine/bytes.ts';
import type { Certificate } from '../../../src/byzantine/certificate.ts';
import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import type { Outcome, Witness } from '../../../src/byzantine/witness.ts';
import { hold } from '../../violation.ts';
import type { VoteInvariant } from './invariant.ts';

/** I1: all honest members decide the same, once and for ever, and no certificate says otherwise. */
export class Agreement implements VoteInvariant {
  readonly name = 'agreement';
  #outcome: Outcome | undefined;

  /** What was decided first. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  onSaved(member: MemberIndex, before: Memory | undefined, { statement }: Memory): void {
    const decided = before?.statement.decided;
    hold(decided === undefined || decided === statement.decided, this.name, () => `member ${member} changed its decision`);
  }

  onBreach(member: MemberIndex): void {
    hold(false, this.name, () => `member ${member} sees two decisions`);
  }

  onDecided(member: MemberIndex, { outcome }: Witness): void {
    this.#isSame(`member ${member} decided`, outcome);
  }

  onCertified(member: MemberIndex, { attestation }: Certificate): void {
    this.#isSame(`member ${member} has a certificate of`, attestation.outcome);
  }

  #isSame(deed: string, outcome: Outcome): void {
    const first = (this.#outcome ??= outcome);
    hold(toHex(first) === toHex(outcome), this.name, () => `${deed} ${outcome.join()}, another ${first.join()}`);
  }
}
