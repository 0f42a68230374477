import type { GuardedAction } from '../src/byzantine/guard.ts';
import { type NodeId, nodeId } from '../src/core/ids.ts';
import { SeededRandom } from '../src/core/random.ts';
import type { Guard } from '../src/node/guarding/guard.ts';
import type { Replica } from '../src/node/replica.ts';
import type { PartitionState } from '../src/partition/partition-state.ts';
import { ClientHistory } from './client-history.ts';
import { EventQueue } from './event-queue.ts';
import { Canary } from './invariants/all.ts';
import type { Invariant } from './invariants/invariant.ts';
import { Observer } from './invariants/observer.ts';
import { isQuorum } from './invariants/quorums.ts';
import { DiskFailure, Machine, type MachineSettings, type MachineWorld } from './machine.ts';
import { VirtualNetwork } from './network.ts';
import { Operator } from './operator.ts';
import { calmDisk, type Plan } from './plan.ts';
import { LevelDisk } from './storage/level-disk.ts';
import { MemoryDisk } from './storage/memory-disk.ts';
import { TlaTrace } from './tla-trace.ts';
import { type Listeners, Trace } from './trace.ts';
import { hold } from './violation.ts';
import { Workload } from './workload.ts';

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

/** A cluster of machines over a virtual clock and network, their clients, and what can be done to them. Everything that happens is decided by the seed. */
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
  readonly #nodes: readonly Machine[];
  /** The node that the running event is about. */
  #touched: number | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { nodes, founders, network, disk } = options.plan;
    this.trace = new Trace(() => this.queue.nowUs, options);
    this.network = new VirtualNetwork(nodes, this.queue, this.stream(streams.network), (from, to, frame) =>
      this.#at(to).receive(this.#at(from), frame),
    );
    this.network.faults = network;
    this.#disks = disk;
    this.#diskRandom = this.stream(streams.disk);
    this.#crashRandom = this.stream(streams.crash);
    this.#operatorRandom = this.stream(streams.asked);
    this.ambushRandom = this.stream(streams.ambush);
    const ids = options.ids ?? Array.from({ length: nodes }, (_, i) => nodeId(`n${i + 1}`));
    this.indices = ids.map((_, i) => i);
    const { canary, onTla, invariants = [] } = options;
    this.observer = new Observer(ids, ids.slice(0, founders), [
      this.history,
      ...invariants,
      ...(canary === true ? [new Canary()] : []),
      ...(onTla === undefined ? [] : [new TlaTrace(() => this.queue.nowUs, onTla)]),
    ]);
    this.#nodes = this.#makeMachines(ids);
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
      replica: (node) => (this.#at(node).isPaused || this.#at(node).isRewritten ? undefined : this.#at(node).replica),
      nodes,
      history: this.history,
      observer: this.observer,
    });
  }

  #makeMachines(ids: readonly NodeId[]): readonly Machine[] {
    const { plan } = this.#options;
    const world = this.#surroundings();
    return ids.map(
      (id, index) =>
        new Machine(
          {
            index,
            id,
            settings: settingsOf(plan, ids, index),
            disk: plan.storage === 'level' ? new LevelDisk(id, this.#crashRandom) : new MemoryDisk(this.#crashRandom),
            random: this.stream(streams.nodes + index),
            partitionRandom: () => this.stream(streams.partitions + index),
            gossipRandom: () => this.stream(streams.gossip + index),
          },
          world,
        ),
    );
  }

  #surroundings(): MachineWorld {
    const { queue, trace, observer } = this;
    const { guardOf, approvalOf } = this.#options;
    return {
      queue,
      trace,
      observer,
      machineOf: (id) => this.#nodes.find((node) => node.id === id),
      upIds: () => this.#nodes.filter(({ replica }) => replica !== undefined).map(({ id }) => id),
      send: (from, to, frame) => this.network.send(from, to, frame),
      drawWriteUs: () => {
        const { minWriteUs, maxWriteUs } = this.#disks;
        return minWriteUs + this.#diskRandom.below(maxWriteUs - minWriteUs + 1);
      },
      guardOf: (id) => guardOf?.(id, () => this.lying.has(id)),
      approvalOf: (id, action) => approvalOf?.(id, action),
      onTouched: (index) => {
        this.#touched = index;
      },
      onDiskFailure: (index) => this.#endAfterDiskFailure(index),
    };
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
    return this.#at(node).isPaused;
  }

  /** Runs events, and checks the world after each, until this virtual time. */
  runUntil(untilUs: number): void {
    while (this.queue.step(untilUs)) this.#check();
  }

  // What can be done to nodes.

  start(index: number): void {
    this.#at(index).start();
  }

  /** The process is gone at once. Writes in flight reach the disk or not; peers may hear their connections break. */
  crash(index: number): void {
    const node = this.#at(index);
    if (!node.isAlive) return;
    this.counts.crashes++;
    this.trace.event('crash', index);
    this.counts.snapshots += node.replica?.counters.snapshotsTaken ?? 0;
    this.counts.installs += node.replica?.counters.snapshotsInstalled ?? 0;
    node.crash();
    // A killed process resets its connections; a machine without power doesn't.
    for (const peer of this.#nodes)
      if (peer !== node && this.#crashRandom.below(2) === 0) this.queue.after(1000, () => peer.loseLink(node.id));
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
    this.#at(index).limitFrames(frames, spent);
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
    if (node.replica === undefined || node.isPaused) return;
    this.counts.pauses++;
    this.trace.event('pause', index);
    node.pause();
  }

  resume(index: number): void {
    const node = this.#at(index);
    if (!node.isPaused) return;
    this.trace.event('resume', index);
    node.resume();
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
    this.#at(index).drift(percent);
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
      node.mend();
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

  /** Only the node that did something can have broken something. */
  #check(): void {
    const index = this.#touched;
    if (index === undefined) return;
    this.#touched = undefined;
    const node = this.#at(index);
    const { replica } = node;
    if (replica === undefined) return;
    node.tell();
    if (!this.observer.afterTurn(node.id)) return;
    this.trace.event('leader', index, replica.raft.term);
    this.onElected?.(index);
  }

  #at(index: number): Machine {
    const node = this.#nodes[index];
    if (node === undefined) throw new RangeError(`there is no node ${index}`);
    return node;
  }
}

/** Mixed: nodes that differ in how much they keep and send. */
function settingsOf(
  { founders, snapshotBytes, appendBytes, mixed, reads }: WorldOptions['plan'],
  ids: readonly NodeId[],
  index: number,
): MachineSettings {
  const sizes = mixed
    ? { snapshotBytes: snapshotBytes * 2 ** (index % 3), appendBytes: Math.max(1, Math.floor(appendBytes / 8 ** (index % 3))) }
    : { snapshotBytes, appendBytes };
  return { founders: ids.slice(0, founders), readMode: reads, ...sizes };
}
