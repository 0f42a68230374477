import type { NodeId } from '../../../src/core/ids.ts';
import { SeededRandom } from '../../../src/core/random.ts';
import { emptyPart, type HealReport } from '../../../src/partition/heal/heal-report.ts';
import { Heal, type HealFacts } from '../../../src/partition/heal/heal.ts';
import type { HealMessage } from '../../../src/partition/heal/messages.ts';
import { type Hears, nodes } from '../support.ts';

/** What a node's log is to the heal: commits 1 to n, each of some term. */
interface Log {
  terms: number[];
}

const everyone: Hears = () => true;

/**
 * Nodes that heal over links with 2 ms of delay. A lost link is noticed after 300 ms, a link that is back when a dial of either side finds it. The log follows the
 * leader's at some entries a millisecond, once the link is whole.
 */
export class HealNetwork {
  readonly ids: readonly NodeId[];
  readonly heals = new Map<NodeId, Heal>();
  readonly logs = new Map<NodeId, Log>();
  readonly reports = new Map<NodeId, HealReport[]>();
  readonly diverged: [NodeId, NodeId][] = [];
  readonly boots = new Map<NodeId, number>();
  leader: NodeId;
  nowMs = 0;
  dials = 0;
  /** Loses this share of the messages, in hundredths. */
  lossPercent = 0;
  catchUpPerMs = 100;
  /** Whose gossip has not all come since they were lost. */
  readonly unmerged = new Set<NodeId>();
  #hears: Hears = everyone;
  readonly #cutMs = new Map<string, number>();
  readonly #noticed = new Set<string>();
  #queue: { readonly atMs: number; readonly from: NodeId; readonly to: NodeId; readonly message: HealMessage }[] = [];
  readonly #random: SeededRandom;

  constructor(count: number, seed = 1) {
    this.ids = nodes(count);
    this.leader = this.ids[0] ?? this.ids[count - 1] ?? raise();
    this.#random = new SeededRandom(seed);
    for (const id of this.ids) this.start(id, 1, [1, 1, 1]);
  }

  start(id: NodeId, boot: number, terms: number[]): void {
    const heal = new Heal({ self: id, boot, random: new SeededRandom(boot * 100 + this.ids.indexOf(id)) });
    heal.setPeers(this.ids.filter((peer) => peer !== id));
    this.heals.set(id, heal);
    this.boots.set(id, boot);
    this.logs.set(id, { terms });
    this.reports.set(id, []);
  }

  commit(id: NodeId, count: number, term: number): void {
    this.log(id).terms.push(...Array.from({ length: count }, () => term));
  }

  log(id: NodeId): Log {
    return this.logs.get(id) ?? raise();
  }

  heal(id: NodeId): Heal {
    return this.heals.get(id) ?? raise();
  }

  set(hears: Hears): void {
    this.#hears = hears;
    for (const a of this.ids) {
      for (const b of this.ids) {
        if (a === b) continue;
        if (hears(a, b)) this.#cutMs.delete(key(a, b));
        else if (!this.#cutMs.has(key(a, b))) this.#cutMs.set(key(a, b), this.nowMs);
      }
    }
  }

  run(forMs: number): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) this.#step();
  }

  /** How long until everyone is whole. */
  untilWhole(maxMs: number): number {
    const startMs = this.nowMs;
    while (this.ids.some((id) => this.heal(id).isActive) && this.nowMs - startMs < maxMs) this.#step();
    return this.nowMs - startMs;
  }

  #step(): void {
    this.nowMs += 2;
    for (const [edge, cutMs] of this.#cutMs) {
      if (this.nowMs - cutMs < 300 || this.#noticed.has(edge)) continue;
      this.#noticed.add(edge);
      const [a, b] = this.#ends(edge);
      this.heal(a).onLost(b, this.#facts(a), this.nowMs);
    }
    const due = this.#queue.filter(({ atMs }) => atMs <= this.nowMs);
    this.#queue = this.#queue.filter(({ atMs }) => atMs > this.nowMs);
    for (const { from, to, message } of due) {
      if (!this.#hears(to, from) || this.#random.below(100) < this.lossPercent) continue;
      this.heal(to).step(from, message, this.#facts(to), this.nowMs);
    }
    for (const id of this.ids) this.#tick(id);
  }

  #tick(id: NodeId): void {
    const heal = this.heal(id);
    this.#catchUp(id);
    heal.tick(this.#facts(id), this.nowMs);
    const ready = heal.takeReady();
    if (ready === undefined) return;
    for (const peer of ready.dials) this.#dial(id, peer);
    for (const { to, message } of ready.messages) this.#queue.push({ atMs: this.nowMs + 2, from: id, to, message });
    for (const peer of ready.diverged) this.diverged.push([id, peer]);
    if (ready.report !== undefined) this.reports.get(id)?.push(ready.report);
  }

  /** A dial that succeeds is noticed at both ends. */
  #dial(a: NodeId, b: NodeId): void {
    this.dials++;
    if (!this.#hears(a, b) || !this.#hears(b, a)) return;
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      this.#noticed.delete(key(x, y));
      this.heal(x).onBack(
        y,
        this.ids.filter((peer) => this.#hears(y, peer)),
        this.nowMs,
      );
    }
  }

  #catchUp(id: NodeId): void {
    const [own, leaders] = [this.log(id).terms, this.log(this.leader).terms];
    if (!this.#hears(id, this.leader) || this.#noticed.has(key(id, this.leader))) return;
    own.push(...leaders.slice(own.length, own.length + 2 * this.catchUpPerMs));
  }

  #facts(id: NodeId): HealFacts {
    const { terms } = this.log(id);
    const led = this.#hears(id, this.leader) && this.#hears(this.leader, id);
    return {
      leader: led ? this.leader : undefined,
      term: Math.max(...terms),
      commitIndex: terms.length,
      termAt: (index) => terms[index - 1],
      chainAt: () => undefined,
      summary: () => ({
        epoch: 0,
        term: Math.max(...terms),
        lastIndex: terms.length,
        lastTerm: terms.at(-1) ?? 0,
        commitIndex: terms.length,
        commitTerm: terms.at(-1) ?? 0,
        head: { index: 0, chain: new Uint8Array(32) },
        snapshotIndex: 0,
        gossip: [],
        openVotes: 0,
        leases: [],
      }),
      matchIndex: (voter) => this.log(voter).terms.length,
      voters: this.ids,
      rowsComplete: this.ids.every((a) => this.ids.every((b) => this.#hears(a, b))),
      isHealing: (peer) => this.heal(peer).isActive,
      isGossipMerged: (peer) => !this.unmerged.has(peer),
      pendingLeases: 0,
      part: () => ({ ...emptyPart, raft: { ...emptyPart.raft, caughtUpEntries: 1 } }),
      class: 'complete',
      sides: [],
      detectedMs: 300,
      unixMs: this.nowMs,
    };
  }

  #ends(edge: string): [NodeId, NodeId] {
    const [a, b] = this.ids.flatMap((x) => this.ids.filter((y) => key(x, y) === edge).map((y) => [x, y] as const)).at(0) ?? raise();
    return [a, b];
  }
}

const key = (a: NodeId, b: NodeId): string => `${a} ${b}`;

function raise(): never {
  throw new Error('no such node');
}
