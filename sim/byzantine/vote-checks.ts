import type { Certificate, Trust } from '../../src/byzantine/certificate.ts';
import type { MemberIndex } from '../../src/byzantine/epoch.ts';
import type { Evidence } from '../../src/byzantine/evidence.ts';
import type { ByzantineMessage } from '../../src/byzantine/messages.ts';
import type { Memory } from '../../src/byzantine/ready.ts';
import type { Outcome, Value, Witness } from '../../src/byzantine/witness.ts';
import { Agreement } from './invariants/agreement.ts';
import { voteInvariants } from './invariants/all.ts';
import type { VoteFacts, VoteInvariant } from './invariants/invariant.ts';
import { SoundCertificate } from './invariants/sound-certificate.ts';

/** All invariants of one vote, told what honest members do as they do it. */
export class VoteChecks {
  readonly #agreement = new Agreement();
  readonly #all: readonly VoteInvariant[];

  /** `trust`: where there are certificates. */
  constructor(facts: VoteFacts, trust?: Trust) {
    const all = voteInvariants(facts, this.#agreement);
    this.#all = trust === undefined ? all : [...all, new SoundCertificate(trust)];
  }

  /** What was decided, if anything. */
  get outcome(): Outcome | undefined {
    return this.#agreement.outcome;
  }

  saved(member: MemberIndex, before: Memory | undefined, after: Memory): void {
    for (const invariant of this.#all) invariant.onSaved?.(member, before, after);
  }

  sent(member: MemberIndex, disk: Memory | undefined, message: ByzantineMessage): void {
    for (const invariant of this.#all) invariant.onSent?.(member, disk, message);
  }

  decided(member: MemberIndex, witness: Witness): void {
    for (const invariant of this.#all) invariant.onDecided?.(member, witness);
  }

  accused(by: MemberIndex, evidence: Evidence): void {
    for (const invariant of this.#all) invariant.onEvidence?.(by, evidence);
  }

  breached(member: MemberIndex, values: readonly Value[]): void {
    for (const invariant of this.#all) invariant.onBreach?.(member, values);
  }

  calm(): void {
    for (const invariant of this.#all) invariant.onCalm?.();
  }

  certified(member: MemberIndex, certificate: Certificate): void {
    for (const invariant of this.#all) invariant.onCertified?.(member, certificate);
  }
}
