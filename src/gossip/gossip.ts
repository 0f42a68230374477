import { assert } from '../core/assert.ts';
import type { NodeId } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import { AntiEntropy, goneFrom } from './anti-entropy.ts';
import type { BatchHeader, SealedBatch, Sealer, Update } from './batch.ts';
import { bootOf, counterOf, type Dot, heldOf, maxBoot, numberOf, vectorOf } from './dot.ts';
import { type Entry, type WriterRole, write } from './entry.ts';
import { FlushPace } from './flush-pace.ts';
import { Gatekeeper, type Refusal } from './gatekeeper.ts';
import { HybridClock } from './hybrid-clock.ts';
import { gossipLimits } from './limits.ts';
import type { DeltaMessage, DigestMessage, GossipMessage, OutgoingGossip } from './messages.ts';
import { batchId, Outbox } from './outbox.ts';
import type { GossipReady, GossipVerdict, SpoofSuspected } from './ready.ts';
import { type Merged, Reunion } from './reunion.ts';
import { Store } from './store.ts';
import type { Digest } from './streams.ts';

/** A moment by two clocks. */
export interface Moment {
  /** Milliseconds of a clock that never goes back. */
  readonly ms: number;
  /** Milliseconds since 1970; may jump. Only for the stamps of values. */
  readonly unixMs: number;
}

/** Who may say what, by the log. */
export type MayWrite = (node: NodeId, key: string, generation: number, role: WriterRole) => boolean;

export interface GossipOptions {
  readonly self: NodeId;
  /** This start of the node, counted durably from 1: two starts with one count would use the same dots. */
  readonly boot: number;
  readonly sealer: Sealer;
  readonly random: Random;
  /** True, too, for a registration that the log has not shown here yet. By default all may. */
  readonly mayWrite?: MayWrite;
  /** The least time between two flushes of own updates, 5 to 50: who writes more often has more in a batch. By default 10. */
  readonly flushMs?: number;
}

/** What was refused, by reason, and what went by. */
export type GossipCounters = Record<Refusal | 'updatesTaken' | 'batchesTaken' | 'gaps' | 'dropped' | 'fastClocks' | 'repaired', number>;

const maxRemembered = 4096;
const collectEveryMs = 1000;
/** Longer than a batch may take from its origin by whatever way. */
const needPauseMs = 50;

/**
 * One node's part in the gossip: a map from keys to small values that every node may write and all come to hold alike (docs/gossip.md). It takes writes and
 * messages in and hands out batches for a carrier and messages for single peers; whatever the carrier loses, anti-entropy repairs.
 *
 * It never loses a concurrent write, never lets a removed key come back, and takes a node's word from nobody else. It decides nothing: what must be agreed goes
 * through the log.
 */
export class Gossip {
  readonly #self: NodeId;
  readonly #sealer: Sealer;
  readonly #mayWrite: MayWrite;
  readonly #pace: FlushPace;
  readonly #store: Store;
  readonly #antiEntropy: AntiEntropy;
  readonly #gate = new Gatekeeper();
  readonly #clock = new HybridClock();
  readonly #outbox: Outbox;
  readonly #reunion = new Reunion();
  readonly #epochs = new Map<NodeId, number>();
  /** Ids of batches that came before others that are missing: those are not known by `have`. The oldest go. */
  readonly #early = new Set<string>();
  readonly #neededMs = new Map<NodeId, number>();
  readonly counters: GossipCounters = {
    duplicate: 0,
    ahead: 0,
    full: 0,
    stranger: 0,
    muted: 0,
    flood: 0,
    forged: 0,
    malformed: 0,
    spoofed: 0,
    updatesTaken: 0,
    batchesTaken: 0,
    gaps: 0,
    dropped: 0,
    fastClocks: 0,
    repaired: 0,
  };
  #members: ReadonlySet<NodeId> = new Set();
  #epoch = 0;
  #keepsVectors = true;
  #counter: number;
  #flushAtMs = Number.POSITIVE_INFINITY;
  #collectAtMs = Number.POSITIVE_INFINITY;
  #heardMs: number;
  #batches: SealedBatch[] = [];
  #messages: OutgoingGossip[] = [];
  #changed = new Set<string>();
  #suspects: SpoofSuspected[] = [];

