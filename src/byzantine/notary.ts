import type { SignedBallot, SignedExpiry } from './ballot.ts';
import type { ProposalId } from './proposal.ts';
import type { Outcome, Value } from './witness.ts';

/** Hashes and signatures, which the engine asks for and doesn't make. Given the same input it always says the same. */
export interface Notary {
  /** The digest of proposal id and outcome. */
  valueOf(proposal: ProposalId, outcome: Outcome): Value;
  /** The voter itself has signed it. The ballot is well formed. */
  isBallotSigned(ballot: SignedBallot): boolean;
  isExpirySigned(expiry: SignedExpiry): boolean;
}
