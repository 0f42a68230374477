import type { GuardedAction } from '../src/byzantine/guard.ts';
import type { NodeId } from '../src/core/ids.ts';
import type { Clock } from '../src/core/clock.ts';
import type { Logger } from '../src/core/logger.ts';
import type { SeededRandom } from '../src/core/random.ts';
import type { Guard } from '../src/node/guarding/guard.ts';
import { Partition } from '../src/node/partition/partition.ts';
import { partitionView } from '../src/node/partition/replica-view.ts';
import { Replica } from '../src/node/replica.ts';
import { type ReplicaPorts, ticksPerHeartbeat } from '../src/node/replica-options.ts';
import { restoreState } from '../src/node/snapshots.ts';
import { StorageError } from '../src/storage/storage-error.ts';
import { isGossipFrame } from '../src/wire/gossip.ts';
import { isPartitionFrame } from '../src/wire/partition.ts';
import { ClusterState } from '../src/tasks/state.ts';
import { DriftingClock } from './drifting-clock.ts';
import type { EventQueue } from './event-queue.ts';
import type { Observer } from './invariants/observer.ts';
import { SimulatedGossip } from './simulated-gossip.ts';
import { simulatedKeys } from './simulated-keys.ts';
import type { OpenedDisk, SimulatedDisk } from './storage/simulated-disk.ts';
import type { Trace } from './trace.ts';

const heartbeatMs = 100;
const tickUs = (heartbeatMs * 1000) / ticksPerHeartbeat;
/** Small, so that a snapshot is written, sent and installed in many pieces while the log goes on. */
const snapshotChunkBytes = 1000;
/** What waits for a paused process; frames beyond are lost. */
const maxHeld = 10_000;
const untold = { term: 0, isLeader: false, snapshots: 0 };
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A disk that was made to fail, as opposed to a bug. */
export class DiskFailure extends Error {
  override readonly name = 'DiskFailure';
}

const isDiskFailure = (error: unknown): boolean =>
  error instanceof DiskFailure || (error instanceof StorageError && error.cause instanceof DiskFailure);

/** How a node is set up. */
export interface MachineSettings {
  readonly founders: readonly NodeId[];
  readonly snapshotBytes: number;
  readonly appendBytes: number;
  readonly readMode: 'safe' | 'lease';
}

/** The world as a machine sees it. */
export interface MachineWorld {
  readonly queue: EventQueue;
  readonly trace: Trace;
  readonly observer: Observer;
  /** Undefined for a member that has no machine yet. */
  machineOf(id: NodeId): Machine | undefined;
  /** The ids of all nodes that run. */
  upIds(): readonly NodeId[];
  send(from: number, to: number, frame: Uint8Array): void;
  /** How long a disk takes for a write that begins now. */
  drawWriteUs(): number;
  /** What the node verifies certificates by; a new one for every start. */
  guardOf(id: NodeId): Guard | undefined;
  approvalOf(id: NodeId, action: GuardedAction): string | undefined;
  /** The running event is about this node. */
  onTouched(index: number): void;
  /** Its disk failed as it was made to. */
  onDiskFailure(index: number): void;
}

export interface MachineParts {
  readonly index: number;
  readonly id: NodeId;
  readonly settings: MachineSettings;
  readonly disk: SimulatedDisk;
  readonly random: SeededRandom;
  readonly partitionRandom: () => SeededRandom;
  readonly gossipRandom: () => SeededRandom;
}

/**
 * One simulated machine, and the production node that runs on it or doesn't: its disk, its clocks, its process with all that a process may suffer. What is scheduled by
 * one life of the process does nothing in the next.
 */
