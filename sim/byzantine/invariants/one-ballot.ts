import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import { isWithin } from '../../../src/byzantine/motion.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import { equalBytes } from '../../../src/core/bytes.ts';
import { hold } from '../../violation.ts';
import type { VoteInvariant } from './invariant.ts';

/** Of protocol design 1.4: one ballot a member and proposal for ever, and expiries that only grow. */
export class OneBallot implements VoteInvariant {
  readonly name = 'one-ballot';

  onSaved(member: MemberIndex, before: Memory | undefined, after: Memory): void {
    const [ballot, expiry] = [before?.ballot?.ballot.choices, before?.expiry?.expiry.items];
    const [laterBallot, laterExpiry] = [after.ballot?.ballot.choices, after.expiry?.expiry.items];
    const isKept = ballot === undefined || (laterBallot !== undefined && equalBytes(ballot, laterBallot));
    hold(isKept, this.name, () => `member ${member} has two ballots`);
    const grows = expiry === undefined || (laterExpiry !== undefined && isWithin(expiry, laterExpiry));
    hold(grows, this.name, () => `member ${member} takes an expiry back`);
  }
}
