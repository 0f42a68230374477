import type { NodeId } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import { type BucketHashes, bucketOf, differing } from './buckets.ts';
import { bootOf, counterOf } from './dot.ts';
import type { Entry } from './entry.ts';
import { gossipLimits } from './limits.ts';
import type { DeltaMessage, DigestMessage, OutgoingGossip, Range } from './messages.ts';
import type { Store } from './store.ts';
import type { Digest } from './streams.ts';

const intervalMs = 250;
/** After a link came up, or a loss was noticed, for `hurryForMs`. */
const hurriedMs = 50;
const hurryForMs = 2000;
/** Answers to one peer in a second: a hurried peer asks 20 times, and again for each part of a long answer. */
const maxAnswersPerSecond = 100;

interface Asker {
  sinceMs: number;
  answers: number;
  comparedMs: number;
}

/**
 * Repairs what the carrier lost, and by itself makes all nodes agree: from time to time a random peer is told how much of each node's writes is here, and the
 * two exchange what the other lacks (Scuttlebutt reconciliation, van Renesse et al. 2008). An answer is bounded, oldest writes first, so that the next one goes on.
 */
export class AntiEntropy {
  readonly #store: Store;
  readonly #random: Random;
  readonly #linked: NodeId[] = [];
  readonly #askers = new Map<NodeId, Asker>();
  #epoch = 0;
  #isMember: (node: NodeId) => boolean = () => false;
  #dueMs: number;
  #hurriedUntilMs = 0;

  constructor(store: Store, random: Random, nowMs: number) {
    this.#store = store;
    this.#random = random;
    this.#dueMs = nowMs + this.#pause(nowMs);
  }

  get wakeAtMs(): number {
    return this.#linked.length === 0 ? Number.POSITIVE_INFINITY : this.#dueMs;
  }

