import type { Statement } from '../../src/byzantine/statement.ts';
import { firstStatement } from '../../src/byzantine/statement.ts';
import { Seals } from '../../sim/byzantine/seals.ts';
import { proposalNumber } from '../../sim/byzantine/seals.ts';
import type { Motion } from '../../src/byzantine/motion.ts';
import type { MemberIndex } from '../../src/byzantine/epoch.ts';
import type { SignedBallot, SignedExpiry } from '../../src/byzantine/ballot.ts';
import { bitmapOf } from '../../src/byzantine/motion.ts';
import { digest } from '../../src/byzantine/digest.ts';

export const [x, y, z] = [digest('a'.repeat(64)), digest('b'.repeat(64)), digest('c'.repeat(64))] as const;

/** A first statement but for these fields; it asks for no other view than its own unless it says so. */
export const statement = (fields: Partial<Statement> = {}): Statement => ({
  ...firstStatement(1),
  viewChange: fields.view ?? 0,
  revision: 1,
  ...fields,
});

export const vote = (view: number, value: typeof x) => ({ view, value });

/** Four members, one item, two options, three ballots for one. */
export const motion: Motion = { proposal: proposalNumber(0), n: 4, items: 1, options: 2, minSupport: 3 };

/** Signatures and hashes of a test. */
export class Signing extends Seals {
  by(voter: MemberIndex, ...choices: number[]): SignedBallot {
    return this.ballot(voter, { proposal: motion.proposal, voter, choices: Uint8Array.from(choices) });
  }

  /** Not signed by its voter. */
  forged(voter: MemberIndex, ...choices: number[]): SignedBallot {
    return this.ballot(voter + 1, { proposal: motion.proposal, voter, choices: Uint8Array.from(choices) });
  }

  expiryBy(voter: MemberIndex, of: Motion = motion, ...items: number[]): SignedExpiry {
    return this.expiry(voter, { proposal: of.proposal, voter, items: bitmapOf(of.items, (item) => items.includes(item)) });
  }
}
