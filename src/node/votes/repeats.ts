import { digestOf } from '../../byzantine/bytes.ts';
import type { Hashes } from '../../byzantine/crypto.ts';
import type { Digest } from '../../byzantine/digest.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';
import { type Failure, failure } from '../../core/errors.ts';
import type { VoteRequest } from './vote-service.ts';

/** Keys that are remembered; the oldest go first. */
const maxKeys = 10_000;

/** The votes that clients opened here under keys of their own since this node started, so that a request that is sent again opens no second vote. */
export class Repeats {
  readonly #hashes: Hashes;
  readonly #opened = new Map<string, { readonly request: Digest; readonly id: ProposalId }>();

  constructor(hashes: Hashes) {
    this.#hashes = hashes;
  }

  /** The vote that was opened under the key. */
  find(key: string, request: VoteRequest): ProposalId | Failure | undefined {
    const opened = this.#opened.get(key);
    return opened === undefined || opened.request === this.#digestOf(request)
      ? opened?.id
      : failure('idempotency_conflict', 'this idempotency key was used for another request');
  }

  keep(key: string, request: VoteRequest, id: ProposalId): void {
    if (this.#opened.has(key)) return;
    const [oldest] = this.#opened.keys();
    if (this.#opened.size >= maxKeys && oldest !== undefined) this.#opened.delete(oldest);
    this.#opened.set(key, { request: this.#digestOf(request), id });
  }

  #digestOf({ payload, kind, subject, options, minSupport, timeoutMs, validMs }: VoteRequest): Digest {
    const text = JSON.stringify([kind, subject, options, minSupport, timeoutMs, validMs, digestOf(this.#hashes.sha256(payload))]);
    return digestOf(this.#hashes.sha256(new TextEncoder().encode(text)));
  }
}
