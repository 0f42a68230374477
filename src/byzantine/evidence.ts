import type { SignedAttestation } from './attestation.ts';
import type { SignedBallot, SignedExpiry } from './ballot.ts';
import type { MemberIndex } from './epoch.ts';
import type { ProposalId } from './proposal.ts';
import type { Statement } from './statement.ts';

/** Two signed ballots of one voter that differ: shows anyone that the voter lies. */
export interface DoubleBallot {
  readonly kind: 'double_ballot';
  readonly proposal: ProposalId;
  readonly member: MemberIndex;
  readonly first: SignedBallot;
  readonly second: SignedBallot;
}

/** Two signed expiries of one voter, neither of which names all items of the other: shows anyone that the voter lies. */
export interface DoubleExpiry {
  readonly kind: 'double_expiry';
  readonly proposal: ProposalId;
  readonly member: MemberIndex;
  readonly first: SignedExpiry;
  readonly second: SignedExpiry;
}

/** Two signed attestations of one member for different outcomes: shows anyone that the member lies. */
export interface DoubleAttestation {
  readonly kind: 'double_attestation';
  readonly proposal: ProposalId;
  readonly member: MemberIndex;
  readonly first: SignedAttestation;
  readonly second: SignedAttestation;
}

/** A statement that takes back what an earlier one said. Known to its receiver only: a MAC convinces no third party. */
export interface Equivocation {
  readonly kind: 'equivocation_mac';
  readonly proposal: ProposalId;
  readonly member: MemberIndex;
  readonly before: Statement;
  readonly after: Statement;
  readonly why: string;
}

/** What a member did that no honest one does. Opens, but never carries out, a proposal to evict it. */
export type Evidence = DoubleBallot | DoubleExpiry | DoubleAttestation | Equivocation;

/** Evidence, and the epoch whose members it is about. */
export interface Accusation {
  readonly epoch: number;
  readonly evidence: Evidence;
}
