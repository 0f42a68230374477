import type { NodeId } from '../../src/core/ids.ts';
import type { Random } from '../../src/core/random.ts';
import type { SealedBatch, Sealer } from '../../src/gossip/batch.ts';
import { Gossip, type MayWrite, type Moment } from '../../src/gossip/gossip.ts';
import type { GossipMessage } from '../../src/gossip/messages.ts';
import type { SpoofSuspected } from '../../src/gossip/ready.ts';
import { type ChosenSpread, Mesh } from '../../src/gossip/spread.ts';
import type { EventQueue } from '../event-queue.ts';

/** What a process tells the world. */
export interface GossipListener {
  send(from: NodeId, to: NodeId, message: GossipMessage, hops: number): void;
  changed(process: GossipProcess, key: string): void;
  suspected(process: GossipProcess, suspect: SpoofSuspected): void;
}

export interface GossipProcessParts {
  readonly id: NodeId;
  readonly members: readonly NodeId[];
  readonly queue: EventQueue;
  readonly random: Random;
  readonly sealer: Sealer;
  readonly mayWrite: MayWrite;
  readonly clockOffsetMs: number;
  /** Of its direct links, instead of what is computed for the number of members. */
  readonly spread?: ChosenSpread;
  readonly listener: GossipListener;
}

const startUnixMs = 1_800_000_000_000;

/** The product's gossip and its carrier by direct links, with a simulated clock and a disk that holds the count of starts. */
export class GossipProcess {
  readonly id: NodeId;
  readonly #parts: GossipProcessParts;
  #gossip: Gossip | undefined;
  #mesh: Mesh;
  #boot = 0;
  #members: readonly NodeId[];
  #epoch = 1;
  #wakesAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: GossipProcessParts) {
    this.id = parts.id;
    this.#parts = parts;
    this.#members = parts.members;
    this.#mesh = new Mesh(parts.random, parts.spread);
  }

  get gossip(): Gossip | undefined {
    return this.#gossip;
  }

  get boot(): number {
    return this.#boot;
  }

  get now(): Moment {
    const ms = this.#parts.queue.nowUs / 1000;
    return { ms, unixMs: startUnixMs + ms + this.#parts.clockOffsetMs };
  }

  start(): void {
    const { id: self, sealer, random, mayWrite, spread } = this.#parts;
    this.#boot++;
    this.#gossip = new Gossip({ self, boot: this.#boot, sealer, random, mayWrite }, this.now);
    this.#gossip.setMembers(this.#members, this.#epoch, this.now);
    this.#mesh = new Mesh(random, spread);
    this.#mesh.setMembers(this.#members.length);
    this.#wakesAtMs = Number.POSITIVE_INFINITY;
  }

  setMembers(members: readonly NodeId[]): void {
    this.#members = members;
    this.#gossip?.setMembers(members, ++this.#epoch, this.now);
    this.#mesh.setMembers(members.length);
    this.pump();
  }

  crash(): void {
    this.#gossip = undefined;
  }

  linkUp(peer: NodeId): void {
    this.#mesh.linkUp(peer);
    this.#gossip?.linkUp(peer, this.now);
    this.pump();
  }

  linkDown(peer: NodeId): void {
    this.#mesh.linkDown(peer);
    this.#gossip?.linkDown(peer);
  }

  receive(from: NodeId, message: GossipMessage, hops: number): void {
    const verdict = this.#gossip?.step(from, message, this.now);
    if (verdict?.type === 'taken' && message.type === 'batch') {
      const { origin } = message.batch.header;
      for (const to of this.#mesh.relay(from, origin, hops)) this.#parts.listener.send(this.id, to, message, hops + 1);
    }
    this.pump();
  }

  malformed(from: NodeId): void {
    this.#gossip?.malformed(from, this.now);
    this.pump();
  }

  /** Carries out what the gossip wants done, and sees to it that it wakes in time. */
  pump(): void {
    const ready = this.#gossip?.takeReady();
    for (const batch of ready?.batches ?? []) this.#publish(batch);
    for (const { to, message } of ready?.messages ?? []) this.#parts.listener.send(this.id, to, message, 0);
    for (const key of ready?.changed ?? []) this.#parts.listener.changed(this, key);
    for (const suspect of ready?.suspects ?? []) this.#parts.listener.suspected(this, suspect);
    this.#setAlarm();
  }

  #publish(batch: SealedBatch): void {
    for (const to of this.#mesh.publish()) this.#parts.listener.send(this.id, to, { type: 'batch', batch }, 1);
  }

  #setAlarm(): void {
    const gossip = this.#gossip;
    const atMs = gossip?.wakeAtMs ?? Number.POSITIVE_INFINITY;
    if (gossip === undefined || atMs >= this.#wakesAtMs) return;
    this.#wakesAtMs = atMs;
    this.#parts.queue.after(Math.max(0, Math.ceil((atMs - this.now.ms) * 1000)), () => {
      if (this.#gossip !== gossip || this.#wakesAtMs !== atMs) return;
      this.#wakesAtMs = Number.POSITIVE_INFINITY;
      gossip.tick(this.now);
      this.pump();
    });
  }
}
