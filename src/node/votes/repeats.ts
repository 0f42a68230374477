import { digestOf } from '../../byzantine/bytes.ts';
import type { Hashes } from '../../byzantine/crypto.ts';
import type { Digest } from '../../byzantine/digest.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';
import { type Failure, failure } from '../../core/errors.ts';
import type { Flush } from './flush.ts';
import { forgetRepeat, type Repeat, repeatChange } from './vote-records.ts';
import type { VoteRequest } from './vote-service.ts';

/** Keys that are remembered; the oldest go first. */
const maxKeys = 10_000;

const encoder = new TextEncoder();

/** The votes that clients opened here under keys of their own, so that a request that is sent again opens no second vote. As durable as the votes. */
export class Repeats {
  readonly #hashes: Hashes;
  readonly #flush: Flush;
  /** By the key's digest, oldest first. */
  readonly #opened: Map<Digest, Repeat>;

  constructor(hashes: Hashes, stored: readonly Repeat[], flush: Flush) {
    this.#hashes = hashes;
    this.#flush = flush;
    this.#opened = new Map(stored.map((each) => [each.key, each]));
  }

  /** The vote that was opened under the key. */
  find(key: string, request: VoteRequest): ProposalId | Failure | undefined {
    const opened = this.#opened.get(this.#digestOf(key));
    return opened === undefined || opened.request === this.#requestDigest(request)
      ? opened?.id
      : failure('idempotency_conflict', 'this idempotency key was used for another request');
  }

  keep(text: string, request: VoteRequest, id: ProposalId, firstMs: number): void {
    const key = this.#digestOf(text);
    if (this.#opened.has(key)) return;
    const [oldest] = this.#opened.values();
    if (this.#opened.size >= maxKeys && oldest !== undefined) {
      this.#opened.delete(oldest.key);
      this.#flush.save(forgetRepeat(oldest));
    }
    const repeat = { key, firstMs, request: this.#requestDigest(request), id };
    this.#opened.set(key, repeat);
    this.#flush.save(repeatChange(repeat));
  }

  /** Oldest first. */
  all(): readonly Repeat[] {
    return [...this.#opened.values()];
  }

  #requestDigest({ payload, kind, subject, options, minSupport, timeoutMs, validMs }: VoteRequest): Digest {
    return this.#digestOf(JSON.stringify([kind, subject, options, minSupport, timeoutMs, validMs, digestOf(this.#hashes.sha256(payload))]));
  }

  #digestOf(text: string): Digest {
    return digestOf(this.#hashes.sha256(encoder.encode(text)));
  }
}
