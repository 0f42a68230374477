import { defined } from '../src/core/assert.ts';
import { type NodeId, nodeId } from '../src/core/ids.ts';
import type { Logger } from '../src/core/logger.ts';
import { majority } from '../src/core/quorum.ts';
import { SeededRandom } from '../src/core/random.ts';
import type { GossipMessage } from '../src/gossip/messages.ts';
import { AgentGossip } from '../src/node/gossip/agent-gossip.ts';
import type { PartitionView } from '../src/node/partition/partition-ports.ts';
import { Partition } from '../src/node/partition/partition.ts';
import { pinged } from '../src/node/pinged.ts';
import { ticksPerHeartbeat } from '../src/node/replica-options.ts';
import { EventQueue } from './event-queue.ts';
import type { SplitGossip } from '../src/node/partition/split-gossip.ts';
import type { Gossip } from '../src/gossip/gossip.ts';
import { type GossipListener, GossipProcess } from './gossip/gossip-process.ts';
import { LightSeals } from './gossip/light-seals.ts';
import { simulatedKeys } from './simulated-keys.ts';

const heartbeatMs = 100;
const tickMs = heartbeatMs / ticksPerHeartbeat;
const startUnixMs = 1_800_000_000_000;
/** Half of what is computed for so many: what it misses anti-entropy brings, and the world runs twice as fast. */
const spread = { fanout: 4 };

interface LargeNode {
  readonly id: NodeId;
  readonly gossip: GossipProcess;
  /** Between the gossip and the watch. */
  readonly rows: AgentGossip;
  partition: Partition;
  /** As its log has them. */
  members: readonly NodeId[];
  /** Rises with every start and end: what was scheduled by an earlier life does nothing. */
  life: number;
  isUp: boolean;
}

/** What one node says of another's link, with how it came to that. */
export interface LinkNews {
  readonly atMs: number;
  readonly by: NodeId;
  readonly peer: NodeId;
  readonly state: unknown;
}

/**
 * Many nodes, of which the first five vote: the product's watch over partitions and its gossip, by direct links, over a virtual network that loses, delays and cuts.
 * Of Raft there is only what the watch looks at: the first node leads, voters and others ping each other, nothing is written. Seconds of it cost what a cluster of
 * replicas would cost in minutes.
 */
export class LargeWorld implements GossipListener {
  readonly ids: readonly NodeId[];
  /** All that the nodes noticed of links, in order. */
  readonly news: LinkNews[] = [];
  /** Frames that were sent for the watch itself, those of the gossip, and the pings. */
  readonly sent = { partition: 0, gossip: 0, pings: 0 };
  /** Percent of all frames. */
  loss = 0;
  hears: (hearer: NodeId, speaker: NodeId) => boolean = () => true;
  readonly #queue = new EventQueue();
  readonly #random: SeededRandom;
  readonly #seals = new LightSeals();
  readonly #nodes: ReadonlyMap<NodeId, LargeNode>;

  /** @param members how many of the nodes are members, and run, from the beginning on. */
  constructor({ seed, nodes, members = nodes }: { readonly seed: number; readonly nodes: number; readonly members?: number }) {
    this.#random = new SeededRandom(seed);
    this.ids = Array.from({ length: nodes }, (_, i) => nodeId(`n${i + 1}`));
    const first = this.ids.slice(0, members);
    this.#nodes = new Map(this.ids.map((id) => [id, this.#node(id, first)]));
    for (const id of first) this.start(id);
  }

  get nowMs(): number {
    return this.#queue.nowUs / 1000;
  }

  partition(id: NodeId): Partition {
    return this.#at(id).partition;
  }

