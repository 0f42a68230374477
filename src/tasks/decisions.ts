import type { LogIndex } from '../core/ids.ts';

/** A decision that the log has carried out, once. */
export interface Decision {
  /** Id of the proposal. */
  readonly proposal: string;
  readonly kind: string;
  readonly subject: string;
  /** SHA-256, hexadecimal. */
  readonly payloadDigest: string;
  readonly epoch: number;
  /** The member that proposed it, and its count of its proposals. */
  readonly proposer: number;
  readonly proposerSeq: number;
  /** Where in the log, and when. */
  readonly index: LogIndex;
  readonly ts: number;
}

/**
 * What was decided by vote and carried out, the oldest first. A decision is carried out once: while it is remembered, its repeat is known; when it has made
 * room, everything as old by the same proposer in the same epoch is refused, and of other epochs everything is.
 */
export class Decisions {
  readonly #max: number;
  readonly #byName = new Map<string, Decision>();
  /** By member of the current epoch: the highest count of a proposal that made room. */
  readonly #forgotten = new Map<number, number>();

  constructor(max: number) {
    this.#max = max;
  }

  get(proposal: string, subject: string): Decision | undefined {
    return this.#byName.get(nameOf(proposal, subject));
  }

  /** Oldest first. */
  all(): Iterable<Decision> {
    return this.#byName.values();
  }

  /** It may have been carried out already. */
  isForgotten({ proposer, proposerSeq }: Pick<Decision, 'proposer' | 'proposerSeq'>): boolean {
    return proposerSeq <= (this.#forgotten.get(proposer) ?? -1);
  }

  forgotten(): Iterable<readonly [proposer: number, proposerSeq: number]> {
    return this.#forgotten;
  }

  // Changes, for `apply` alone.

  add(decision: Decision, epoch: number): void {
    this.restore(decision);
    const [oldest] = this.#byName.values();
    if (this.#byName.size <= this.#max || oldest === undefined) return;
    this.#byName.delete(nameOf(oldest.proposal, oldest.subject));
    if (oldest.epoch === epoch) this.forget(oldest.proposer, Math.max(oldest.proposerSeq, this.#forgotten.get(oldest.proposer) ?? 0));
  }

  restore(decision: Decision): void {
    this.#byName.set(nameOf(decision.proposal, decision.subject), decision);
  }

  forget(proposer: number, proposerSeq: number): void {
    this.#forgotten.set(proposer, proposerSeq);
  }

  /** Members have other numbers from now on, and nothing of the epoch before is carried out any more. */
  beginEpoch(): void {
    this.#forgotten.clear();
  }
}

const nameOf = (proposal: string, subject: string): string => `${proposal} ${subject}`;
