import type { GuardedAction } from '../src/byzantine/guard.ts';
import { type NodeId, nodeId } from '../src/core/ids.ts';
import type { Clock } from '../src/core/clock.ts';
import type { Logger } from '../src/core/logger.ts';
import { SeededRandom } from '../src/core/random.ts';
import type { Guard } from '../src/node/guarding/guard.ts';
import { Partition } from '../src/node/partition/partition.ts';
import { partitionView } from '../src/node/partition/replica-view.ts';
import type { SplitGossip } from '../src/node/partition/split-gossip.ts';
import { Replica } from '../src/node/replica.ts';
import { ticksPerHeartbeat } from '../src/node/replica-options.ts';
import { restoreState } from '../src/node/snapshots.ts';
import type { PartitionState } from '../src/partition/partition-state.ts';
import { StorageError } from '../src/storage/storage-error.ts';
import { isGossipFrame } from '../src/wire/gossip.ts';
import { isPartitionFrame } from '../src/wire/partition.ts';
import { ClusterState } from '../src/tasks/state.ts';
import { ClientHistory } from './client-history.ts';
import { DriftingClock } from './drifting-clock.ts';
import { EventQueue } from './event-queue.ts';
import { Canary } from './invariants/all.ts';
import type { Invariant } from './invariants/invariant.ts';
import { type Checks, Observer } from './invariants/observer.ts';
import { isQuorum } from './invariants/quorums.ts';
import { VirtualNetwork } from './network.ts';
import { Operator } from './operator.ts';
import { calmDisk, type Plan } from './plan.ts';
import { SimulatedGossip } from './simulated-gossip.ts';
import { simulatedKeys } from './simulated-keys.ts';
import { LevelDisk } from './storage/level-disk.ts';
import { MemoryDisk } from './storage/memory-disk.ts';
import type { OpenedDisk, SimulatedDisk } from './storage/simulated-disk.ts';
import { TlaTrace } from './tla-trace.ts';
import { type Listeners, Trace } from './trace.ts';
import { hold } from './violation.ts';
import { Workload } from './workload.ts';

const heartbeatMs = 100;
const tickUs = (heartbeatMs * 1000) / ticksPerHeartbeat;
/** Small, so that a snapshot is written, sent and installed in many pieces while the log goes on. */
const snapshotChunkBytes = 1000;
const untold = { term: 0, isLeader: false, snapshots: 0 };
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

interface SimulatedNode {
  readonly id: NodeId;
  readonly disk: SimulatedDisk;
  replica: Replica | undefined;
  /** As long as the replica is there. */
  partition: Partition | undefined;
  gossip: SimulatedGossip | undefined;
  /** When a frame of each other node last reached this machine. */
  readonly reachedUs: number[];
  /** Its store is being opened. */
  isStarting: boolean;
  paused: boolean;
  /** Rises with every start: what was scheduled by an earlier life does nothing. */
  life: number;
  /** As a node counts them on its disk. */
  starts: number;
  /** Work that a paused node has not got to. */
  held: (() => void)[];
  /** The node's wall clock against true time, in milliseconds. */
  clockOffsetMs: number;
  readonly clock: DriftingClock;
  /** Virtual microseconds between two ticks. */
  tickUs: number;
  /** The least time that a write takes. */
  slowUs: number;
  /** Set by an ambush: how many frames it may still send, and what then happens. */
  allowance: { left: number; readonly spent: () => void } | undefined;
  /** How far its program's version is from the others'. */
  skew: number;
  /** Somebody has rewritten its log, and it was not repaired yet: clients keep away from it. */
  isRewritten: boolean;
  /** What the trace was last told of the node's life: its term, whether it leads, and its snapshots. */
  told: { readonly term: number; readonly isLeader: boolean; readonly snapshots: number };
  readonly random: SeededRandom;
}

/** A disk that was made to fail, as opposed to a bug. */
class DiskFailure extends Error {
  override readonly name = 'DiskFailure';
}

const isDiskFailure = (error: unknown): boolean =>
  error instanceof DiskFailure || (error instanceof StorageError && error.cause instanceof DiskFailure);

