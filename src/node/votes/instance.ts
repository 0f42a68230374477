import type { Ballot, SignedBallot } from '../../byzantine/ballot.ts';
import { abstain } from '../../byzantine/ballot.ts';
import type { Attestation, SignedAttestation } from '../../byzantine/attestation.ts';
import { Attestations } from '../../byzantine/attestations.ts';
import type { Certificate, Trust } from '../../byzantine/certificate.ts';
import type { Digest } from '../../byzantine/digest.ts';
import type { Engine } from '../../byzantine/engine.ts';
import type { MemberIndex } from '../../byzantine/epoch.ts';
import type { DoubleAttestation } from '../../byzantine/evidence.ts';
import type { Motion } from '../../byzantine/motion.ts';
import type { SignedProposal } from '../../byzantine/proposal.ts';
import type { Memory } from '../../byzantine/ready.ts';
import type { Witness } from '../../byzantine/witness.ts';
import { equalBytes } from '../../core/bytes.ts';
import { type Saved, savedOf } from './vote-records.ts';

/** Until a certificate is whole its parts are sent again: after the time of a view, and twice as long each time. */
const maxReminderMs = 2000;

/** One vote at this node from its proposal to its certificate: the engine that decides, the attestations that report, and the payloads. */
export class Instance {
  readonly proposal: SignedProposal;
  readonly motion: Motion;
  /** None at a node that must not vote. */
  readonly engine: Engine | undefined;
  readonly #attestations: Attestations;
  readonly payloads: Map<Digest, Uint8Array>;
  readonly #payloadCount: number;
  readonly saved: Saved;
  /** The choice that this node's one ballot has, as soon as it is given. */
  choice: number | undefined;
  attested: SignedAttestation | undefined;
  /** Members that have said something in this vote, so they have the proposal. */
  readonly heard = new Set<MemberIndex>();
  /** Somebody says that the vote is decided. */
  hasAttestations = false;
  #decided: Witness | undefined;
  /** When what is missing here is asked for again. */
  remindAtMs = Number.POSITIVE_INFINITY;
  readonly #viewMs: () => number;
  #reminderMs = 0;
  /** Counts reminders: each time another member is asked for a payload. */
  reminders = 0;

  constructor(
    proposal: SignedProposal,
    trust: Trust,
    payloads: ReadonlyMap<Digest, Uint8Array>,
    memory: Memory | undefined,
    viewMs: () => number,
    engineOf: ((motion: Motion) => Engine) | undefined,
  ) {
    this.#viewMs = viewMs;
    const { id, proposal: content } = proposal;
    this.proposal = proposal;
    this.motion = {
      proposal: id,
      n: trust.configuration.members.length,
      items: content.items.length,
      options: content.options.length,
      minSupport: content.minSupport,
    };
    this.#attestations = new Attestations(proposal, trust);
    this.payloads = new Map(payloads);
    this.#payloadCount = new Set(content.items.map(({ payloadDigest }) => payloadDigest)).size;
    this.saved = savedOf(memory);
    this.engine = engineOf?.(this.motion);
  }

  get ballots(): readonly (Ballot | undefined)[] {
    return this.engine?.ballots ?? [];
  }

  /** All that the vote is about is here. */
  get isComplete(): boolean {
    return this.payloads.size === this.#payloadCount;
  }

  /** Digests of payloads that are not here yet. */
  get missing(): readonly Digest[] {
    return this.proposal.proposal.items.map(({ payloadDigest }) => payloadDigest).filter((each) => !this.payloads.has(each));
  }

  get payloadBytes(): number {
    let bytes = 0;
    for (const payload of this.payloads.values()) bytes += payload.length;
    return bytes;
  }

  /** True for the choice that its ballot has, when it has one. */
  hasChosen(choice: number): boolean {
    return this.choice === choice;
  }

  /** This node has decided; what it is to sign. */
  decide(witness: Witness): Attestation {
    this.#decided = witness;
    return this.#attestations.attestation(witness.outcome);
  }

  attest(signed: SignedAttestation): 'new' | 'known' | 'refused' | DoubleAttestation {
    const verdict = this.#attestations.add(signed);
    if (verdict === 'new') this.hasAttestations = true;
    return verdict;
  }

  /** Waits for its own decision, which brings the ballots along, unless it has none to wait for. */
  certificate(isLate: boolean): Certificate | undefined {
    if (this.engine !== undefined && this.#decided === undefined && !isLate) return undefined;
    return this.#attestations.certificate((outcome) => this.#ballotsFor(outcome));
  }

  #ballotsFor(outcome: Uint8Array): readonly SignedBallot[] {
    return this.#decided !== undefined && equalBytes(this.#decided.outcome, outcome) ? this.#decided.ballots : [];
  }

  /** Somebody waits for something that may have been lost. */
  arm(nowMs: number): void {
    if (this.remindAtMs !== Number.POSITIVE_INFINITY) return;
    this.#reminderMs = Math.max(this.#reminderMs, Math.min(maxReminderMs, this.#viewMs()));
    this.remindAtMs = nowMs + this.#reminderMs;
  }

  reminded(nowMs: number): void {
    this.reminders++;
    this.#reminderMs = Math.min(maxReminderMs, 2 * this.#reminderMs);
    this.remindAtMs = nowMs + this.#reminderMs;
  }
}

/** The option that one byte of a ballot or outcome names. */
export const optionName = (options: readonly string[], choice: number | undefined): string | null =>
  choice === undefined || choice === abstain ? null : (options[choice] ?? null);
