import type { NodeId } from '../core/ids.ts';
import { type Entry, isTombstone } from './entry.ts';

export const bucketCount = 16;

/** 64 bits a bucket, as two halves each. */
export type BucketHashes = readonly number[];

const mix = (hash: number, value: number): number => Math.imul(hash ^ value, 0x01000193);

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
  return hash >>> 0;
}

/** Where a key belongs, from 0. */
export const bucketOf = (key: string): number => (hashText(key) >>> 7) % bucketCount;

/**
 * Hashes of all values that stand, kept as they come and go. They are a cross-check: with equal digests they are equal, unless something went wrong. Tombstones
 * are left out, since each node drops them at a time of its own.
 */
export class Buckets {
  readonly #halves = new Int32Array(2 * bucketCount);
  readonly #nodes = new Map<NodeId, number>();

  get hashes(): BucketHashes {
    return [...this.#halves];
  }

  /** Adds an entry's hash, or takes it out again: both are the same. */
  toggle(key: string, entry: Entry): void {
    if (isTombstone(entry)) return;
    const ofKey = hashText(key);
    const at = 2 * ((ofKey >>> 7) % bucketCount);
    for (const { dot, value } of entry.siblings) {
      let low = mix(mix(ofKey, this.#hashOf(dot.node)), dot.counter | 0);
      low = mix(low, Math.floor(dot.counter / 2 ** 32));
      // By index: this runs twice for each update, and an iterator takes several times as long.
      if (value !== undefined) for (let i = 0; i < value.length; i++) low = mix(low, value[i] ?? 0);
      const high = Math.imul(low ^ (low >>> 15), 0x85ebca6b) ^ (dot.counter | 0);
      this.#halves[at] = (this.#halves[at] ?? 0) ^ low;
      this.#halves[at + 1] = (this.#halves[at + 1] ?? 0) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
    }
  }

  #hashOf(node: NodeId): number {
    let hash = this.#nodes.get(node);
    if (hash === undefined) this.#nodes.set(node, (hash = hashText(node)));
    return hash;
  }
}

/** The buckets that differ, as a set of bits. */
export function differing(a: BucketHashes, b: BucketHashes): number {
  let bits = 0;
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    if (a[2 * bucket] !== b[2 * bucket] || a[2 * bucket + 1] !== b[2 * bucket + 1]) bits |= 1 << bucket;
  }
  return bits;
}
