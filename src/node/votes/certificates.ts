import { type Digest, digest } from '../../byzantine/digest.ts';
import { isSuccession } from '../../byzantine/epoch-chain.ts';
import { approval } from '../../byzantine/guard.ts';
import type { Certificate } from '../../byzantine/certificate.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';
import type { Boot } from './boot.ts';
import type { Flush } from './flush.ts';
import { certificateChange, forgetCertificate } from './vote-records.ts';

/** Certificates kept; the oldest go first. */
const maxCertificates = 10_000;
/** Votes that are sought at once; the oldest are given up. */
const maxSought = 256;

export interface Certified {
  readonly certificate: Certificate;
  /** As they travel. */
  readonly bytes: Uint8Array;
}

/** The certificates of votes that are over, durable with the turn that brings them, and who waits for one. */
export class Certificates {
  readonly #flush: Flush;
  readonly #boot: Boot;
  /** Oldest first. */
  readonly #certificates: Map<ProposalId, Certified>;
  /** Votes that a client asked for and that are not known here, oldest first. */
  readonly #sought = new Set<ProposalId>();
  readonly #onAdded: (certificate: Certificate) => void;
  readonly #watchers = new Map<string, Set<() => void>>();

  /** `onAdded` is called with each new certificate once it is durable. */
  constructor(stored: readonly Certified[], boot: Boot, flush: Flush, onAdded: (certificate: Certificate) => void) {
    this.#flush = flush;
    this.#boot = boot;
    this.#onAdded = onAdded;
    const oldestFirst = stored.toSorted((a, b) => orderOf(a.certificate) - orderOf(b.certificate));
    this.#certificates = new Map(oldestFirst.map((certified) => [certified.certificate.proposal.id, certified]));
  }

  get(id: ProposalId): Certified | undefined {
    return this.#certificates.get(id);
  }

  has(id: ProposalId): boolean {
    return this.#certificates.has(id);
  }

  newest(limit: number): readonly Certified[] {
    return [...this.#certificates.values()].toReversed().slice(0, limit);
  }

  add(certified: Certified): void {
    const { id } = certified.certificate.proposal;
    this.#sought.delete(id);
    this.#certificates.set(id, certified);
    this.#flush.save(certificateChange(id, certified.bytes));
    if (this.#certificates.size > maxCertificates) this.#forgetOldest();
    this.#flush.afterSave(() => {
      this.#onAdded(certified.certificate);
      const watchers = this.#watchers.get(id) ?? [];
      this.#watchers.delete(id);
      for (const watcher of watchers) watcher();
    });
  }

  seek(id: ProposalId): void {
    const [oldest] = this.#sought;
    if (this.#sought.size >= maxSought && oldest !== undefined) this.#sought.delete(oldest);
    this.#sought.add(id);
  }

  isSought(id: ProposalId): boolean {
    return this.#sought.has(id);
  }

  /** Calls back once the vote's certificate has come and is durable; returns what takes the wish back. */
  watch(id: string, listener: () => void): () => void {
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(listener));
    return () => {
      watchers.delete(listener);
      if (watchers.size === 0 && this.#watchers.get(id) === watchers) this.#watchers.delete(id);
    };
  }

  /** Members of this epoch have approved others to take their place. */
  hasSuccessor(epoch: number): boolean {
    for (const { certificate } of this.#certificates.values())
      if (certificate.attestation.epoch === epoch && isSuccessor(certificate)) return true;
    return false;
  }

  #forgetOldest(): void {
    // That there is a successor must not be forgotten before its epoch begins.
    for (const { certificate } of this.#certificates.values()) if (!isSuccessor(certificate)) return this.#forget(certificate);
  }

  /** A certificate makes room. Its proposal must not be voted on again if somebody brings it back. */
  #forget({ proposal }: Certificate): void {
    this.#certificates.delete(proposal.id);
    this.#boot.forget(proposal.proposal);
    this.#flush.save(forgetCertificate(proposal.id));
  }
}

const isSuccessor = ({ attestation: { outcome }, proposal: { proposal } }: Certificate): boolean =>
  isSuccession(proposal.kind) && outcome.some((choice) => proposal.options[choice] === approval);

const orderOf = ({ proposal }: Certificate): number => proposal.proposal.proposerSeq;

/** The digest that a client's text names; undefined if it names none. */
export const digestIn = (text: string): Digest | undefined => (/^[0-9a-f]{64}$/.test(text) ? digest(text) : undefined);
