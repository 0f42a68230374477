import type { Clock } from '../../core/clock.ts';
import { directMembers } from '../../core/direct-members.ts';
import type { NodeId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import type { SealedBatch } from '../../gossip/batch.ts';
import type { Carrier } from '../../gossip/carrier.ts';
import type { Entry, WriterRole } from '../../gossip/entry.ts';
import { Gossip, type GossipCounters, type MayWrite, type Moment } from '../../gossip/gossip.ts';
import type { GossipVerdict } from '../../gossip/ready.ts';
import type { Merged } from '../../gossip/reunion.ts';
import type { Digest } from '../../gossip/streams.ts';
import type { Pubsub, PubsubChanges, PubsubOptions } from '../../transport/pubsub.ts';
import { createSealer, type SealerParts } from '../../wire/gossip-batch.ts';
import { decodeGossip, encodeGossip } from '../../wire/gossip.ts';
import type { SplitGossip } from '../partition/split-gossip.ts';
import { MeshCarrier } from './mesh-carrier.ts';
import { type PubsubCarrier, startPubsubCarrier } from './pubsub-carrier.ts';

/** How a node gossips. */
export interface GossipSettings {
  /** `auto`: by direct links up to 64 members, beyond that by gossipsub. */
  readonly carrier?: 'auto' | 'mesh' | 'gossipsub' | undefined;
  /** Of direct links: to how many peers each hands a batch on, instead of what is computed for the number of members. */
  readonly fanout?: number | undefined;
  /** Over how many of them a batch goes at most, likewise. */
  readonly ttl?: number | undefined;
  /** The least time between two flushes, 5 to 50 ms: who writes more often has more in a batch. By default 10. */
  readonly flushMs?: number | undefined;
}

export interface GossipDriverParts extends Pick<SealerParts, 'clusterTag' | 'sign' | 'verify'> {
  readonly self: NodeId;
  /** This start of the node, counted durably from 1. */
  readonly boot: number;
  readonly settings: GossipSettings;
  readonly send: (to: NodeId, frame: Uint8Array) => void;
  readonly joinTopic: (options: PubsubOptions, changes?: PubsubChanges) => Promise<Pubsub>;
  readonly mayWrite: MayWrite;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Runs the job after so many milliseconds; with 0 after everything else that this turn of the event loop brings. */
  readonly defer: (job: () => void, ms: number) => void;
  /** Keys whose values may have changed. Called once a turn. */
  readonly onChanged: (keys: ReadonlySet<string>) => void;
}

/** The gossip of one node with real time and real links: wakes it when it wants to be woken, and carries out what it wants done, once a turn of the event loop. */
export class GossipDriver implements SplitGossip {
  readonly #parts: GossipDriverParts;
  readonly #gossip: Gossip;
  readonly #mesh: MeshCarrier;
  /** The other carrier, once it has been wanted; until it has started, batches go the direct way. */
  #pubsub: PubsubCarrier | undefined;
  #joined: Promise<void> | undefined;
  #wantsPubsub = false;
  #wakesAtMs = Number.POSITIVE_INFINITY;
  #isPumpDue = false;
  #isStopped = false;

  constructor(parts: GossipDriverParts) {
    this.#parts = parts;
    const { self, boot, settings, clusterTag, send, random, mayWrite } = parts;
    const sealer = createSealer(parts);
    this.#gossip = new Gossip({ self, boot, sealer, random, mayWrite, flushMs: settings.flushMs ?? 10 }, this.#now());
    const take = (from: NodeId, batch: SealedBatch): GossipVerdict => this.#take(from, batch);
    this.#mesh = new MeshCarrier({ clusterTag, send, random, take, settings });
  }

  get counters(): Readonly<GossipCounters> {
    return this.#gossip.counters;
  }

  get size(): number {
    return this.#gossip.size;
  }

  get conflicts(): number {
    return this.#gossip.conflicts;
  }

  // Splits: see `SplitGossip`.

  get digest(): Digest {
    return this.#gossip.digest;
  }

  get merged(): Merged {
    return this.#gossip.merged;
  }

  beginSplit(): void {
    this.#gossip.beginSplit();
  }

  lostPeer(peer: NodeId): void {
    this.#gossip.lostPeer(peer);
  }

  meetPeer(peer: NodeId, have: Digest): void {
    this.#gossip.meetPeer(peer, have, this.#now());
    this.#pumpSoon();
  }

  isMerged(peer: NodeId): boolean {
    return this.#gossip.isMerged(peer);
  }

  // Keys.

  get(key: string): Entry | undefined {
    return this.#gossip.get(key);
  }

  entries(): Iterable<readonly [string, Entry]> {
    return this.#gossip.entries();
  }

  /** `undefined` removes the key. False when it is beyond the bounds. */
  write(key: string, value: Uint8Array | undefined, as: { readonly generation: number; readonly role: WriterRole }): boolean {
    const isWritten = this.#gossip.write(key, value, as, this.#now());
    this.#pumpSoon();
    return isWritten;
  }

  /** @param epoch the log index of the configuration; it only rises. */
  setMembers(members: readonly NodeId[], epoch: number): void {
    this.#gossip.setMembers(members, epoch, this.#now());
    this.#mesh.setMembers(members.length);
    const { carrier = 'auto' } = this.#parts.settings;
    this.#choose(carrier === 'gossipsub' || (carrier === 'auto' && members.length > directMembers), members.length);
    this.#pumpSoon();
  }

  onLink(peer: NodeId, up: boolean): void {
    this.#mesh.onLink(peer, up);
    if (up) this.#gossip.linkUp(peer, this.#now());
    else this.#gossip.linkDown(peer);
    this.#pumpSoon();
  }

  /** A frame of the gossip, by a link. */
  onFrame(from: NodeId, frame: Uint8Array): void {
    const read = decodeGossip(this.#parts.clusterTag, frame);
    if (read === undefined) this.#malformed(from);
    else if (read.message.type === 'batch') this.#mesh.receive(from, read.message.batch, read.hops);
    else this.#gossip.step(from, read.message, this.#now());
    this.#pumpSoon();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#joined;
  }

  #choose(wantsPubsub: boolean, members: number): void {
    if (wantsPubsub === this.#wantsPubsub) return;
    this.#wantsPubsub = wantsPubsub;
    if (wantsPubsub) this.#joined ??= this.#join(members);
    this.#pubsub?.setActive(wantsPubsub);
  }

  async #join(members: number): Promise<void> {
    const { clusterTag, joinTopic: join, logger } = this.#parts;
    const take = (from: NodeId, batch: SealedBatch): GossipVerdict => this.#take(from, batch);
    try {
      this.#pubsub = await startPubsubCarrier({ clusterTag, members, join, take, malformed: (from) => this.#malformed(from) });
      this.#pubsub.setActive(this.#wantsPubsub);
    } catch (error) {
      // Direct links go on carrying everything.
      logger.warn({ error: String(error) }, 'gossipsub could not be started');
    }
  }

  #take(from: NodeId, batch: SealedBatch): GossipVerdict {
    const verdict = this.#gossip.step(from, { type: 'batch', batch }, this.#now());
    this.#pumpSoon();
    return verdict;
  }

  #malformed(from: NodeId): void {
    this.#gossip.malformed(from, this.#now());
    this.#pumpSoon();
  }

  #now(): Moment {
    const { clock } = this.#parts;
    return { ms: clock.monotonicMs(), unixMs: clock.unixMs() };
  }

  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    this.#parts.defer(() => {
      this.#isPumpDue = false;
      this.#pump();
    }, 0);
  }

  #pump(): void {
    if (this.#isStopped) return;
    const now = this.#now();
    if (this.#gossip.wakeAtMs <= now.ms) this.#gossip.tick(now);
    const { clusterTag, send, logger, onChanged } = this.#parts;
    const ready = this.#gossip.takeReady();
    const carrier: Carrier = this.#wantsPubsub ? (this.#pubsub ?? this.#mesh) : this.#mesh;
    for (const batch of ready?.batches ?? []) carrier.publish(batch);
    for (const { to, message } of ready?.messages ?? []) send(to, encodeGossip(clusterTag, message));
    for (const { node, why } of ready?.suspects ?? []) logger.warn({ node, why }, 'a node is not heard for a minute: spoof suspected');
    if (ready !== undefined && ready.changed.size > 0) onChanged(ready.changed);
    this.#wakeAt(this.#gossip.wakeAtMs, now.ms);
  }

  /** An earlier call that is due anyway sees to it, too. */
  #wakeAt(atMs: number, nowMs: number): void {
    if (atMs >= this.#wakesAtMs) return;
    this.#wakesAtMs = atMs;
    this.#parts.defer(
      () => {
        if (this.#wakesAtMs === atMs) this.#wakesAtMs = Number.POSITIVE_INFINITY;
        this.#pump();
      },
      Math.max(1, atMs - nowMs),
    );
  }
}
