import { type Certificate, decodeCertificate } from '../../byzantine/certificate.ts';
import type { Hashes } from '../../byzantine/crypto.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';
import { copyBytes } from '../../core/bytes.ts';
import type { Boot } from './boot.ts';
import type { Flush } from './flush.ts';
import { Successions } from './successions.ts';
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
  readonly #hashes: Hashes;
  /** Oldest first. As bytes: so many certificates, taken apart, would keep the garbage collector busy. */
  readonly #certificates: Map<ProposalId, Uint8Array>;
  /** The one that was read last: whoever asks for one item of a bundle mostly asks for the next, too. */
  #latest: Certificate | undefined;
  readonly successions = new Successions();
  /** Votes that a client asked for and that are not known here, oldest first. */
  readonly #sought = new Set<ProposalId>();
  readonly #onAdded: (certificate: Certificate) => void;
  readonly #watchers = new Map<string, Set<() => void>>();

  /** `onAdded` is called with each new certificate once it is durable. */
  constructor(hashes: Hashes, stored: readonly Certified[], boot: Boot, flush: Flush, onAdded: (certificate: Certificate) => void) {
    this.#hashes = hashes;
    this.#flush = flush;
    this.#boot = boot;
    this.#onAdded = onAdded;
    const oldestFirst = stored.toSorted((a, b) => orderOf(a.certificate) - orderOf(b.certificate));
    this.#certificates = new Map(oldestFirst.map(({ certificate, bytes }) => [certificate.proposal.id, bytes]));
    for (const { certificate } of stored) this.successions.note(certificate);
  }

  /** As it travels. */
  bytesOf(id: ProposalId): Uint8Array | undefined {
    return this.#certificates.get(id);
  }

  get(id: ProposalId): Certificate | undefined {
    if (this.#latest?.proposal.id === id) return this.#latest;
    const bytes = this.#certificates.get(id);
    if (bytes !== undefined) this.#latest = decodeCertificate(this.#hashes, bytes);
    return bytes && this.#latest;
  }

  has(id: ProposalId): boolean {
    return this.#certificates.has(id);
  }

  newest(limit: number): readonly Certificate[] {
    const ids = [...this.#certificates.keys()].toReversed().slice(0, limit);
    return ids.flatMap((id) => this.get(id) ?? []);
  }

  add({ certificate, bytes }: Certified): void {
    const { id } = certificate.proposal;
    this.#sought.delete(id);
    this.#certificates.set(id, copyBytes(bytes));
    this.successions.note(certificate);
    this.#flush.save(certificateChange(id, bytes));
    if (this.#certificates.size > maxCertificates) this.#forgetOldest();
    this.#flush.afterSave(() => {
      this.#onAdded(certificate);
      this.#latest = certificate;
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

  /** Everybody who waits, who is forgotten here. */
  takeWatchers(): readonly (() => void)[] {
    const watchers = [...this.#watchers.values()].flatMap((each) => [...each]);
    this.#watchers.clear();
    return watchers;
  }

  /** Oldest first. */
  all(): readonly Certified[] {
    return [...this.#certificates.entries()].flatMap(([id, bytes]) => {
      const certificate = this.get(id);
      return certificate === undefined ? [] : [{ certificate, bytes }];
    });
  }

  #forgetOldest(): void {
    // That there is a successor must not be forgotten before its epoch begins.
    const { lasting } = this.successions;
    for (const id of this.#certificates.keys()) if (!lasting.has(id)) return this.#forget(id);
  }

  /** A certificate makes room. Its proposal must not be voted on again if somebody brings it back. */
  #forget(id: ProposalId): void {
    const certificate = this.get(id);
    if (certificate !== undefined) this.#boot.forget(certificate.proposal.proposal);
    this.#certificates.delete(id);
    this.#flush.save(forgetCertificate(id));
  }
}

const orderOf = ({ proposal }: Certificate): number => proposal.proposal.proposerSeq;
