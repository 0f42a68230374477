import type { NodeId } from '../core/ids.ts';
import { type Dot, bootOf, counterOf, numberOf } from './dot.ts';

/** How much of each stream a node has, one dot a stream: all its writes up to that one are known, or replaced by what is known (Scuttlebutt, van Renesse 2008). */
export type Digest = readonly Dot[];

/** The writes of one start of one node. */
class Stream {
  /** Every write of the stream up to this one has been seen. */
  have: number;
  /** Where the values are that stand: key by counter. */
  readonly #keys = new Map<number, string>();
  /** The counters of `#keys` and of some that are gone, ascending once `#isSorted`. */
  #order: number[] = [];
  #isSorted = true;

  /** @param start the counter before the stream's first. */
  constructor(start: number) {
    this.have = start;
  }

  get size(): number {
    return this.#keys.size;
  }

  add(counter: number, key: string): void {
    if (!this.#keys.has(counter)) {
      if (counter < (this.#order.at(-1) ?? 0)) this.#isSorted = false;
      this.#order.push(counter);
    }
    this.#keys.set(counter, key);
  }

  remove(counter: number): void {
    this.#keys.delete(counter);
    // Half of it gone: worth a pass.
    if (this.#order.length > 64 && this.#order.length > 2 * this.#keys.size) this.#order = this.#order.filter((one) => this.#keys.has(one));
  }

  /** Keys of values after a counter, the oldest first. */
  *after(counter: number): Iterable<readonly [counter: number, key: string]> {
    if (!this.#isSorted) {
      this.#order = [...new Set(this.#order)].toSorted((a, b) => a - b);
      this.#isSorted = true;
    }
    for (let i = this.#firstAfter(counter); i < this.#order.length; i++) {
      const next = this.#order[i] ?? 0;
      const key = this.#keys.get(next);
      if (key !== undefined) yield [next, key];
    }
  }

  #firstAfter(counter: number): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#order[middle] ?? 0) > counter) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/**
 * What has been seen of everybody's writes, and where those are that still stand. A stream of an earlier boot, or of a node that is no member, is forgotten once
 * none of its values stands: so the digest has about one dot a member.
 */
export class Streams {
  readonly #nodes = new Map<NodeId, Map<number, Stream>>();
  #isMember: (node: NodeId) => boolean;

  constructor(isMember: (node: NodeId) => boolean) {
    this.#isMember = isMember;
  }

  /** All of the dot's stream up to it has been seen: a value with it that is not here has been replaced or removed. */
  isSeen({ node, counter }: Dot): boolean {
    return this.haveOf(node, bootOf(counter)) >= counter;
  }

  /** The last write of a boot that was seen with all before it. */
  haveOf(node: NodeId, boot: number): number {
    return this.#nodes.get(node)?.get(boot)?.have ?? counterOf(boot, 0);
  }

  /** The last write of any boot; 0 when there is none. */
  latestOf(node: NodeId): number {
    let latest = 0;
    for (const { have } of this.#nodes.get(node)?.values() ?? []) if (numberOf(have) > 0) latest = Math.max(latest, have);
    return latest;
  }

  advance({ node, counter }: Dot): void {
    if (!this.#isMember(node) && !this.#nodes.has(node)) return;
    const stream = this.#stream(node, bootOf(counter));
    stream.have = Math.max(stream.have, counter);
    this.#prune(node);
  }

  add({ node, counter }: Dot, key: string): void {
    this.#stream(node, bootOf(counter)).add(counter, key);
  }

  remove({ node, counter }: Dot): void {
    const stream = this.#nodes.get(node)?.get(bootOf(counter));
    stream?.remove(counter);
    if (stream?.size === 0) this.#prune(node);
  }

  /** Forgets what was seen of the nodes that are not to be kept; their values must have been removed before. */
  forget(isKept: (node: NodeId) => boolean): void {
    for (const node of this.#nodes.keys()) if (!isKept(node)) this.#nodes.delete(node);
  }

  setMembers(isMember: (node: NodeId) => boolean): void {
    this.#isMember = isMember;
    for (const node of this.#nodes.keys()) this.#prune(node);
  }

  digest(): Digest {
    const digest: Dot[] = [];
    for (const [node, boots] of this.#nodes)
      for (const { have } of boots.values()) if (numberOf(have) > 0) digest.push({ node, counter: have });
    return digest;
  }

  /** For each stream, what there is after the place that `placeOf` names. */
  *after(placeOf: (node: NodeId, boot: number) => number | undefined): Iterable<{
    readonly node: NodeId;
    readonly have: number;
    readonly values: Iterable<readonly [counter: number, key: string]>;
  }> {
    for (const [node, boots] of this.#nodes) {
      for (const [boot, stream] of boots) {
        const place = placeOf(node, boot);
        if (place !== undefined) yield { node, have: stream.have, values: stream.after(place) };
      }
    }
  }

  #stream(node: NodeId, boot: number): Stream {
    let boots = this.#nodes.get(node);
    if (boots === undefined) this.#nodes.set(node, (boots = new Map()));
    let stream = boots.get(boot);
    if (stream === undefined) boots.set(boot, (stream = new Stream(counterOf(boot, 0))));
    return stream;
  }

  #prune(node: NodeId): void {
    const boots = this.#nodes.get(node);
    if (boots === undefined || (boots.size === 1 && this.#isMember(node))) return;
    const newest = this.#isMember(node) ? Math.max(...boots.keys()) : -1;
    for (const [boot, stream] of boots) if (stream.size === 0 && boot !== newest) boots.delete(boot);
    if (boots.size === 0) this.#nodes.delete(node);
  }
}