/** What is drawn for one purpose doesn't shift what is drawn for another: a run with one fault less stays like the run with it. */
const streams = {
  network: 1,
  disk: 2,
  crash: 3,
  clients: 4,
  core: 5,
  ambush: 6,
  operator: 7,
  asked: 8,
  secondOperator: 9,
  flips: 10,
  rewrites: 11,
  nodes: 16,
  partitions: 4096,
  gossip: 8192,
} as const;

export interface WorldOptions extends Listeners {
  readonly seed: number;
  readonly plan: Pick<
    Plan,
    'nodes' | 'founders' | 'snapshotBytes' | 'appendBytes' | 'mixed' | 'reads' | 'network' | 'disk' | 'storage' | 'clients'
  >;
  /** Ids of the nodes; by default n1, n2 and so on. */
  readonly ids?: readonly NodeId[];
  /** What a node verifies certificates by; none by default. A new one for every start. */
  readonly guardOf?: (id: NodeId, lies: () => boolean) => Guard;
  /** What the members have approved of the changes that a leader wants to make of its own; by default nothing. */
  readonly approvalOf?: (id: NodeId, action: GuardedAction) => string | undefined;
  /** Invariants for this world alone. */
  readonly invariants?: readonly Invariant[];
  /** One invariant more, which no run can keep. */
  readonly canary?: boolean | undefined;
}

