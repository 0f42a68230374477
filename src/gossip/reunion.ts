import type { NodeId } from '../core/ids.ts';
import { bootOf, type Dot } from './dot.ts';
import { type Entry, isTombstone } from './entry.ts';
import { resolve } from './resolver.ts';
import type { Digest } from './streams.ts';

/** Conflicts that are named; of more only the values are counted. */
const maxConflicts = 1000;

/** A key that was written on both sides of a split, by writers that did not know of each other. */
export interface Conflict {
  readonly key: string;
  /** The value that counts (`resolver.ts`). */
  readonly winner: Dot;
  readonly losers: readonly Dot[];
}

/** What peers brought that had been lost. */
export interface Merged {
  /** Values taken in. */
  readonly values: number;
  /** Keys that were removed on the other side. */
  readonly removed: number;
  readonly conflicts: readonly Conflict[];
}

/**
 * What comes of meeting peers again after a split (protocol design 4.7, H4). A peer is apart from its loss until all that it had when it came back is here: its
 * digest of then is the measure, since under load no two digests of one moment are ever equal.
 */
export class Reunion {
  /** Of peers that are apart: what is not here yet of what they had; undefined until they are back. */
  readonly #missing = new Map<NodeId, Digest | undefined>();
  #values = 0;
  #removed = 0;
  #conflicts = new Map<string, Conflict>();

  get merged(): Merged {
    return { values: this.#values, removed: this.#removed, conflicts: [...this.#conflicts.values()] };
  }

  /** Peers that are back and whose gossip is not all here yet. */
  get awaited(): readonly NodeId[] {
    return [...this.#missing].filter(([, missing]) => missing !== undefined).map(([peer]) => peer);
  }

  isApart(peer: NodeId): boolean {
    return this.#missing.has(peer);
  }

  /** A split begins: what was merged before is not of it. */
  begin(): void {
    this.#values = 0;
    this.#removed = 0;
    this.#conflicts = new Map();
  }

  onLost(peer: NodeId): void {
    this.#missing.set(peer, undefined);
  }

  /** The peer is back, and has this. */
  onMet(peer: NodeId, have: Digest, isHere: (dot: Dot) => boolean): void {
    this.#missing.set(peer, have);
    this.settle(peer, isHere);
  }

  /** Drops what is here by now, by whatever way it came. */
  settle(peer: NodeId, isHere: (dot: Dot) => boolean): void {
    const missing = this.#missing.get(peer)?.filter((dot) => !isHere(dot));
    if (missing === undefined) return;
    if (missing.length === 0) this.#missing.delete(peer);
    else this.#missing.set(peer, missing);
  }

  /** The peer has told the whole of this stream up to there, though it may be replaced here and the stream forgotten. */
  onTold(peer: NodeId, { node, counter }: Dot): void {
    this.settle(peer, (dot) => dot.node === node && bootOf(dot.counter) === bootOf(counter) && dot.counter <= counter);
  }

  /** What the peer has now: a stream that it has forgotten since, because all of it is replaced, it will not tell any more. */
  onDigest(peer: NodeId, have: Digest): void {
    const isKept = (dot: Dot): boolean => have.some(({ node, counter }) => node === dot.node && bootOf(counter) === bootOf(dot.counter));
    this.settle(peer, (dot) => !isKept(dot));
  }

  /** A key has changed by what this peer sent. */
  onTaken(peer: NodeId, key: string, before: Entry | undefined, after: Entry | undefined, unixMs: number): void {
    if (!this.#missing.has(peer)) return;
    this.#values++;
    if (before !== undefined && !isTombstone(before) && (after === undefined || isTombstone(after))) this.#removed++;
    const resolved = after === undefined || after.siblings.length < 2 ? undefined : resolve(after.siblings, unixMs);
    if (resolved === undefined || (this.#conflicts.size >= maxConflicts && !this.#conflicts.has(key))) return;
    this.#conflicts.set(key, { key, winner: resolved.winner.dot, losers: resolved.conflicts.map(({ dot }) => dot) });
  }

  keepOnly(isMember: (node: NodeId) => boolean): void {
    for (const peer of this.#missing.keys()) if (!isMember(peer)) this.#missing.delete(peer);
  }
}
