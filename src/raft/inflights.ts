import { assert } from '../core/assert.ts';
import type { LogIndex } from '../core/ids.ts';

/**
 * The AppendEntries on their way to one follower, oldest first. Bounded by messages and by bytes; the message that crosses the bound in bytes is
 * still let through, so that one large entry can travel.
 */
export class Inflights {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  /** Last index and bytes of each message, at most `#maxMessages` of them. */
  readonly #sent: { readonly index: LogIndex; readonly bytes: number }[] = [];
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#sent.length;
  }

  get full(): boolean {
    return this.#sent.length >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  add(index: LogIndex, bytes: number): void {
    assert(!this.full, 'nothing is sent into a full window');
    this.#sent.push({ index, bytes });
    this.#bytes += bytes;
  }

  /** An answer for `index` speaks for all messages up to it. */
  freeTo(index: LogIndex): void {
    let freed = 0;
    for (const message of this.#sent) {
      if (message.index > index) break;
      this.#bytes -= message.bytes;
      freed++;
    }
    if (freed > 0) this.#sent.splice(0, freed);
  }

  reset(): void {
    this.#sent.length = 0;
    this.#bytes = 0;
  }
}