  /** Those that are up. */
  get up(): readonly NodeId[] {
    return this.ids.filter((id) => this.#at(id).isUp);
  }

  /** The first `count` are members now. Their logs have it one after the other, within three heartbeats. */
  setMembers(count: number): void {
    const members = this.ids.slice(0, count);
    for (const node of this.#nodes.values()) {
      this.#queue.after(this.#random.below(3 * heartbeatMs * 1000), () => {
        node.members = members;
        node.gossip.setMembers(members);
        if (node.life === 0 && members.includes(node.id)) this.start(node.id);
      });
    }
  }

  start(id: NodeId): void {
    const node = this.#at(id);
    node.partition = this.#partition(id, node.life + 1);
    node.isUp = true;
    const life = ++node.life;
    node.gossip.start();
    for (const peer of this.up) {
      if (peer === id) continue;
      node.gossip.linkUp(peer);
      this.#at(peer).gossip.linkUp(id);
    }
    const every = (ms: number, job: () => void): void =>
      this.#queue.after(ms * 1000, () => {
        if (node.life !== life) return;
        job();
        every(ms, job);
      });
    this.#queue.after(this.#random.below(tickMs * 1000), () => every(tickMs, () => node.partition.tick()));
    this.#queue.after(this.#random.below(heartbeatMs * 1000), () => every(heartbeatMs, () => this.#ping(id)));
  }

  /** The machine has no power any more: no connection is closed. */
  kill(id: NodeId): void {
    const node = this.#at(id);
    node.isUp = false;
    node.life++;
    node.gossip.crash();
  }

  run(forMs: number): void {
    const untilUs = this.#queue.nowUs + forMs * 1000;
    while (this.#queue.step(untilUs));
    // Time goes on though nothing happens.
    this.#queue.after(untilUs - this.#queue.nowUs, () => {});
    while (this.#queue.step(untilUs));
  }

  // What the gossip wants done.

  send(from: NodeId, to: NodeId, message: GossipMessage, hops: number): void {
    this.sent.gossip++;
    this.#carry(from, to, (node) => {
      node.partition.heard(from);
      node.gossip.receive(from, message, hops);
    });
  }

  changed({ id }: GossipProcess, key: string): void {
    this.#at(id).rows.onChanged(this.#told(id), new Set([key]));
  }

  suspected(): void {}

  #node(id: NodeId, members: readonly NodeId[]): LargeNode {
    const rows = new AgentGossip({
      self: id,
      name: id,
      agentOf: () => undefined,
      nameOf: (node) => node,
      onBeat() {},
      onRow: (row) => this.#at(id).partition.onGossip(row),
      clock: this.#clock,
    });
    const gossip = new GossipProcess({
      id,
      members,
      queue: this.#queue,
      random: this.#random,
      sealer: this.#seals.sealer(id),
      mayWrite: rows.mayWrite,
      clockOffsetMs: 0,
      spread,
      listener: this,
    });
    return { id, gossip, rows, partition: this.#partition(id, 0), members, life: 0, isUp: false };
  }

  #partition(self: NodeId, boot: number): Partition {
    const note = (fields: Readonly<Record<string, unknown>>, message: string): void => {
      if (message === 'link') this.news.push({ atMs: this.nowMs, by: self, peer: nodeId(String(fields['peer'])), state: fields['state'] });
    };
    const logger: Logger = { debug() {}, info: note, warn() {}, error() {} };
    return new Partition(
      { self, boot, clusterTag: 7, heartbeatMs, tickMs, graceMs: 100 * heartbeatMs },
      {
        send: (to, frame) => {
          this.sent.partition++;
          this.#carry(self, to, (node) => node.partition.onFrame(self, frame));
        },
        dial() {},
        onRelayed() {},
        onUnheard() {},
        campaignSoon() {},
        resign() {},
        transferTo() {},
        publish: (row) => {
          this.#at(self).rows.tellRow(this.#told(self), row);
          this.#at(self).gossip.pump();
        },
        keys: simulatedKeys(self),
        gossip: splitGossipOf(() => this.#at(self).gossip),
        view: () => viewOf(this.#at(self)),
        clock: this.#clock,
        random: this.#random,
        logger,
      },
    );
  }

  readonly #clock = { monotonicMs: () => this.nowMs, unixMs: () => Math.floor(startUnixMs + this.nowMs) };

  #told(id: NodeId): Parameters<AgentGossip['tellRow']>[0] {
    const { gossip: process } = this.#at(id);
    const gossip = defined(process.gossip, 'who tells is up');
    return {
      get: (key) => gossip.get(key),
      entries: () => gossip.entries(),
      write: (key, value, as) => gossip.write(key, value, as, process.now),
    };
  }

  #ping(id: NodeId): void {
    const { members } = this.#at(id);
    for (const to of pinged(id, members, votersOf(members))) {
      this.sent.pings++;
      this.#carry(id, to, (node) => node.partition.heard(id));
    }
  }

  #carry(from: NodeId, to: NodeId, arrive: (node: LargeNode) => void): void {
    if (!this.hears(to, from) || this.#random.below(100) < this.loss) return;
    this.#queue.after(500 + this.#random.below(1500), () => {
      const node = this.#at(to);
      if (node.isUp && this.hears(to, from)) arrive(node);
    });
  }

  #at(id: NodeId): LargeNode {
    return defined(this.#nodes.get(id), 'a node of this world');
  }
}

function splitGossipOf(process: () => GossipProcess): SplitGossip {
  const gossip = (): Gossip => defined(process().gossip, 'who watches is up');
  return {
    get digest() {
      return gossip().digest;
    },
    get merged() {
      return gossip().merged;
    },
    beginSplit: () => gossip().beginSplit(),
    lostPeer: (peer) => gossip().lostPeer(peer),
    meetPeer: (peer, have) => gossip().meetPeer(peer, have, process().now),
    isMerged: (peer) => gossip().isMerged(peer),
  };
}

const votersOf = (members: readonly NodeId[]): readonly NodeId[] => members.slice(0, 5);

function viewOf({ members }: LargeNode): PartitionView {
  const voters = votersOf(members);
  return {
    members,
    voters,
    isQuorum: (isHeard) => voters.filter(isHeard).length >= majority(voters.length),
    leader: voters[0],
    term: 1,
    commitIndex: 1,
    lastIndex: () => 1,
    snapshotIndex: () => 0,
    termAt: () => 1,
    head: { index: 0, chain: new Uint8Array(32) },
    chainAt: () => undefined,
    takeTruncated: () => [],
    epoch: 0,
    matchIndex: () => 1,
    leases: () => [],
    hold: () => undefined,
    appliedIndex: 1,
    snapshots: 0,
    lateResults: 0,
    votes: { open: 0, decided: 0, noConsensus: 0 },
  };
}
