import type { Certificate } from '../../../src/byzantine/certificate.ts';
import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { Evidence } from '../../../src/byzantine/evidence.ts';
import type { ByzantineMessage } from '../../../src/byzantine/messages.ts';
import type { Motion } from '../../../src/byzantine/motion.ts';
import type { Notary } from '../../../src/byzantine/notary.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import type { Value, Witness } from '../../../src/byzantine/witness.ts';

/** What the invariants of one vote may look at. */
export interface VoteFacts {
  readonly motion: Motion;
  readonly notary: Notary;
  /** Who is not honest. */
  readonly liars: ReadonlySet<MemberIndex>;
}

/**
 * Something that holds at every moment of every vote with no more liars than may be. It is told what honest members do, in the order in which they do it,
 * and throws a `Violation` at the first thing that contradicts it.
 */
export interface VoteInvariant {
  /** What a violation is reported under. */
  readonly name: string;
  /** The member has made this durable, in place of what it kept before. */
  onSaved?(member: MemberIndex, before: Memory | undefined, after: Memory): void;
  /** The member sends something; `disk` is what it has made durable. */
  onSent?(member: MemberIndex, disk: Memory | undefined, message: ByzantineMessage): void;
  onDecided?(member: MemberIndex, witness: Witness): void;
  /** The member accuses another. */
  onEvidence?(member: MemberIndex, evidence: Evidence): void;
  /** The member sees two values that have both what it takes to be decided. */
  onBreach?(member: MemberIndex, values: readonly Value[]): void;
  /** The member takes the certificate for good. */
  onCertified?(member: MemberIndex, certificate: Certificate): void;
  /** Faults are over, and so is every honest member's time for ballots. */
  onCalm?(): void;
}
