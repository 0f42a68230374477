import type { NodeId } from '../core/ids.ts';
import type { Update } from './batch.ts';
import { numberOf } from './dot.ts';
import { gossipLimits } from './limits.ts';

/** What is to become one batch. */
export interface Flush {
  readonly low: number;
  readonly high: number;
  readonly updates: readonly Update[];
}

/** Own updates that wait for the next flush: of each key the newest, as it was written. Bounded by bytes; the oldest go, which leaves a gap that others notice. */
export class Outbox {
  readonly #updates = new Map<string, Update>();
  #bytes = 0;
  /** The last counter that has been flushed or dropped. */
  #spentTo: number;

  constructor(spentTo: number) {
    this.#spentTo = spentTo;
  }

  get size(): number {
    return this.#updates.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many older ones had to go for it. */
  add(update: Update): number {
    // Deleted first, so that the updates stay in the order of their counters.
    this.#drop(update.key);
    this.#updates.set(update.key, update);
    this.#bytes += sizeOf(update);
    let dropped = 0;
    for (const [key, oldest] of this.#updates) {
      if (this.#bytes <= gossipLimits.pendingBytes) break;
      this.#spentTo = oldest.counter;
      this.#drop(key);
      dropped++;
    }
    return dropped;
  }

  /** Everything that waits, in batches within the bounds. */
  take(): Flush[] {
    const flushes: Flush[] = [];
    let updates: Update[] = [];
    let bytes = 0;
    const close = (): void => {
      const last = updates.at(-1);
      if (last === undefined) return;
      flushes.push({ low: this.#spentTo + 1, high: last.counter, updates });
      this.#spentTo = last.counter;
      updates = [];
      bytes = 0;
    };
    for (const update of this.#updates.values()) {
      const size = sizeOf(update);
      if (updates.length === gossipLimits.batchEntries || bytes + size > gossipLimits.batchBytes - headerBytes) close();
      updates.push(update);
      bytes += size;
    }
    close();
    this.#updates.clear();
    this.#bytes = 0;
    return flushes;
  }

  #drop(key: string): void {
    const update = this.#updates.get(key);
    if (update === undefined) return;
    this.#updates.delete(key);
    this.#bytes -= sizeOf(update);
  }
}

const headerBytes = 256;

/** No less than what it takes on the wire: UTF-8 has up to three bytes a character, the numbers up to nine each. */
const sizeOf = ({ key, vector, value }: Update): number => 48 + 3 * key.length + 140 * vector.length + (value?.length ?? 0);

/** Tells batches apart: no two of an origin end with the same counter. */
export const batchId = (origin: NodeId, high: number): string => `${origin}/${Math.floor(high / 2 ** 32)}/${numberOf(high)}`;
