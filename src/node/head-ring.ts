import { defined } from '../core/assert.ts';
import type { LogIndex } from '../core/ids.ts';

/** Where an entry of the log ends, and the hash chain over the log up to there: 32 bytes. */
export interface ChainHead {
  readonly index: LogIndex;
  readonly chain: Uint8Array;
}

/** The newest heads of a log, by rising index. */
export class HeadRing {
  readonly #capacity: number;
  readonly #heads: ChainHead[];
  /** Where the oldest is. */
  #first = 0;

  constructor(capacity: number, first: ChainHead) {
    this.#capacity = capacity;
    this.#heads = [first];
  }

  get oldest(): ChainHead {
    return this.#nth(0);
  }

  push(head: ChainHead): void {
    if (this.#heads.length < this.#capacity) {
      this.#heads.push(head);
    } else {
      this.#heads[this.#first] = head;
      this.#first = (this.#first + 1) % this.#capacity;
    }
  }

  at(index: LogIndex): Uint8Array | undefined {
    let low = 0;
    let high = this.#heads.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#nth(middle).index < index) low = middle + 1;
      else high = middle;
    }
    const found = low < this.#heads.length ? this.#nth(low) : undefined;
    return found?.index === index ? found.chain : undefined;
  }

  #nth(place: number): ChainHead {
    return defined(this.#heads[(this.#first + place) % this.#heads.length], 'a ring of heads is never empty');
  }
}
