import type { NodeId } from '../../../src/core/ids.ts';
import { SeededRandom } from '../../../src/core/random.ts';
import { majority } from '../../../src/core/quorum.ts';
import { Gossip } from '../../../src/gossip/gossip.ts';
import type { GossipMessage } from '../../../src/gossip/messages.ts';
import { Partition } from '../../../src/node/partition/partition.ts';
import type { Entry } from '../../../src/raft/messages.ts';
import { LightSeals } from '../../../sim/gossip/light-seals.ts';
import { simulatedKeys } from '../../../sim/simulated-keys.ts';
import { isPartitionFrame } from '../../../src/wire/partition.ts';
import { type Hears, nodes } from '../../partition/support.ts';

const tickMs = 20;
const ping = new Uint8Array([0]);

interface Log {
  terms: number[];
  /** The part of it that is known to be committed. */
  committed: number;
  readonly truncated: Entry[];
}

/**
 * Nodes with the real driver, over links with 2 ms of delay; what a Raft would do is modelled: who hears a majority both ways leads, and those that hear the leader
 * follow its log. Connections stay as they are; only frames are lost.
 */
export class PartitionNetwork {
  readonly ids: readonly NodeId[];
  readonly drivers = new Map<NodeId, Partition>();
  readonly gossips = new Map<NodeId, Gossip>();
  readonly boots = new Map<NodeId, number>();
  readonly #seals = new LightSeals();
  readonly logs = new Map<NodeId, Log>();
  readonly down = new Set<NodeId>();
  nowMs = 0;
  dials = 0;
  framesSent = 0;
  readonly relayed: { readonly from: NodeId; readonly to: NodeId; readonly frame: Uint8Array }[] = [];
  /** What the gossip would carry of each. */
  readonly published = new Map<NodeId, Uint8Array>();
  readonly resigned: NodeId[] = [];
  readonly hastened: NodeId[] = [];
  readonly unheard = new Set<NodeId>();
  readonly transfers: NodeId[] = [];
  hears: Hears = () => true;
  isGossipLost = false;
  /** Of all wall clocks. */
  clockOffsetMs = 0;
  #leader: NodeId | undefined;
  #isLeaderKept = false;
  #term = 1;
  #queue: { readonly from: NodeId; readonly to: NodeId; readonly frame: Uint8Array | GossipMessage; readonly atMs: number }[] = [];

  constructor(count: number) {
    this.ids = nodes(count);
    this.#leader = this.ids[0];
    for (const id of this.ids) this.start(id);
  }