/** A cluster of production nodes over a virtual clock, network and disks. Everything that happens is decided by the seed. */
export class World {
  readonly queue = new EventQueue();
  readonly network: VirtualNetwork;
  readonly history = new ClientHistory(() => this.queue.nowUs);
  readonly observer: Observer;
  readonly trace: Trace;
  readonly workload: Workload;
  /** They take turns in being told what the members shall be, and go on side by side. */
  readonly #operators: readonly [Operator, Operator];
  #wants = 0;
  readonly counts = {
    crashes: 0,
    partitions: 0,
    pauses: 0,
    skews: 0,
    transfers: 0,
    snapshots: 0,
    installs: 0,
    diskFailures: 0,
    lostDisks: 0,
    bitFlips: 0,
    rewrittenLogs: 0,
  };
  /** Node numbers. */
  readonly indices: readonly number[];
  isHealed = false;
  /** They let into their logs what no certificate permits. */
  readonly lying = new Set<NodeId>();
  /** Their logs may hold what nobody else takes. */
  readonly #liars = new Set<NodeId>();
  /** Told every new leader. */
  onElected: ((leader: number) => void) | undefined;
  readonly ambushRandom: SeededRandom;
  readonly #diskRandom: SeededRandom;
  readonly #crashRandom: SeededRandom;
  readonly #operatorRandom: SeededRandom;
  #disks = calmDisk;
  readonly #options: WorldOptions;
  readonly #nodes: SimulatedNode[];
  /** The node that the running event is about. */
  #touched: number | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { nodes, founders, network, disk } = options.plan;
    this.trace = new Trace(() => this.queue.nowUs, options);
    this.network = new VirtualNetwork(nodes, this.queue, this.stream(streams.network), (from, to, frame) => this.#deliver(from, to, frame));
    this.network.faults = network;
    this.#disks = disk;
    this.#diskRandom = this.stream(streams.disk);
    this.#crashRandom = this.stream(streams.crash);
    this.#operatorRandom = this.stream(streams.asked);
    this.ambushRandom = this.stream(streams.ambush);
    const names = options.ids ?? Array.from({ length: nodes }, (_, i) => nodeId(`n${i + 1}`));
    this.#nodes = names.map((id, i) => ({
      id,
      disk: options.plan.storage === 'level' ? new LevelDisk(id, this.#crashRandom) : new MemoryDisk(this.#crashRandom),
      replica: undefined,
      partition: undefined,
      gossip: undefined,
      reachedUs: Array.from({ length: nodes }, () => 0),
      isStarting: false,
      paused: false,
      life: 0,
      starts: 0,
      held: [],
      clockOffsetMs: 0,
      tickUs,
      clock: new DriftingClock(() => this.queue.nowUs),
      slowUs: 0,
      allowance: undefined,
      skew: 0,
      isRewritten: false,
      told: untold,
      random: this.stream(streams.nodes + i),
    }));
    this.indices = this.#nodes.map((_, i) => i);
    const ids = this.#nodes.map(({ id }) => id);
    const { canary, onTla, invariants = [] } = options;
    this.observer = new Observer(ids, ids.slice(0, founders), [
      this.history,
      ...invariants,
      ...(canary === true ? [new Canary()] : []),
      ...(onTla === undefined ? [] : [new TlaTrace(() => this.queue.nowUs, onTla)]),
    ]);
    const operator = (purpose: number): Operator =>
      new Operator({
        queue: this.queue,
        random: this.stream(purpose),
        anyReplica: () => this.#nodes[this.#operatorRandom.below(nodes)]?.replica,
      });
    this.#operators = [operator(streams.operator), operator(streams.secondOperator)];
    this.workload = new Workload({
      queue: this.queue,
      random: this.stream(streams.clients),
      replica: (node) => (this.#at(node).paused || this.#at(node).isRewritten ? undefined : this.#at(node).replica),
      nodes,
      history: this.history,
      observer: this.observer,
    });
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** Numbers for one purpose. */
  stream(purpose: number): SeededRandom {
    return new SeededRandom(this.#options.seed + purpose * 2 ** 32);
  }

  get coreRandom(): SeededRandom {
    return this.stream(streams.core);
  }

  /** The node that serves as leader in the newest term, if any. */
  get leader(): number | undefined {
    let found: number | undefined;
    let newest = 0;
    for (const [i, { replica }] of this.#nodes.entries()) {
      if (replica?.isServing !== true || replica.raft.term <= newest) continue;
      newest = replica.raft.term;
      found = i;
    }
    return found;
  }

  /** True if a majority that is up, and has all its promises on disk, is left without these nodes: the fault atlas keeps what must be recoverable so. */
  canSpare(nodes: readonly number[]): boolean {
    const left = (node: number): boolean => !nodes.includes(node) && this.isUp(node) && this.isWhole(node) && this.#at(node).skew === 0;
    return this.isQuorum(this.indices.filter(left));
  }

  /** A change of the members may be under way: who is indispensable after it is not known yet. */
  get isChanging(): boolean {
    return this.observer.changeIndex > this.observer.agreed.changeIndex;
  }

  /** True if these are a majority of every configuration that may be in force somewhere. */
  isQuorum(nodes: readonly number[]): boolean {
    const ids = new Set(nodes.map((node) => this.#at(node).id));
    return this.observer.agreed.newestConfigurations.every((configuration) => isQuorum(configuration, (id) => ids.has(id)));
  }

  /** True if these suffice to become whole: nodes that lost their disks are taken in again only by a majority that kept theirs, and nobody needs a liar. */
  canGoOn(nodes: readonly number[]): boolean {
    return this.isQuorum(nodes.filter((node) => this.isWhole(node) && !this.#liars.has(this.idOf(node))));
  }

  idOf(node: number): NodeId {
    return this.#at(node).id;
  }

  replica(node: number): Replica | undefined {
    return this.#at(node).replica;
  }

  /** Where a node says that it stands. */
  standing(node: number): PartitionState | undefined {
    return this.#at(node).partition?.standing.state;
  }

  isUp(node: number): boolean {
    return this.#at(node).replica !== undefined;
  }

  /** All its promises are still on its disk. */
  isWhole(node: number): boolean {
    return this.#at(node).disk.durable.isWhole;
  }

  isPaused(node: number): boolean {
    return this.#at(node).paused;
  }

  /** Runs events, and checks the world after each, until this virtual time. */
  runUntil(untilUs: number): void {
    while (this.queue.step(untilUs)) this.#check();
  }

  #sizes(index: number): { readonly snapshotBytes: number; readonly appendBytes: number } {
    const { snapshotBytes, appendBytes, mixed } = this.#options.plan;
    return mixed
      ? { snapshotBytes: snapshotBytes * 2 ** (index % 3), appendBytes: Math.max(1, Math.floor(appendBytes / 8 ** (index % 3))) }
      : { snapshotBytes, appendBytes };
  }

  // What can be done to nodes.

  start(index: number): void {
    const node = this.#at(index);
    if (node.replica !== undefined || node.isStarting) return;
    const life = ++node.life;
    const alive = (job: () => void) => (): void => {
      if (node.life !== life) return;
      if (node.paused) {
        node.held.push(job);
        return;
      }
      this.#touched = index;
      job();
    };
    this.trace.event('start', index);
    node.told = untold;
    node.isStarting = true;
    const later = (job: () => void): void => {
      const { minWriteUs, maxWriteUs } = this.#disks;
      this.queue.after(node.slowUs + minWriteUs + this.#diskRandom.below(maxWriteUs - minWriteUs + 1), alive(job));
    };
    const soon = (job: () => void): void => this.queue.after(1, alive(job));
    // A node whose disk fails ends, like the process it stands for.
    const onFatal = (error: unknown): void => {
      if (!isDiskFailure(error)) throw error;
      soon(() => this.#endAfterDiskFailure(index));
    };
    const after = (job: () => void, ms: number): void => this.queue.after(Math.max(1, Math.round(ms * 1000)), alive(job));
    node.disk.open({ later, soon }, (opened) => this.#begin(index, opened, after, onFatal), onFatal);
  }

  /** The disk is open: the node runs. */
  #begin(
    index: number,
    { store, state, chunks }: OpenedDisk,
    after: (job: () => void, ms: number) => void,
    onFatal: (error: Error) => void,
  ): void {
    const node = this.#at(index);
    const { life } = node;
    node.isStarting = false;
    this.observer.starting(node.id, state);
    node.replica = new Replica(
      {
        id: node.id,
        members: this.#nodes.slice(0, this.#options.plan.founders).map(({ id }) => id),
        clusterId: 'simulated',
        clusterTag: 7,
        heartbeatMs,
        electionTimeoutMs: 10 * heartbeatMs,
        ...this.#sizes(index),
        chunkBytes: snapshotChunkBytes,
        readMode: this.#options.plan.reads,
        requestTimeoutMs: 5000,
        guard: this.#options.guardOf?.(node.id, () => this.lying.has(node.id)),
      },
      {
        send: (to, frame) => {
          this.#send(index, this.#indexOf(to), frame);
          node.partition?.relay(to, frame);
        },
        store: this.observer.watch(node.id, store),
        clock: this.#clock(node),
        random: node.random,
        keys: simulatedKeys(node.id),
        mayLead: (candidate) => node.partition?.mayLead(candidate) ?? true,
        campaignDelay: () => node.partition?.campaignDelay ?? 0,
        logger: silent,
        defer: (job) => after(job, 0),
        onFatal,
        onHeard: (agent) => node.gossip?.heard(agent),
        onMembers: () => node.gossip?.followMembers(),
        approvalOf: (action) => this.#options.approvalOf?.(node.id, action),
        ...this.#checks(index),
      },
      state,
      state.snapshot === undefined ? new ClusterState() : restoreState(chunks),
    );
    this.observer.started(node.id, node.replica);
    const gossip = new SimulatedGossip({
      replica: node.replica,
      boot: ++node.starts,
      send: (to, frame) => this.#send(index, this.#indexOf(to), frame),
      defer: after,
      clock: this.#clock(node),
      random: this.stream(streams.gossip + index),
      logger: silent,
    });
    node.gossip = gossip;
    const partition = this.#partition(index, node, node.replica, gossip.driver);
    node.partition = partition;
    node.replica.events.subscribe((events) => partition.onEvents(events));
    const tick = (): void => {
      if (node.life !== life) return;
      if (!node.paused) {
        node.replica?.tick();
        partition.tick();
      }
      this.queue.after(node.tickUs, tick);
    };
    this.queue.after(node.random.below(tickUs), tick);
  }

  #partition(index: number, node: SimulatedNode, replica: Replica, gossip: SplitGossip): Partition {
    return new Partition(
      {
        self: node.id,
        boot: node.starts,
        clusterTag: 7,
        heartbeatMs,
        tickMs: heartbeatMs / ticksPerHeartbeat,
        graceMs: 100 * heartbeatMs,
      },
      {
        send: (to, frame) => this.#send(index, this.#indexOf(to), frame),
        // Links of this network are there whenever frames get through.
        dial() {},
        onRelayed: (from, frame) => node.replica?.onFrame(from, frame),
        resign: () => replica.resign(),
        transferTo: (to) => replica.requests.transferLeadership(to, undefined, () => {}),
        keys: simulatedKeys(node.id),
        gossip,
        view: () => partitionView(replica, [node.id]),
        clock: this.#clock(node),
        random: this.stream(streams.partitions + index),
        logger: silent,
        onLost: (peer) => {
          const quietUs = this.queue.nowUs - (node.reachedUs[this.#indexOf(peer)] ?? 0);
          this.observer.linkLost(node.id, peer, quietUs / 1000);
        },
        onSettled: (at) => {
          const up = this.#nodes.filter((each) => each.replica !== undefined).map(({ id }) => id);
          this.trace.event('healed', index, at);
          this.observer.healed(node.id, at, up);
        },
      },
    );
  }

  #clock(node: SimulatedNode): Clock {
    return {
      monotonicMs: () => node.clock.nowUs / 1000,
      unixMs: () => Math.floor(1_700_000_000_000 + this.queue.nowUs / 1000 + node.clockOffsetMs),
    };
  }

  #indexOf(id: NodeId): number {
    return this.#nodes.findIndex((node) => node.id === id);
  }

  /** The process is gone at once. Writes in flight reach the disk or not; peers may hear their connections break. */
  crash(index: number): void {
    const node = this.#at(index);
    if (node.replica === undefined && !node.isStarting) return;
    this.counts.crashes++;
    this.trace.event('crash', index);
    this.counts.snapshots += node.replica?.counters.snapshotsTaken ?? 0;
    this.counts.installs += node.replica?.counters.snapshotsInstalled ?? 0;
    node.disk.crash();
    node.replica = undefined;
    node.partition = undefined;
    node.gossip = undefined;
    node.isStarting = false;
    node.paused = false;
    node.held = [];
    node.allowance = undefined;
    node.life++;
    this.#nodes.forEach((peer, i) => {
      // A killed process resets its connections; a machine without power doesn't.
      if (i !== index && this.#crashRandom.below(2) === 0)
        this.queue.after(1000, () => {
          peer.replica?.onLink(node.id, false);
          peer.partition?.onLink(node.id, false);
        });
    });
  }

  /** Killed, and its disk is gone: it comes back as a node that the others must take in again. */
  loseDisk(index: number): void {
    this.crash(index);
    const node = this.#at(index);
    this.counts.lostDisks++;
    this.trace.event('lose', index);
    node.disk.lose();
  }

  /** Killed, and a bit on its disk is not as it was written: it comes back as if nothing was, or as a node that lost its disk. */
  flipBit(index: number): void {
    this.crash(index);
    const node = this.#at(index);
    this.counts.bitFlips++;
    this.trace.event('flip', index);
    // Drawn for this moment alone: a plan with a flip less hits the same places with the others.
    node.disk.flip(new SeededRandom(this.#options.seed + streams.flips * 2 ** 32 + this.queue.nowUs));
  }

  /** Killed, a committed entry on its disk is changed, with right checksums, and started again. */
  rewriteLog(index: number): void {
    this.crash(index);
    const node = this.#at(index);
    node.isRewritten = node.disk.rewrite(new SeededRandom(this.#options.seed + streams.rewrites * 2 ** 32 + this.queue.nowUs));
    if (node.isRewritten) {
      this.counts.rewrittenLogs++;
      this.trace.event('rewrite', index);
      this.observer.rewritten(node.id);
    }
    this.start(index);
  }

  /** An operator looks after a node whose log was rewritten some time ago: all must have noticed. */
  checkLog(index: number): void {
    const node = this.#at(index);
    if (!node.isRewritten) return;
    for (const { replica } of this.#nodes) {
      if (replica === undefined) continue;
      const { differing, isDiverged } = replica.divergence;
      const hasNoticed = replica === node.replica ? isDiverged : differing.includes(node.id) && !isDiverged;
      hold(hasNoticed, 'rewriting-is-noticed', () => `${replica.id} says of the log of ${node.id}: ${replica.divergence.detail}`);
    }
  }

  /** The disk of a node whose log was rewritten is emptied. */
  repairLog(index: number): void {
    const node = this.#at(index);
    if (!node.isRewritten) return;
    this.loseDisk(index);
    node.isRewritten = false;
    this.observer.repaired(node.id);
    this.start(index);
  }

  /** Stopped and started as another version of the program. */
  restartAs(index: number, skew: number): void {
    this.crash(index);
    if (skew !== 0) this.counts.skews++;
    this.trace.event('skew', index, skew);
    this.#at(index).skew = skew;
    this.start(index);
  }

  /** From now on this node may send so many frames; the next ones are lost, and `spent` is called. */
  limitFrames(index: number, frames: number, spent: () => void): void {
    this.#at(index).allowance = { left: frames, spent };
  }

  wantMembers(voters: readonly number[]): void {
    this.trace.event('members', 0, voters.length);
    this.#operators[this.#wants++ % 2 === 0 ? 0 : 1].want(voters.map((node) => this.#at(node).id));
  }

  /** The leader is asked to hand over to the first of these that it isn't itself. */
  transfer(to: readonly number[]): void {
    const { leader } = this;
    const target = to.find((node) => node !== leader);
    if (leader === undefined || target === undefined) return;
    this.counts.transfers++;
    this.trace.event('transfer', leader, target);
    this.#at(leader).replica?.requests.transferLeadership(this.#at(target).id, 2000, () => {});
  }

  lie(index: number, on: boolean): void {
    this.trace.event('lie', index, on ? 1 : 0);
    const id = this.idOf(index);
    if (!on) this.lying.delete(id);
    else for (const set of [this.lying, this.#liars]) set.add(id);
  }

  pause(index: number): void {
    const node = this.#at(index);
    if (node.replica === undefined || node.paused) return;
    this.counts.pauses++;
    this.trace.event('pause', index);
    node.paused = true;
  }

  resume(index: number): void {
    const node = this.#at(index);
    if (!node.paused) return;
    this.trace.event('resume', index);
    node.paused = false;
    // As in an event loop: a timer that is late fires before the sockets are read.
    node.partition?.tick();
    for (const job of node.held.splice(0)) this.queue.after(1, job);
  }

  jumpClock(index: number, byMs: number): void {
    this.trace.event('clock', index, byMs);
    this.#at(index).clockOffsetMs += byMs;
  }

  /** The next write to this node's disk fails, and the node ends. */
  failDisk(index: number): void {
    const { disk, replica } = this.#at(index);
    if (replica === undefined) return;
    this.counts.diskFailures++;
    this.trace.event('fail', index);
    disk.failNextWrite(new DiskFailure(this.#crashRandom.below(2) === 0 ? 'EIO' : 'ENOSPC'));
  }

  #endAfterDiskFailure(index: number): void {
    this.crash(index);
    // A disk that was still to fail when all faults ended.
    if (this.isHealed) this.start(index);
  }

  slowDisk(index: number, ms: number): void {
    this.trace.event('disk', index, ms);
    this.#at(index).slowUs = ms * 1000;
  }

  /** Timers run by so many percent faster. */
  drift(index: number, percent: number): void {
    this.trace.event('drift', index, percent);
    const node = this.#at(index);
    node.clock.drift(percent);
    node.tickUs = Math.round(tickUs / (1 + percent / 100));
  }

  cut(from: number, to: number): void {
    this.trace.event('cut', from, to);
    this.network.cut(from, to);
  }

  join(from: number, to: number): void {
    this.trace.event('join', from, to);
    this.network.join(from, to);
  }

  clog(from: number, to: number, on: boolean): void {
    this.trace.event(on ? 'clog' : 'unclog', from, to);
    if (on) this.network.clog(from, to);
    else this.network.unclog(from, to);
  }

  /** All faults end for these nodes, and they come back; the others are cut off, dead or not. */
  heal(core: readonly number[]): void {
    this.isHealed = true;
    this.lying.clear();
    for (const operator of this.#operators) operator.want([]);
    this.trace.event('heal', 0, core.length);
    this.network.heal();
    // A slow network is no fault.
    this.network.faults = { ...this.#options.plan.network, lossChance: 0, duplicateChance: 0, tailChance: 0 };
    this.#disks = calmDisk;
    for (const index of this.indices) {
      const node = this.#at(index);
      node.clock.drift(0);
      node.tickUs = tickUs;
      node.slowUs = 0;
      node.allowance = undefined;
      if (node.skew !== 0) this.restartAs(index, 0);
      this.repairLog(index);
      if (core.includes(index)) {
        this.resume(index);
        this.start(index);
      } else {
        for (const member of core) {
          this.cut(index, member);
          this.cut(member, index);
        }
      }
    }
  }

  // What is seen.

  #send(from: number, to: number, frame: Uint8Array): void {
    const node = this.#at(from);
    const { allowance } = node;
    // A frame for a member that has no machine yet goes nowhere.
    if (to < 0) return;
    if (allowance === undefined) {
      this.network.send(from, to, node.skew === this.#at(to).skew ? frame : ofOtherVersion(frame));
    } else if (--allowance.left >= 0) {
      this.network.send(from, to, frame);
    } else if (allowance.left === -1) {
      this.queue.after(1, () => {
        if (node.allowance !== allowance) return;
        node.allowance = undefined;
        allowance.spent();
      });
    }
  }

  #deliver(from: number, to: number, frame: Uint8Array): void {
    const node = this.#at(to);
    if (node.replica === undefined) return;
    this.trace.event('frame', to, from, frame.length);
    node.reachedUs[from] = this.queue.nowUs;
    const { life } = node;
    const job = (): void => {
      if (node.life !== life) return;
      const { id } = this.#at(from);
      node.replica?.heard(id);
      if (isPartitionFrame(frame)) {
        node.partition?.onFrame(id, frame);
        return;
      }
      node.partition?.heard(id);
      if (isGossipFrame(frame)) node.gossip?.driver.onFrame(id, frame);
      else node.replica?.onFrame(id, frame);
    };
    // A paused process finds its sockets full when it wakes, up to a point.
    if (!node.paused) job();
    else if (node.held.length < 10_000) node.held.push(job);
  }

  #checks(index: number): Checks {
    const checks = this.observer.checks(this.#at(index).id);
    return {
      ...checks,
      onConfiguration: (at, configuration) => {
        checks.onConfiguration(at, configuration);
        this.#at(index).gossip?.followMembers(at);
      },
      onApplied: (entry) => {
        this.trace.event('apply', index, entry.index, entry.term);
        this.trace.bytes(entry.data);
        checks.onApplied(entry);
      },
    };
  }

  /** Only the node that did something can have broken something. */
  #check(): void {
    const index = this.#touched;
    if (index === undefined) return;
    this.#touched = undefined;
    const node = this.#at(index);
    const { replica } = node;
    if (replica === undefined) return;
    this.#tell(index, node, replica);
    if (!this.observer.afterTurn(node.id)) return;
    this.trace.event('leader', index, replica.raft.term);
    this.onElected?.(index);
  }

  /** Tells the trace of a new term, the end of a leadership, and snapshots. A new leader is told where it is checked. */
  #tell(index: number, node: SimulatedNode, { raft, counters }: Replica): void {
    const { told } = node;
    const isLeader = raft.role === 'leader';
    const snapshots = counters.snapshotsTaken + counters.snapshotsInstalled;
    if (raft.term === told.term && isLeader === told.isLeader && snapshots === told.snapshots) return;
    if (raft.term !== told.term || (told.isLeader && !isLeader)) this.trace.event('term', index, raft.term);
    if (snapshots !== told.snapshots) this.trace.event('snapshot', index, counters.snapshotsTaken, counters.snapshotsInstalled);
    node.told = { term: raft.term, isLeader, snapshots };
  }

  #at(index: number): SimulatedNode {
    const node = this.#nodes[index];
    if (node === undefined) throw new RangeError(`there is no node ${index}`);
    return node;
  }
}

/** Its version follows the array's header. */
function ofOtherVersion(frame: Uint8Array): Uint8Array {
  const other = frame.slice();
  other[1] = (other[1] ?? 0) + 1;
  return other;
}
