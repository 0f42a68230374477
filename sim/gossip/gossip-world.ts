import { defined } from '../../src/core/assert.ts';
import { type NodeId, nodeId } from '../../src/core/ids.ts';
import type { Random } from '../../src/core/random.ts';
import type { GossipMessage } from '../../src/gossip/messages.ts';
import type { SpoofSuspected } from '../../src/gossip/ready.ts';
import { createSealer } from '../../src/wire/gossip-batch.ts';
import { decodeGossip, encodeBatchFrame, encodeGossip } from '../../src/wire/gossip.ts';
import { EventQueue } from '../event-queue.ts';
import { Trace } from '../trace.ts';
import { hold } from '../violation.ts';
import { GossipChecks } from './gossip-checks.ts';
import { GossipLiar } from './gossip-liar.ts';
import type { GossipPlan, PlannedWrite } from './gossip-plan.ts';
import { type GossipListener, GossipProcess } from './gossip-process.ts';
import { LightSignatures } from './light-signatures.ts';

export interface GossipCounts {
  messages: number;
  lost: number;
  crashes: number;
  writes: number;
  lies: number;
  suspected: number;
}

const clusterTag = 1;

/** Nodes that gossip over a network that loses, doubles, delays and cuts; every message goes as its bytes. */
export class GossipWorld implements GossipListener {
  readonly queue = new EventQueue();
  readonly trace: Trace;
  readonly counts: GossipCounts = { messages: 0, lost: 0, crashes: 0, writes: 0, lies: 0, suspected: 0 };
  readonly #plan: GossipPlan;
  readonly #random: Random;
  readonly #checks = new GossipChecks();
  readonly #processes = new Map<NodeId, GossipProcess>();
  readonly #ids: readonly NodeId[];
  readonly #keys: readonly string[];
  readonly #liar: { readonly id: NodeId; readonly lies: GossipLiar } | undefined;
  #groups: readonly number[];
  #isCalm = false;
  #lives = 0;
  readonly #lifeOf = new Map<NodeId, number>();