  setMembers(isMember: (node: NodeId) => boolean, epoch: number): void {
    this.#isMember = isMember;
    this.#epoch = epoch;
    for (const node of this.#askers.keys()) if (!isMember(node)) this.#askers.delete(node);
  }

  /** A link to a member is there: it is asked at once. */
  linkUp(peer: NodeId, nowMs: number): OutgoingGossip {
    if (!this.#linked.includes(peer)) this.#linked.push(peer);
    this.hurry(nowMs);
    return this.ask(peer);
  }

  linkDown(peer: NodeId): void {
    const at = this.#linked.indexOf(peer);
    if (at >= 0) this.#linked.splice(at, 1);
  }

  hurry(nowMs: number): void {
    this.#hurriedUntilMs = nowMs + hurryForMs;
    this.#dueMs = Math.min(this.#dueMs, nowMs + this.#pause(nowMs));
  }

  /** `awaited`: peers from whom something is known to be missing, who are asked before others. */
  tick(nowMs: number, awaited: readonly NodeId[]): OutgoingGossip | undefined {
    if (nowMs < this.wakeAtMs) return undefined;
    this.#dueMs = nowMs + this.#pause(nowMs);
    const candidates = awaited.length > 0 ? awaited : this.#linked;
    const to = candidates[this.#random.below(candidates.length)];
    return to === undefined ? undefined : this.ask(to);
  }

  ask(to: NodeId): OutgoingGossip {
    return { to, message: this.#digest(false) };
  }

  onDigest(from: NodeId, { have, buckets, isAnswer }: DigestMessage, nowMs: number): OutgoingGossip[] {
    if (!this.#mayAnswer(from, nowMs)) return [];
    const own = this.#store.streams.digest();
    const isEqual =
      have.length === own.length && have.every(({ node, counter }) => this.#store.streams.haveOf(node, bootOf(counter)) === counter);
    if (isEqual) {
      const whole = this.#whole(from, own, buckets, nowMs);
      return whole === undefined ? [] : [{ to: from, message: whole }];
    }
    const answers: OutgoingGossip[] = [];
    const delta = this.#delta(placesOf(have), 'all');
    if (delta !== undefined) answers.push({ to: from, message: delta });
    if (!isAnswer && have.some((dot) => this.#isMember(dot.node) && !this.#store.streams.isSeen(dot)))
      answers.push({ to: from, message: this.#digest(true) });
    return answers;
  }

  onNeed(from: NodeId, have: Digest, nowMs: number): OutgoingGossip[] {
    if (!this.#mayAnswer(from, nowMs)) return [];
    const delta = this.#delta(placesOf(have), 'named');
    return delta === undefined ? [] : [{ to: from, message: delta }];
  }

  /** To go on with an answer that was cut. */
  askOn(to: NodeId): OutgoingGossip {
    return { to, message: this.#digest(true) };
  }

  #digest(isAnswer: boolean): DigestMessage {
    return { type: 'digest', have: this.#store.streams.digest(), buckets: this.#store.buckets, epoch: this.#epoch, isAnswer };
  }

  /** What is here beyond these places; `undefined` when there is nothing. */
  #delta(places: ReadonlyMap<NodeId, ReadonlyMap<number, number>>, streams: 'all' | 'named'): DeltaMessage | undefined {
    const entries = new Map<string, Entry>();
    const ranges: Range[] = [];
    let isPart = false;
    const placeOf = (node: NodeId, boot: number): number | undefined =>
      places.get(node)?.get(boot) ?? (streams === 'all' ? counterOf(boot, 0) : undefined);
    for (const { node, have, values } of this.#store.streams.after(placeOf)) {
      let last = have;
      for (const [counter, key] of values) {
        const entry = this.#store.get(key);
        if (entry === undefined || entries.has(key)) continue;
        if (entries.size === gossipLimits.deltaEntries) {
          isPart = true;
          last = Math.min(have, counter - 1);
          break;
        }
        entries.set(key, entry);
      }
      const after = placeOf(node, bootOf(last)) ?? last;
      if (last > after) ranges.push({ node, after, upTo: last });
    }
    return entries.size + ranges.length === 0 ? undefined : { type: 'delta', ranges, entries: [...entries], whole: 0, isPart };
  }

  /**
   * The cross-check: with equal digests the values are equal, unless writes are missing that nobody has any more, or something went wrong. Then whole buckets
   * are compared.
   */
  #whole(peer: NodeId, own: Digest, buckets: BucketHashes, nowMs: number): DeltaMessage | undefined {
    const bits = differing(buckets, this.#store.buckets);
    const asker = this.#asker(peer, nowMs);
    if (bits === 0 || nowMs - asker.comparedMs < 1000) return undefined;
    asker.comparedMs = nowMs;
    const entries = this.#store.inBuckets(bits);
    if (entries.length > gossipLimits.bucketEntries) return undefined;
    const ranges = own.map(({ node, counter }) => ({ node, after: counter, upTo: counter }));
    return { type: 'delta', ranges, entries, whole: this.#store.hasRefused ? 0 : bits, isPart: false };
  }

  #mayAnswer(peer: NodeId, nowMs: number): boolean {
    const asker = this.#asker(peer, nowMs);
    if (nowMs - asker.sinceMs >= 1000) {
      asker.sinceMs = nowMs;
      asker.answers = 0;
    }
    return ++asker.answers <= maxAnswersPerSecond;
  }

  #asker(peer: NodeId, nowMs: number): Asker {
    let asker = this.#askers.get(peer);
    if (asker === undefined) this.#askers.set(peer, (asker = { sinceMs: nowMs, answers: 0, comparedMs: Number.NEGATIVE_INFINITY }));
    return asker;
  }

  /** Up to a fifth more or less, so that nodes that started together do not ask together. */
  #pause(nowMs: number): number {
    const mean = nowMs < this.#hurriedUntilMs ? hurriedMs : intervalMs;
    return mean * 0.8 + (mean * 0.4 * this.#random.below(1000)) / 1000;
  }
}

/** Keys of whole buckets that the other doesn't have any more, though it has seen all their values: they were removed. */
export function goneFrom(store: Store, { ranges, entries, whole }: DeltaMessage): string[] {
  if (whole === 0) return [];
  const places = placesOf(ranges.map(({ node, upTo }) => ({ node, counter: upTo })));
  const listed = new Set(entries.map(([key]) => key));
  return store
    .inBuckets(whole)
    .filter(([key, { siblings }]) => {
      const isSeen = siblings.every(({ dot }) => (places.get(dot.node)?.get(bootOf(dot.counter)) ?? 0) >= dot.counter);
      return isSeen && !listed.has(key) && ((whole >>> bucketOf(key)) & 1) === 1;
    })
    .map(([key]) => key);
}

function placesOf(have: Digest): Map<NodeId, Map<number, number>> {
  const places = new Map<NodeId, Map<number, number>>();
  for (const { node, counter } of have) {
    let boots = places.get(node);
    if (boots === undefined) places.set(node, (boots = new Map()));
    boots.set(bootOf(counter), counter);
  }
  return places;
}