export class Machine {
  readonly index: number;
  readonly id: NodeId;
  readonly disk: SimulatedDisk;
  /** The node's wall clock against true time, in milliseconds. */
  clockOffsetMs = 0;
  /** The least time that a write takes. */
  slowUs = 0;
  /** How far its program's version is from the others'. */
  skew = 0;
  /** Somebody has rewritten its log, and it was not repaired yet: clients keep away from it. */
  isRewritten = false;
  readonly #parts: MachineParts;
  readonly #world: MachineWorld;
  readonly #clock: DriftingClock;
  /** When a frame of each other node last reached this machine. */
  readonly #reachedUs = new Map<NodeId, number>();
  #replica: Replica | undefined;
  /** As long as the replica is there. */
  #partition: Partition | undefined;
  #gossip: SimulatedGossip | undefined;
  /** Its store is being opened. */
  #isStarting = false;
  #isPaused = false;
  /** Rises with every start. */
  #life = 0;
  /** As a node counts them on its disk. */
  #starts = 0;
  /** Work that a paused node has not got to. */
  #held: (() => void)[] = [];
  /** Virtual microseconds between two ticks. */
  #tickUs = tickUs;
  /** Set by an ambush: how many frames it may still send, and what then happens. */
  #allowance: { left: number; readonly spent: () => void } | undefined;
  /** What the trace was last told of the node's life: its term, whether it leads, and its snapshots. */
  #told: { readonly term: number; readonly isLeader: boolean; readonly snapshots: number } = untold;

  constructor(parts: MachineParts, world: MachineWorld) {
    this.index = parts.index;
    this.id = parts.id;
    this.disk = parts.disk;
    this.#parts = parts;
    this.#world = world;
    this.#clock = new DriftingClock(() => world.queue.nowUs);
  }

  get replica(): Replica | undefined {
    return this.#replica;
  }

