import type { SignedBallot, SignedExpiry } from './ballot.ts';
import type { MemberIndex } from './epoch.ts';
import type { Statement } from './statement.ts';
import type { Value, Witness } from './witness.ts';

/** The newest statement of the receiver that the sender has. */
export interface Seen {
  readonly boot: number;
  readonly revision: number;
}

/** The sender's newest statement, and what it has of others. */
export interface StatementMessage {
  readonly type: 'statement';
  readonly statement: Statement;
  readonly seen: Seen | undefined;
  /** One bit a member, the lowest bit of the first byte first: whose ballots and whose expiries the sender has. The receiver sends what is missing. */
  readonly ballots: Uint8Array;
  readonly expiries: Uint8Array;
  /** It was sent again for want of an answer: answer with your own. */
  readonly asks: boolean;
}

export interface BallotMessage {
  readonly type: 'ballot';
  readonly ballot: SignedBallot;
}

export interface ExpiryMessage {
  readonly type: 'expiry';
  readonly expiry: SignedExpiry;
}

/** The evidence for a value: with a leader's proposal, or because it was wanted. */
export interface WitnessMessage {
  readonly type: 'witness';
  readonly witness: Witness;
}

/** "Send me the witness for this value." */
export interface WantMessage {
  readonly type: 'want';
  readonly value: Value;
}

/** What the members of one instance tell each other. Sender, receiver and instance are the frame's. */
export type ByzantineMessage = StatementMessage | BallotMessage | ExpiryMessage | WitnessMessage | WantMessage;

export interface Outgoing {
  readonly to: MemberIndex;
  readonly message: ByzantineMessage;
}
