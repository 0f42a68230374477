import type { SignedBallot, SignedExpiry } from './ballot.ts';
import type { Digest } from './digest.ts';
import type { ProposalId } from './proposal.ts';

/** The outcome of an item that no option can win any more. */
export const split = 254;
/** The outcome of an item that a quorum let expire. */
export const expired = 255;

/** One byte an item: the index of an option, `split` or `expired`. */
export type Outcome = Uint8Array;

/** What is agreed on: the digest of proposal id and outcome. */
export type Value = Digest;

/** Ballots and expiries that make an outcome right, whoever looks at them. At most one of each a voter. */
export interface Witness {
  readonly proposal: ProposalId;
  readonly value: Value;
  readonly outcome: Outcome;
  readonly ballots: readonly SignedBallot[];
  /** Empty unless an item is `expired`. */
  readonly expiries: readonly SignedExpiry[];
}