  constructor(plan: GossipPlan, random: Random, onLine?: (line: string) => void) {
    this.#plan = plan;
    this.#random = random;
    this.trace = new Trace(() => this.queue.nowUs, { onLine });
    this.#ids = Array.from({ length: plan.n }, (_, i) => nodeId(`n${i + 1}`));
    this.#keys = Array.from({ length: plan.keys }, (_, i) => `k${i + 1}`);
    this.#groups = this.#ids.map(() => 0);
    const signatures = new LightSignatures();
    const sealerOf = (id: NodeId) =>
      createSealer({
        clusterTag,
        sign: (bytes) => signatures.sign(id, bytes),
        verify: (node, bytes, signature) => signatures.isGenuine(node, bytes, signature),
      });
    const mayWrite = (node: NodeId, key: string, _generation: number, role: string): boolean =>
      role === 'observer' || this.#ownerOf(key) === node;
    for (const [i, id] of this.#ids.entries()) {
      const parts = { id, members: this.#ids, queue: this.queue, random, sealer: sealerOf(id), mayWrite, listener: this };
      this.#processes.set(id, new GossipProcess({ ...parts, clockOffsetMs: plan.clockOffsetsMs[i] ?? 0 }));
    }
    const liar = plan.liar === undefined ? undefined : this.#ids[plan.liar];
    this.#liar = liar === undefined ? undefined : { id: liar, lies: new GossipLiar(liar, sealerOf(liar), random) };
  }

  runChaos(): void {
    const { writes, cuts, crashes, chaosMs } = this.#plan;
    for (const id of this.#ids) this.#start(id);
    for (const write of writes) this.#at(write.atMs, () => this.#write(write));
    for (const { atMs, groups } of cuts) this.#at(atMs, () => this.#connect(groups));
    for (const { atMs, node, downMs } of crashes)
      this.#at(atMs, () => this.#crash(defined(this.#ids[node], 'who crashes is there'), downMs));
    if (this.#liar !== undefined) this.#lieOnAndOn();
    this.#runUntil(chaosMs);
  }

  /** Faults off. False when not all agree in time. */
  runCalm(limitMs: number): boolean {
    this.#isCalm = true;
    for (const id of this.#ids) if (this.#process(id).gossip === undefined) this.#start(id);
    this.#connect(this.#ids.map(() => 0));
    const untilMs = this.#nowMs + limitMs;
    while (this.difference() !== undefined) {
      if (this.#nowMs >= untilMs) return false;
      this.#runUntil(this.#nowMs + 50);
    }
    return true;
  }

  /** Quiet for so long that tombstones go: nothing may come back. */
  runOn(ms: number): void {
    this.#runUntil(this.#nowMs + ms);
    hold(this.difference() === undefined, 'converged', () => `they agreed and agree no more: ${this.difference()}`);
    this.#checks.end(defined(this.#running[0], 'all run'), new Set(this.#lifeOf.values()));
  }

  difference(): string | undefined {
    return this.#checks.difference(this.#running, this.#keys);
  }

  send(from: NodeId, to: NodeId, message: GossipMessage, hops: number): void {
    this.counts.messages++;
    const { loss, doubled, late, lateMs, maxDelayMs } = this.#plan;
    const isCut = this.#groupOf(from) !== this.#groupOf(to);
    if (isCut || (!this.#isCalm && this.#random.below(100) < loss)) {
      this.counts.lost++;
      return;
    }
    const frame = message.type === 'batch' ? encodeBatchFrame(clusterTag, message.batch, hops) : encodeGossip(clusterTag, message);
    const copies = !this.#isCalm && this.#random.below(100) < doubled ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const isLate = !this.#isCalm && this.#random.below(100) < late;
      const delayUs = 200 + this.#random.below((isLate ? lateMs : maxDelayMs) * 1000);
      this.queue.after(delayUs, () => this.#deliver(from, to, frame));
    }
  }

  changed(process: GossipProcess, key: string): void {
    this.trace.event('change', this.#ids.indexOf(process.id), this.#keys.indexOf(key));
    this.#checks.holds(process.id, this.#lifeOf.get(process.id) ?? 0, key, process.gossip?.get(key));
  }

  suspected(process: GossipProcess, { node }: SpoofSuspected): void {
    this.counts.suspected++;
    hold(node === this.#liar?.id, 'fair-suspicion', () => `${process.id} makes ${node} mute, which is honest`);
  }

  get #nowMs(): number {
    return this.queue.nowUs / 1000;
  }

  get #running() {
    return [...this.#processes.values()].flatMap(({ gossip }) => (gossip === undefined ? [] : [gossip]));
  }

  #deliver(from: NodeId, to: NodeId, frame: Uint8Array): void {
    const process = this.#process(to);
    if (process.gossip === undefined) return;
    const read = decodeGossip(clusterTag, frame);
    this.trace.event(read?.message.type ?? 'malformed', this.#ids.indexOf(to), this.#ids.indexOf(from), frame.length);
    if (read === undefined) return process.malformed(from);
    if (to === this.#liar?.id) this.#liar.lies.hear(read.message);
    process.receive(from, read.message, read.hops);
  }

  #write({ node, key: keyNumber, removes }: PlannedWrite): void {
    const process = this.#process(defined(this.#ids[node], 'who writes is there'));
    const { gossip } = process;
    const key = defined(this.#keys[keyNumber], 'the key is there');
    if (gossip === undefined) return;
    const before = gossip.get(key);
    const value = removes ? undefined : Uint8Array.of(node, ++this.counts.writes % 256, this.counts.writes >> 8);
    gossip.write(key, value, { generation: 1, role: this.#ownerOf(key) === process.id ? 'owner' : 'observer' }, process.now);
    const after = gossip.get(key);
    if (after !== undefined && after !== before) this.#checks.wrote(key, before, after);
    process.pump();
  }

  #ownerOf(key: string): NodeId | undefined {
    return this.#ids[this.#keys.indexOf(key) % this.#ids.length];
  }

  #start(id: NodeId): void {
    this.#lifeOf.set(id, ++this.#lives);
    const process = this.#process(id);
    process.start();
    for (const [other, peer] of this.#processes) {
      if (other === id || peer.gossip === undefined || this.#groupOf(other) !== this.#groupOf(id)) continue;
      process.linkUp(other);
      peer.linkUp(id);
    }
  }

  #crash(id: NodeId, downMs: number): void {
    const process = this.#process(id);
    if (process.gossip === undefined || this.#isCalm) return;
    this.counts.crashes++;
    this.trace.event('crash', this.#ids.indexOf(id));
    process.crash();
    for (const peer of this.#processes.values()) peer.linkDown(id);
    this.queue.after(downMs * 1000, () => {
      if (process.gossip === undefined) this.#start(id);
    });
  }

  #connect(groups: readonly number[]): void {
    const before = this.#groups;
    this.#groups = groups;
    for (const [i, a] of this.#ids.entries()) {
      for (const [j, b] of this.#ids.entries()) {
        const [was, is] = [before[i] === before[j], groups[i] === groups[j]];
        if (i === j || was === is) continue;
        if (is && this.#process(b).gossip !== undefined) this.#process(a).linkUp(b);
        else this.#process(a).linkDown(b);
      }
    }
  }

  #lieOnAndOn(): void {
    this.queue.after((20 + this.#random.below(this.#plan.liarPauseMs)) * 1000, () => {
      const liar = this.#liar;
      if (liar === undefined || this.#isCalm) return;
      const keys = this.#keys.filter((key) => this.#ownerOf(key) !== liar.id);
      const to = this.#ids[this.#random.below(this.#ids.length)];
      const lie = keys.length === 0 ? undefined : liar.lies.lie(this.#process(liar.id).boot, keys);
      if (lie !== undefined && to !== undefined && to !== liar.id) {
        this.counts.lies++;
        this.send(liar.id, to, lie, 1);
      }
      this.#lieOnAndOn();
    });
  }

  #process(id: NodeId): GossipProcess {
    return defined(this.#processes.get(id), 'every node has a process');
  }

  #groupOf(id: NodeId): number {
    return this.#groups[this.#ids.indexOf(id)] ?? 0;
  }

  #at(atMs: number, run: () => void): void {
    this.queue.after(atMs * 1000 - this.queue.nowUs, run);
  }

  #runUntil(untilMs: number): void {
    while (this.queue.step(untilMs * 1000));
    // Time goes on though nothing happens.
    this.queue.after(untilMs * 1000 - this.queue.nowUs, () => {});
    while (this.queue.step(untilMs * 1000));
  }
}