  constructor({ self, boot, sealer, random, mayWrite, flushMs }: GossipOptions, now: Moment) {
    assert(Number.isInteger(boot) && boot >= 1 && boot <= maxBoot, 'starts are counted from 1 and fit a counter');
    this.#self = self;
    this.#sealer = sealer;
    this.#mayWrite = mayWrite ?? (() => true);
    this.#pace = new FlushPace(flushMs ?? 10);
    this.#counter = counterOf(boot, 0);
    this.#outbox = new Outbox(this.#counter);
    this.#store = new Store((node) => this.#members.has(node));
    this.#antiEntropy = new AntiEntropy(this.#store, random, now.ms);
    this.#heardMs = now.ms;
  }

  /** When `tick` has something to do. */
  get wakeAtMs(): number {
    return Math.min(this.#flushAtMs, this.#collectAtMs, this.#antiEntropy.wakeAtMs);
  }

  get size(): number {
    return this.#store.size;
  }

  get conflicts(): number {
    return this.#store.conflicts;
  }

  get tombstones(): number {
    return this.#store.tombstones;
  }

  get pendingBytes(): number {
    return this.#outbox.bytes;
  }

  get(key: string): Entry | undefined {
    return this.#store.get(key);
  }

  entries(): Iterable<readonly [string, Entry]> {
    return this.#store.entries();
  }

  /** The members by the log, this node among them; `epoch` is the log's index of that configuration and only rises. */
  setMembers(members: readonly NodeId[], epoch: number, now: Moment): void {
    this.#members = new Set(members);
    this.#epoch = epoch;
    this.#keepsVectors = true;
    const isMember = (node: NodeId): boolean => this.#members.has(node);
    this.#gate.keepOnly(isMember);
    this.#antiEntropy.setMembers(isMember, epoch);
    this.#reunion.keepOnly(isMember);
    for (const known of [this.#epochs, this.#neededMs]) for (const node of known.keys()) if (!isMember(node)) known.delete(node);
    this.#project(now);
  }

  linkUp(peer: NodeId, now: Moment): void {
    this.#messages.push(this.#antiEntropy.linkUp(peer, now.ms));
  }

  linkDown(peer: NodeId): void {
    this.#antiEntropy.linkDown(peer);
  }

  // Splits (protocol design 4.7, H4).

  /** How much of each node's writes is here. */
  get digest(): Digest {
    return this.#store.streams.digest();
  }

  /** A split begins for this node: what is merged from now on is of it. */
  beginSplit(): void {
    this.#reunion.begin();
  }

  lostPeer(peer: NodeId): void {
    if (this.#members.has(peer)) this.#reunion.onLost(peer);
  }

  /** A lost peer is back, with this digest: the two exchange what they have at once. */
  meetPeer(peer: NodeId, have: Digest, now: Moment): void {
    if (!this.#members.has(peer)) return;
    this.#reunion.onMet(peer, have, this.#isHere);
    this.#messages.push(this.#antiEntropy.ask(peer));
    this.#antiEntropy.hurry(now.ms);
  }

  /** Whether all is here that the peer had when it came back; true of one that was never lost. */
  isMerged(peer: NodeId): boolean {
    this.#reunion.settle(peer, this.#isHere);
    return !this.#reunion.isApart(peer);
  }

  /** What lost peers have brought since the split began. */
  get merged(): Merged {
    return this.#reunion.merged;
  }

  /** Of a node that is no member here nothing is taken in, and nothing awaited. */
  readonly #isHere = (dot: Dot): boolean => this.#store.streams.isSeen(dot) || !this.#members.has(dot.node);

  /** Writes a key; `undefined` removes it. False when the key or the value is beyond the bounds. */
  write(key: string, value: Uint8Array | undefined, { generation, role }: { generation: number; role: WriterRole }, now: Moment): boolean {
    const isFair = key.length > 0 && key.length <= gossipLimits.keyLength && (value?.length ?? 0) <= gossipLimits.valueBytes;
    if (!isFair || this.#store.isFull(key)) return false;
    const seen = this.#store.get(key);
    if (seen === undefined && value === undefined) return true;
    const dot = { node: this.#self, counter: ++this.#counter };
    assert(numberOf(dot.counter) > 0, 'a boot has fewer than 2^32 writes');
    const stamp = this.#clock.stamp(now.unixMs);
    const entry = write(seen, { dot, stamp, generation, role, value });
    this.#store.put(key, entry, now.ms);
    this.#store.streams.advance(dot);
    // As it was written: what it has not seen it must not cover, though it be here when the batch leaves.
    const vector = entry.vector.filter(({ node }) => node !== this.#self);
    this.counters.dropped += this.#outbox.add({ key, counter: dot.counter, vector, stamp, generation, role, value });
    this.#note(key, entry, now);
    this.#flushAtMs = Math.min(this.#flushAtMs, this.#pace.nextMs(now.ms));
    if (this.#outbox.size >= gossipLimits.flushEntries) this.#flush(now);
    return true;
  }

  /** @param from the peer that handed it over; for a batch not always its origin. Authenticated by its link. */
  step(from: NodeId, message: GossipMessage, now: Moment): GossipVerdict {
    if (!this.#members.has(from)) return this.#ignore('stranger');
    if (this.#gate.isMuted(from, now.ms)) return this.#ignore('muted');
    this.#hear(now);
    switch (message.type) {
      case 'batch':
        return this.#takeBatch(from, message.batch, now);
      case 'digest':
        return this.#takeDigest(from, message, now);
      case 'need':
        this.#messages.push(...this.#antiEntropy.onNeed(from, message.have, now.ms));
        return taken;
      case 'delta':
        return this.#takeDelta(from, message, now);
    }
  }

  /** Bytes that are no message came from a peer. */
  malformed(from: NodeId, now: Moment): GossipVerdict {
    return this.#reject('malformed', from, now);
  }

  tick(now: Moment): void {
    if (now.ms >= this.#flushAtMs) {
      this.#pace.onLate(now.ms - this.#flushAtMs);
      this.#flush(now);
    }
    const message = this.#antiEntropy.tick(now.ms, this.#reunion.awaited);
    if (message !== undefined) this.#messages.push(message);
    if (now.ms >= this.#collectAtMs) {
      this.#store.dropTombstones(this.#others(), now.ms);
      this.#collectAtMs = this.#store.tombstones === 0 ? Number.POSITIVE_INFINITY : now.ms + collectEveryMs;
    }
  }

  /** What there is to do; undefined when there is nothing. */
  takeReady(): GossipReady | undefined {
    const [batches, messages, changed, suspects] = [this.#batches, this.#messages, this.#changed, this.#suspects];
    if (batches.length + messages.length + changed.size + suspects.length === 0) return undefined;
    this.#batches = [];
    this.#messages = [];
    this.#changed = new Set();
    this.#suspects = [];
    return { batches, messages, changed, suspects };
  }

  #flush(now: Moment): void {
    this.#flushAtMs = Number.POSITIVE_INFINITY;
    this.#pace.onFlush(now.ms);
    const stamp = this.#clock.stamp(now.unixMs);
    for (const { low, high, updates } of this.#outbox.take()) {
      const header = { origin: this.#self, epoch: this.#epoch, low, high, stamp, count: updates.length };
      this.#batches.push(this.#sealer.seal(header, updates));
    }
  }

  // Batches. The cheap checks come first, the signature after them; only what is signed is held against the origin, all else against who handed it over.

  #takeBatch(from: NodeId, batch: SealedBatch, now: Moment): GossipVerdict {
    const { origin, high, count } = batch.header;
    if (!this.#members.has(origin)) return this.#ignore('stranger');
    if (this.#gate.isMuted(origin, now.ms)) return this.#ignore('muted');
    if (!isPlausible(batch.header)) return this.#reject('malformed', from, now);
    const id = batchId(origin, high);
    if (origin === this.#self || this.#store.streams.isSeen({ node: origin, counter: high }) || this.#early.has(id))
      return this.#ignore('duplicate');
    if (this.#isAhead({ node: origin, counter: high })) return this.#missed(from, batch.header, 'ahead', now);
    if (!this.#sealer.isGenuine(batch)) return this.#reject('forged', from, now);
    if (!this.#gate.allows(origin, count, now.ms)) return this.#ignore('flood');
    const updates = this.#sealer.open(batch);
    if (updates === undefined || !isOfHeader(updates, batch.header)) return this.#reject('malformed', origin, now);
    if (updates.some(({ vector }) => vector.some((dot) => this.#isAhead(dot)))) return this.#missed(from, batch.header, 'ahead', now);
    return this.#apply(from, batch.header, updates, now);
  }

  #apply(from: NodeId, header: BatchHeader, updates: readonly Update[], now: Moment): GossipVerdict {
    const { origin, low, high } = header;
    if (!this.#clock.observe(header.stamp, now.unixMs)) this.counters.fastClocks++;
    const fair = updates.filter(({ key, generation, role }) => this.#mayWrite(origin, key, generation, role));
    for (const update of fair) this.#takeEntry(from, update.key, entryOf(origin, update), now);
    this.counters.updatesTaken += fair.length;
    this.counters.batchesTaken++;
    if (this.#store.streams.haveOf(origin, bootOf(high)) >= low - 1) this.#store.streams.advance({ node: origin, counter: high });
    else {
      this.#remember(batchId(origin, high));
      this.#missed(from, header, undefined, now);
    }
    return fair.length === updates.length ? taken : this.#reject('spoofed', origin, now);
  }

  /** Something before this batch is missing: whoever had the batch is asked for it. */
  #missed(from: NodeId, { origin, high }: BatchHeader, why: Refusal | undefined, now: Moment): GossipVerdict {
    this.counters.gaps++;
    if (now.ms - (this.#neededMs.get(origin) ?? Number.NEGATIVE_INFINITY) >= needPauseMs) {
      this.#neededMs.set(origin, now.ms);
      const have = [{ node: origin, counter: this.#store.streams.haveOf(origin, bootOf(high)) }];
      this.#messages.push({ to: from, message: { type: 'need', have } });
      this.#antiEntropy.hurry(now.ms);
    }
    return why === undefined ? taken : this.#ignore(why);
  }

  #remember(id: string): void {
    this.#early.add(id);
    for (const oldest of this.#early) {
      if (this.#early.size <= maxRemembered) break;
      this.#early.delete(oldest);
    }
  }

  /** So far ahead of what is known that it may be a lie to silence the node; anti-entropy brings it if it is true. */
  #isAhead({ node, counter }: { readonly node: NodeId; readonly counter: number }): boolean {
    if (node === this.#self) return counter > this.#counter;
    const latest = this.#store.streams.latestOf(node);
    if (latest === 0) return false;
    const place = bootOf(counter) === bootOf(latest) ? latest : counterOf(bootOf(counter), 0);
    return bootOf(counter) > bootOf(latest) + 1 || counter > place + gossipLimits.countersAhead;
  }

  // Anti-entropy.

  #takeDigest(from: NodeId, message: DigestMessage, now: Moment): GossipVerdict {
    if (message.epoch > (this.#epochs.get(from) ?? -1)) {
      this.#epochs.set(from, message.epoch);
      this.#project(now);
    }
    this.#store.noteDigest(from, message.have);
    this.#reunion.onDigest(from, message.have);
    this.#messages.push(...this.#antiEntropy.onDigest(from, message, now.ms));
    return taken;
  }

  #takeDelta(from: NodeId, message: DeltaMessage, now: Moment): GossipVerdict {
    let repaired = 0;
    for (const [key, entry] of message.entries) {
      const fair = this.#fairPart(key, entry);
      if (fair === undefined) this.counters.spoofed++;
      else if (this.#takeEntry(from, key, fair, now)) repaired++;
    }
    for (const key of goneFrom(this.#store, message)) {
      this.#reunion.onTaken(from, key, this.#store.get(key), undefined, now.unixMs);
      this.#store.delete(key);
      this.#changed.add(key);
      repaired++;
    }
    this.counters.repaired += repaired;
    for (const { node, after, upTo } of message.ranges) {
      const isNext = this.#store.streams.haveOf(node, bootOf(upTo)) >= after;
      if (!isNext || (node === this.#self && upTo > this.#counter)) continue;
      this.#store.streams.advance({ node, counter: upTo });
      this.#reunion.onTold(from, { node, counter: upTo });
    }
    if (message.isPart) this.#messages.push(this.#antiEntropy.askOn(from));
    return taken;
  }

  /** Without values that their node may not write, since the peer's log may be behind; `undefined` if it covers writes that this node has yet to make. */
  #fairPart(key: string, entry: Entry): Entry | undefined {
    if (heldOf(entry.vector, this.#self) > this.#counter) return undefined;
    const fair = entry.siblings.filter(({ dot, generation, role }) => this.#mayWrite(dot.node, key, generation, role));
    return fair.length === entry.siblings.length ? entry : { vector: entry.vector, siblings: fair };
  }

  #takeEntry(from: NodeId, key: string, entry: Entry, now: Moment): boolean {
    const before = this.#store.get(key);
    const came = this.#store.take(key, entry, now.ms);
    if (came === 'full') this.counters.full++;
    if (came !== 'changed') return false;
    this.#reunion.onTaken(from, key, before, this.#store.get(key), now.unixMs);
    this.#note(key, entry, now);
    return true;
  }

  #note(key: string, { siblings }: Entry, now: Moment): void {
    this.#changed.add(key);
    const mayBeTombstone = siblings.some(({ value }) => value === undefined);
    if (mayBeTombstone) this.#collectAtMs = Math.min(this.#collectAtMs, now.ms + collectEveryMs);
  }

  /** Vectors lose the nodes that left as soon as all members know that they left. */
  #project(now: Moment): void {
    const keeps = this.#others().some((member) => (this.#epochs.get(member) ?? -1) < this.#epoch);
    if (!keeps && !this.#keepsVectors) return;
    this.#keepsVectors = keeps;
    for (const key of this.#store.setMembers((node) => this.#members.has(node), keeps, now.ms)) this.#changed.add(key);
  }

  /** Whoever was away for as long as tombstones live may hold what has been removed: it forgets what is not its own. */
  #hear(now: Moment): void {
    const isLongAgo = now.ms - this.#heardMs > gossipLimits.tombstoneMs;
    this.#heardMs = now.ms;
    if (!isLongAgo) return;
    for (const [key, { siblings }] of this.#store.entries()) {
      if (siblings.some(({ dot }) => dot.node === this.#self)) continue;
      this.#store.delete(key);
      this.#changed.add(key);
    }
    this.#store.streams.forget((node) => node === this.#self);
  }

  #others(): NodeId[] {
    return [...this.#members].filter((member) => member !== this.#self);
  }

  #ignore(why: Refusal): GossipVerdict {
    this.counters[why]++;
    return { type: 'ignored', why };
  }

  #reject(why: Refusal, culprit: NodeId, now: Moment): GossipVerdict {
    this.counters[why]++;
    if (this.#gate.blame(culprit, now.ms)) this.#suspects.push({ node: culprit, why });
    return { type: 'rejected', why };
  }
}

const taken: GossipVerdict = { type: 'taken' };

const isPlausible = ({ low, high, count }: BatchHeader): boolean =>
  numberOf(low) > 0 &&
  low <= high &&
  bootOf(low) === bootOf(high) &&
  bootOf(high) >= 1 &&
  bootOf(high) <= maxBoot &&
  count >= 1 &&
  count <= gossipLimits.batchEntries;

function isOfHeader(updates: readonly Update[], { origin, low, high, count }: BatchHeader): boolean {
  let last = low - 1;
  for (const { counter, vector } of updates) {
    if (counter <= last || counter > high || vector.some(({ node }) => node === origin)) return false;
    last = counter;
  }
  return updates.length === count && last === high;
}

function entryOf(node: NodeId, { counter, vector, stamp, generation, role, value }: Update): Entry {
  const dot = { node, counter };
  return { vector: vector.length === 0 ? [dot] : vectorOf([...vector, dot]), siblings: [{ dot, stamp, generation, role, value }] };
}