  start(id: NodeId): void {
    this.down.delete(id);
    this.logs.set(id, { terms: [1], committed: 1, truncated: [] });
    const random = new SeededRandom(this.ids.indexOf(id) + 1);
    const boot = (this.boots.get(id) ?? 0) + 1;
    this.boots.set(id, boot);
    const gossip = new Gossip({ self: id, boot, sealer: this.#seals.sealer(id), random }, this.#now);
    gossip.setMembers(this.ids, 1, this.#now);
    for (const peer of this.ids) if (peer !== id) gossip.linkUp(peer, this.#now);
    this.gossips.set(id, gossip);
    this.drivers.set(
      id,
      new Partition(
        { self: id, boot, clusterTag: 1, heartbeatMs: 100, tickMs, graceMs: 10_000 },
        {
          send: (to, frame) => {
            this.framesSent++;
            this.#queue.push({ from: id, to, frame, atMs: this.nowMs + 2 });
          },
          dial: () => this.dials++,
          onRelayed: (from, frame) => this.relayed.push({ from, to: id, frame }),
          publish: (row) => void this.published.set(id, row),
          onUnheard: (isUnheard) => void (isUnheard ? this.unheard.add(id) : this.unheard.delete(id)),
          campaignSoon: () => this.hastened.push(id),
          resign: () => this.resigned.push(id),
          transferTo: (node) => this.transfers.push(node),
          keys: simulatedKeys(id),
          gossip: {
            get digest() {
              return gossip.digest;
            },
            get merged() {
              return gossip.merged;
            },
            beginSplit: () => gossip.beginSplit(),
            lostPeer: (peer) => gossip.lostPeer(peer),
            meetPeer: (peer, have) => gossip.meetPeer(peer, have, this.#now),
            isMerged: (peer) => gossip.isMerged(peer),
          },
          view: () => this.#view(id),
          clock: { monotonicMs: () => this.#now.ms, unixMs: () => this.#now.unixMs },
          random,
          logger: { debug() {}, info() {}, warn() {}, error() {} },
        },
      ),
    );
  }

  /** This node goes on to think that it leads. */
  keepLeader(id: NodeId): void {
    this.#leader = id;
    this.#isLeaderKept = true;
  }

  of(id: NodeId): Partition {
    return this.drivers.get(id) ?? raise();
  }

  log(id: NodeId): Log {
    return this.logs.get(id) ?? raise();
  }

  states(): string {
    return this.ids.map((id) => (this.down.has(id) ? '-' : this.of(id).standing.state)).join(' ');
  }

  run(forMs: number): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += 2;
      const due = this.#queue.filter(({ atMs }) => atMs <= this.nowMs);
      this.#queue = this.#queue.filter(({ atMs }) => atMs > this.nowMs);
      for (const { from, to, frame } of due) {
        if (this.down.has(to) || this.down.has(from) || !this.hears(to, from)) continue;
        if ('type' in frame && this.isGossipLost) continue;
        if ('type' in frame) this.gossips.get(to)?.step(from, frame, this.#now);
        else if (isPartitionFrame(frame)) this.of(to).onFrame(from, frame);
        else this.of(to).heard(from);
      }
      for (const [i, id] of this.ids.entries()) if (!this.down.has(id) && (this.nowMs + 2 * i) % tickMs === 0) this.#tick(id);
    }
  }

  #tick(id: NodeId): void {
    if (this.nowMs % 100 < tickMs)
      for (const to of this.ids) if (to !== id) this.#queue.push({ from: id, to, frame: ping, atMs: this.nowMs + 2 });
    this.#elect();
    this.#follow(id);
    this.of(id).tick();
    this.#gossip(id);
  }

  #gossip(id: NodeId): void {
    const gossip = this.gossips.get(id) ?? raise();
    gossip.tick(this.#now);
    const { batches, messages } = gossip.takeReady() ?? { batches: [], messages: [] };
    const atMs = this.nowMs + 2;
    for (const { to, message: frame } of messages) this.#queue.push({ from: id, to, frame, atMs });
    for (const to of this.ids) for (const batch of batches) this.#queue.push({ from: id, to, frame: { type: 'batch', batch }, atMs });
  }

  get #now() {
    return { ms: this.nowMs, unixMs: 1_000_000 + this.nowMs + this.clockOffsetMs };
  }

  write(id: NodeId, key: string, value: string): void {
    const gossip = this.gossips.get(id) ?? raise();
    gossip.write(key, new TextEncoder().encode(value), { generation: 1, role: 'owner' }, this.#now);
  }

  #linked(a: NodeId, b: NodeId): boolean {
    return !this.down.has(a) && !this.down.has(b) && (a === b || (this.hears(a, b) && this.hears(b, a)));
  }

  #elect(): void {
    const canLead = (id: NodeId): boolean => this.ids.filter((other) => this.#linked(id, other)).length >= majority(this.ids.length);
    if (this.#isLeaderKept || (this.#leader !== undefined && canLead(this.#leader))) return;
    this.#leader = this.ids.find(canLead);
    if (this.#leader !== undefined) this.#term++;
  }

  #follow(id: NodeId): void {
    const leader = this.#leader;
    if (leader === undefined || !this.#linked(id, leader)) return;
    const [own, leaders] = [this.log(id), this.log(leader)];
    if (leader === id) {
      const lengths = this.ids.map((other) => (this.#linked(leader, other) ? this.log(other).terms.length : 0)).toSorted((a, b) => b - a);
      own.committed = Math.max(own.committed, lengths[majority(this.ids.length) - 1] ?? 0);
      own.terms.push(this.#term);
    } else {
      own.terms.forEach((term, i) => {
        const other = leaders.terms[i];
        if (other !== undefined && other !== term)
          own.truncated.push({ index: i + 1, term, kind: 'noop', count: 1, data: new Uint8Array() });
      });
      own.terms = leaders.terms.slice();
      own.committed = leaders.committed;
    }
  }

  #view(id: NodeId) {
    const { terms, committed } = this.log(id);
    const led = this.#leader !== undefined && this.#linked(id, this.#leader);
    return {
      members: this.ids,
      voters: this.ids,
      isQuorum: (isHeard: (node: NodeId) => boolean) => this.ids.filter(isHeard).length >= majority(this.ids.length),
      leader: led ? this.#leader : undefined,
      term: led ? this.#term : 1,
      commitIndex: committed,
      lastIndex: () => terms.length,
      snapshots: 0,
      snapshotIndex: () => 0,
      lateResults: 0,
      head: { index: 0, chain: new Uint8Array(32) },
      chainAt: () => undefined,
      takeTruncated: () => this.log(id).truncated.splice(0),
      epoch: 0,
      votes: { open: 0, decided: 0, noConsensus: 0 },
      termAt: (index: number) => terms[index - 1],
      matchIndex: (voter: NodeId) => this.log(voter).terms.length,
      leases: () => [],
      hold: () => undefined,
      appliedIndex: committed,
    };
  }
}

function raise(): never {
  throw new Error('no such node');
}