  get partition(): Partition | undefined {
    return this.#partition;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** It runs, or will soon. */
  get isAlive(): boolean {
    return this.#replica !== undefined || this.#isStarting;
  }

  start(): void {
    if (this.isAlive) return;
    const { queue, trace } = this.#world;
    const life = ++this.#life;
    const alive = (job: () => void) => (): void => {
      if (this.#life !== life) return;
      if (this.#isPaused) {
        this.#held.push(job);
        return;
      }
      this.#world.onTouched(this.index);
      job();
    };
    trace.event('start', this.index);
    this.#told = untold;
    this.#isStarting = true;
    const later = (job: () => void): void => queue.after(this.slowUs + this.#world.drawWriteUs(), alive(job));
    const soon = (job: () => void): void => queue.after(1, alive(job));
    // A node whose disk fails ends, like the process it stands for.
    const onFatal = (error: unknown): void => {
      if (!isDiskFailure(error)) throw error;
      soon(() => this.#world.onDiskFailure(this.index));
    };
    const after = (job: () => void, ms: number): void => queue.after(Math.max(1, Math.round(ms * 1000)), alive(job));
    this.disk.open({ later, soon }, (opened) => this.#begin(opened, after, onFatal), onFatal);
  }

  /** The disk is open: the node runs. */
  #begin(opened: OpenedDisk, after: (job: () => void, ms: number) => void, onFatal: (error: Error) => void): void {
    const { queue, observer } = this.#world;
    const life = this.#life;
    const { random } = this.#parts;
    this.#isStarting = false;
    observer.starting(this.id, opened.state);
    const replica = this.#makeReplica(opened, (job) => after(job, 0), onFatal);
    this.#replica = replica;
    observer.started(this.id, replica);
    const gossip = new SimulatedGossip({
      replica,
      boot: ++this.#starts,
      send: (to, frame) => {
        replica.spoke(to);
        this.#send(to, frame);
      },
      onRow: (row) => this.#partition?.onGossip(row),
      defer: after,
      clock: this.#wallClock(),
      random: this.#parts.gossipRandom(),
      logger: silent,
    });
    this.#gossip = gossip;
    const partition = this.#makePartition(replica, gossip);
    this.#partition = partition;
    replica.events.subscribe((events) => partition.onEvents(events));
    const tick = (): void => {
      if (this.#life !== life) return;
      if (!this.#isPaused) {
        replica.tick();
        partition.tick();
      }
      queue.after(this.#tickUs, tick);
    };
    queue.after(random.below(tickUs), tick);
  }

  #makeReplica({ store, state, chunks }: OpenedDisk, defer: (job: () => void) => void, onFatal: (error: Error) => void): Replica {
    const { founders, snapshotBytes, appendBytes, readMode } = this.#parts.settings;
    return new Replica(
      {
        id: this.id,
        members: founders,
        clusterId: 'simulated',
        clusterTag: 7,
        heartbeatMs,
        electionTimeoutMs: 10 * heartbeatMs,
        snapshotBytes,
        appendBytes,
        chunkBytes: snapshotChunkBytes,
        readMode,
        requestTimeoutMs: 5000,
        guard: this.#world.guardOf(this.id),
      },
      {
        send: (to, frame) => {
          this.#send(to, frame);
          this.#partition?.relay(to, frame);
        },
        store: this.#world.observer.watch(this.id, store),
        clock: this.#wallClock(),
        random: this.#parts.random,
        keys: simulatedKeys(this.id),
        mayLead: (candidate) => this.#partition?.mayLead(candidate) ?? true,
        campaignDelay: () => this.#partition?.campaignDelay ?? 0,
        logger: silent,
        defer,
        onFatal,
        onHeard: (agent) => this.#gossip?.heard(agent),
        onMembers: () => this.#gossip?.followMembers(),
        approvalOf: (action) => this.#world.approvalOf(this.id, action),
        ...this.#checks(),
      },
      state,
      state.snapshot === undefined ? new ClusterState() : restoreState(chunks),
    );
  }

  #makePartition(replica: Replica, gossip: SimulatedGossip): Partition {
    const { queue, trace, observer } = this.#world;
    return new Partition(
      {
        self: this.id,
        boot: this.#starts,
        clusterTag: 7,
        heartbeatMs,
        tickMs: heartbeatMs / ticksPerHeartbeat,
        graceMs: 100 * heartbeatMs,
      },
      {
        send: (to, frame) => {
          replica.spoke(to);
          this.#send(to, frame);
        },
        // Links of this network are there whenever frames get through.
        dial() {},
        onRelayed: (from, frame) => this.#replica?.onFrame(from, frame),
        resign: () => replica.resign(),
        onUnheard: (isUnheard) => replica.links.onUnheard(isUnheard),
        campaignSoon: () => replica.campaignSoon(),
        transferTo: (to) => replica.requests.transferLeadership(to, undefined, () => {}),
        publish: (row) => gossip.tellRow(row),
        keys: simulatedKeys(this.id),
        gossip: gossip.driver,
        view: () => partitionView(replica, [this.id]),
        clock: this.#wallClock(),
        random: this.#parts.partitionRandom(),
        logger: silent,
        onLost: (peer, isTorn) => {
          const quietUs = queue.nowUs - (this.#reachedUs.get(peer) ?? 0);
          observer.linkLost(this.id, peer, quietUs / 1000, isTorn);
        },
        onSettled: (at) => {
          trace.event('healed', this.index, at);
          observer.healed(this.id, at, this.#world.upIds());
        },
      },
    );
  }

  #wallClock(): Clock {
    return {
      monotonicMs: () => this.#clock.nowUs / 1000,
      unixMs: () => Math.floor(1_700_000_000_000 + this.#world.queue.nowUs / 1000 + this.clockOffsetMs),
    };
  }

  #checks(): Partial<ReplicaPorts> {
    const { observer, trace } = this.#world;
    const checks = observer.checks(this.id);
    return {
      ...checks,
      onConfiguration: (at, configuration) => {
        checks.onConfiguration(at, configuration);
        this.#gossip?.followMembers(at);
      },
      onApplied: (entry) => {
        trace.event('apply', this.index, entry.index, entry.term);
        trace.bytes(entry.data);
        checks.onApplied(entry);
      },
    };
  }

  /** The process is gone at once. Writes in flight reach the disk or not. */
  crash(): void {
    this.disk.crash();
    this.#replica = undefined;
    this.#partition = undefined;
    this.#gossip = undefined;
    this.#isStarting = false;
    this.#isPaused = false;
    this.#held = [];
    this.#allowance = undefined;
    this.#life++;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    // As in an event loop: a timer that is late fires before the sockets are read.
    this.#partition?.tick();
    for (const job of this.#held.splice(0)) this.#world.queue.after(1, job);
  }

  /** Timers run by so many percent faster. */
  drift(percent: number): void {
    this.#clock.drift(percent);
    this.#tickUs = Math.round(tickUs / (1 + percent / 100));
  }

  /** From now on this node may send so many frames; the next ones are lost, and `spent` is called. */
  limitFrames(frames: number, spent: () => void): void {
    this.#allowance = { left: frames, spent };
  }

  /** Nothing is wrong with its clock, its disk and what it sends any more. */
  mend(): void {
    this.drift(0);
    this.slowUs = 0;
    this.#allowance = undefined;
  }

  #send(id: NodeId, frame: Uint8Array): void {
    const to = this.#world.machineOf(id);
    const allowance = this.#allowance;
    // A frame for a member that has no machine yet goes nowhere.
    if (to === undefined) return;
    if (allowance === undefined) {
      this.#world.send(this.index, to.index, this.skew === to.skew ? frame : ofOtherVersion(frame));
    } else if (--allowance.left >= 0) {
      this.#world.send(this.index, to.index, frame);
    } else if (allowance.left === -1) {
      this.#world.queue.after(1, () => {
        if (this.#allowance !== allowance) return;
        this.#allowance = undefined;
        allowance.spent();
      });
    }
  }

  /** A frame of another machine has come through the network. */
  receive(from: Machine, frame: Uint8Array): void {
    if (this.#replica === undefined) return;
    const { queue, trace } = this.#world;
    trace.event('frame', this.index, from.index, frame.length);
    this.#reachedUs.set(from.id, queue.nowUs);
    const life = this.#life;
    const job = (): void => {
      if (this.#life !== life) return;
      const { id } = from;
      this.#replica?.heard(id);
      if (isPartitionFrame(frame)) {
        this.#partition?.onFrame(id, frame);
        return;
      }
      this.#partition?.heard(id);
      if (isGossipFrame(frame)) this.#gossip?.driver.onFrame(id, frame);
      else this.#replica?.onFrame(id, frame);
    };
    // A paused process finds its sockets full when it wakes, up to a point.
    if (!this.#isPaused) job();
    else if (this.#held.length < maxHeld) this.#held.push(job);
  }

  /** A connection to the peer broke. */
  loseLink(peer: NodeId): void {
    this.#replica?.onLink(peer, false);
    this.#partition?.onLink(peer, false);
  }

  /** Tells the trace of a new term, the end of a leadership, and snapshots. A new leader is told where it is checked. */
  tell(): void {
    if (this.#replica === undefined) return;
    const { raft, counters } = this.#replica;
    const { trace } = this.#world;
    const told = this.#told;
    const isLeader = raft.role === 'leader';
    const snapshots = counters.snapshotsTaken + counters.snapshotsInstalled;
    if (raft.term === told.term && isLeader === told.isLeader && snapshots === told.snapshots) return;
    if (raft.term !== told.term || (told.isLeader && !isLeader)) trace.event('term', this.index, raft.term);
    if (snapshots !== told.snapshots) trace.event('snapshot', this.index, counters.snapshotsTaken, counters.snapshotsInstalled);
    this.#told = { term: raft.term, isLeader, snapshots };
  }
}

/** Its version follows the array's header. */
function ofOtherVersion(frame: Uint8Array): Uint8Array {
  const other = frame.slice();
  other[1] = (other[1] ?? 0) + 1;
  return other;
}
