import type { NodeId } from '../core/ids.ts';
import { Buckets, type BucketHashes, bucketOf } from './buckets.ts';
import { type Dot, isSameDot } from './dot.ts';
import { type Entry, isTombstone, merge, project, type Sibling } from './entry.ts';
import { gossipLimits } from './limits.ts';
import { type Digest, Streams } from './streams.ts';

interface Tombstone {
  readonly sinceMs: number;
  /** Members whose digest covers it. */
  readonly seenBy: Set<NodeId>;
}

/** What came of an entry of another node. */
export type Taken = 'changed' | 'known' | 'full';

/** All keys of one node with what is known of them, the index of writes and the hashes over it. */
export class Store {
  readonly #entries = new Map<string, Entry>();
  readonly #streams: Streams;
  readonly #buckets = new Buckets();
  readonly #tombstones = new Map<string, Tombstone>();
  #isMember: (node: NodeId) => boolean;
  #keepsVectors = true;
  #conflicts = 0;
  #hasRefused = false;

  constructor(isMember: (node: NodeId) => boolean) {
    this.#isMember = isMember;
    this.#streams = new Streams(isMember);
  }

  get streams(): Streams {
    return this.#streams;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Keys with several values that do not know of each other. */
  get conflicts(): number {
    return this.#conflicts;
  }

  /** A key found no place, ever: that one is not here doesn't mean that it was removed. */
  get hasRefused(): boolean {
    return this.#hasRefused;
  }

  get tombstones(): number {
    return this.#tombstones.size;
  }

  get buckets(): BucketHashes {
    return this.#buckets.hashes;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  entries(): Iterable<readonly [string, Entry]> {
    return this.#entries;
  }

  isFull(key: string): boolean {
    return this.#entries.size >= gossipLimits.keys && !this.#entries.has(key);
  }

  /** Puts this node's own write in place. */
  put(key: string, entry: Entry, nowMs: number): void {
    this.#replace(key, this.#entries.get(key), entry, nowMs);
  }

  /** Takes in what another node knows. A value that has been seen and is not here any more has been replaced or removed: it does not come back. */
  take(key: string, theirs: Entry, nowMs: number): Taken {
    const own = this.#entries.get(key);
    if (own === undefined && this.isFull(key)) {
      this.#hasRefused = true;
      return 'full';
    }
    const isOwn = (dot: Dot): boolean => own?.siblings.some((sibling) => isSameDot(sibling.dot, dot)) === true;
    const isStanding = ({ dot }: Sibling): boolean => !this.#streams.isSeen(dot) || isOwn(dot);
    const siblings = theirs.siblings.every(isStanding) ? theirs.siblings : theirs.siblings.filter(isStanding);
    if (siblings.length === 0 && own === undefined) return 'known';
    const news = siblings.length === theirs.siblings.length ? theirs : { vector: theirs.vector, siblings };
    const merged = project(own === undefined ? news : merge(own, news), this.#isMember, this.#keepsVectors);
    if (merged === own) return 'known';
    this.#replace(key, own, merged, nowMs);
    return 'changed';
  }

  delete(key: string): void {
    this.#replace(key, this.#entries.get(key), undefined, 0);
  }

  /**
   * New members. Values of nodes that left stand only where no member has one; `keepsVectors` until all members know of the change, since one of them may
   * still send what the vector covers. The keys that changed.
   */
  setMembers(isMember: (node: NodeId) => boolean, keepsVectors: boolean, nowMs: number): string[] {
    this.#isMember = isMember;
    this.#keepsVectors = keepsVectors;
    const changed: string[] = [];
    for (const [key, entry] of this.#entries) {
      const projected = project(entry, isMember, keepsVectors);
      if (projected === entry) continue;
      this.#replace(key, entry, projected, nowMs);
      changed.push(key);
    }
    this.#streams.setMembers(isMember);
    return changed;
  }

  /** Every entry of the buckets, tombstones included. */
  inBuckets(bits: number): (readonly [string, Entry])[] {
    return [...this.#entries].filter(([key]) => ((bits >>> bucketOf(key)) & 1) === 1);
  }

  /** A member's digest: tombstones that it covers are noted. */
  noteDigest(member: NodeId, have: Digest): void {
    if (this.#tombstones.size === 0) return;
    const covered = new Streams(() => true);
    for (const dot of have) covered.advance(dot);
    for (const [key, { seenBy }] of this.#tombstones) {
      const entry = this.#entries.get(key);
      if (entry?.siblings.every(({ dot }) => covered.isSeen(dot)) === true) seenBy.add(member);
    }
  }

  /** Drops the tombstones that all these members have seen, after a while, and those that are too old. How many. */
  dropTombstones(others: readonly NodeId[], nowMs: number): number {
    let dropped = 0;
    for (const [key, { sinceMs, seenBy }] of this.#tombstones) {
      const ageMs = nowMs - sinceMs;
      const isStable = ageMs >= gossipLimits.tombstoneMinMs && others.every((member) => seenBy.has(member));
      if (!isStable && ageMs < gossipLimits.tombstoneMs) continue;
      this.delete(key);
      dropped++;
    }
    return dropped;
  }

  #replace(key: string, before: Entry | undefined, after: Entry | undefined, nowMs: number): void {
    if (before !== undefined) this.#buckets.toggle(key, before);
    if (after !== undefined) this.#buckets.toggle(key, after);
    // Added before removed: a stream whose only value is replaced is not forgotten in between.
    for (const { dot } of after?.siblings ?? []) this.#streams.add(dot, key);
    for (const { dot } of before?.siblings ?? []) {
      if (after?.siblings.some((sibling) => isSameDot(sibling.dot, dot)) !== true) this.#streams.remove(dot);
    }
    this.#conflicts += Number((after?.siblings.length ?? 0) > 1) - Number((before?.siblings.length ?? 0) > 1);
    if (after === undefined) this.#entries.delete(key);
    else this.#entries.set(key, after);
    if (after !== undefined && isTombstone(after)) this.#tombstones.set(key, { sinceMs: nowMs, seenBy: new Set() });
    else this.#tombstones.delete(key);
  }
}
