import { InvariantError } from '../src/core/assert.ts';
import type { Replica } from '../src/node/replica.ts';
import { isJoint, members } from '../src/raft/configuration.ts';
import { Court } from './guarded/court.ts';
import type { Plan } from './plan.ts';
import { schedule } from './steps.ts';
import type { Listeners } from './trace.ts';
import { Violation } from './violation.ts';
import { World } from './world.ts';

/** `no-quorum`: safe, and what was healed could not have become whole, because too few of those that vote were among it. Tells nothing against the code. */
export type Verdict = 'ok' | 'unsafe' | 'stuck' | 'no-quorum' | 'crash';

export const isFailure = (verdict: Verdict): boolean => verdict !== 'ok' && verdict !== 'no-quorum';

export interface RunOptions extends Listeners {
  readonly seed: number;
  /** The name of the plan, for the result. */
  readonly scenario: string;
  readonly plan: Plan;
  /** With an invariant that no run can keep: the verdict must be `unsafe`. */
  readonly canary?: boolean | undefined;
}

export interface RunResult {
  readonly seed: number;
  readonly scenario: string;
  readonly verdict: Verdict;
  readonly traceHash: string;
  readonly simulatedMs: number;
  /** What broke, in words. */
  readonly violation: string | undefined;
  /** The name of the invariant that broke first. */
  readonly invariant: string | undefined;
  readonly counts: RunCounts;
  /** Real time that it took, in milliseconds, where somebody measured it. */
  readonly wallMs?: number;
  /** What met which role: `candidate AppendEntries follower`. */
  readonly transitions: readonly string[];
}

/** How much happened in a run: a green one that did nothing proves nothing. */
export interface RunCounts {
  readonly events: number;
  readonly elections: number;
  /** Entries that were committed and applied. */
  readonly commits: number;
  readonly writes: number;
  readonly reads: number;
  readonly completions: number;
  readonly failures: number;
  readonly snapshots: number;
  readonly installs: number;
  readonly configurationChanges: number;
  readonly crashes: number;
  readonly diskFailures: number;
  readonly lostDisks: number;
  readonly bitFlips: number;
  readonly rewrittenLogs: number;
  /** Nodes that lost their disk, or noticed that it was damaged, and were taken in again. */
  readonly repairedDisks: number;
  readonly partitions: number;
  /** Frames of a cut, full or lossy link. */
  readonly lostFrames: number;
  readonly pauses: number;
  /** Nodes started as another version of the program. */
  readonly skews: number;
  /** Leaders that were asked to hand over. */
  readonly transfers: number;
  /** Histories of one key or task that the checker neither proved nor refuted. */
  readonly gaveUp: number;
}

/** Virtual time that a healed cluster may take to elect, catch up and finish its tasks. */
const healMs = 60_000;

/**
 * Runs a plan: faults on, and nothing unsafe ever; then faults off for a core of nodes while the rest stays cut off, and the core must become whole; then
 * for all of them.
 */
export function run(options: RunOptions): RunResult {
  const { seed, plan } = options;
  const court = plan.clients.deciders > 0 ? new Court(plan) : undefined;
  const world = new World({ ...options, ...court?.worldOptions });
  let verdict: Verdict = 'ok';
  let violation: string | undefined;
  let invariant: string | undefined;
  try {
    for (const node of world.indices) world.start(node);
    world.workload.start(plan.clients);
    court?.start(world, plan.clients.deciders);
    schedule(world, plan);
    world.runUntil(plan.faultyMs * 1000);
    world.workload.drain();
    ({ verdict, violation } = heal(world));
    if (verdict === 'stuck') invariant = 'liveness';
    world.observer.end();
  } catch (error) {
    if (error instanceof Violation) invariant = error.invariant;
    verdict = error instanceof Violation ? 'unsafe' : 'crash';
    violation = wordsOf(error);
  }
  return {
    seed,
    scenario: options.scenario,
    verdict,
    traceHash: world.trace.hash(),
    simulatedMs: Math.round(world.queue.nowUs / 1000),
    violation,
    invariant,
    counts: countsOf(world),
    transitions: world.observer.transitions.names(),
  };
}

function countsOf(world: World): RunCounts {
  const { counts, workload, observer } = world;
  const live = world.indices.map((node) => world.replica(node)?.counters);
  return {
    events: world.trace.count,
    elections: observer.elections,
    commits: observer.agreed.size,
    writes: workload.counts.writesAcknowledged,
    reads: workload.counts.reads,
    completions: workload.counts.completions,
    failures: workload.counts.failures,
    snapshots: live.reduce((sum, c) => sum + (c?.snapshotsTaken ?? 0), counts.snapshots),
    installs: live.reduce((sum, c) => sum + (c?.snapshotsInstalled ?? 0), counts.installs),
    configurationChanges: observer.agreed.configurationChanges,
    crashes: counts.crashes,
    diskFailures: counts.diskFailures,
    lostDisks: counts.lostDisks,
    bitFlips: counts.bitFlips,
    rewrittenLogs: counts.rewrittenLogs,
    repairedDisks: observer.repairedDisks,
    partitions: counts.partitions,
    lostFrames: world.network.lost,
    pauses: counts.pauses,
    skews: counts.skews,
    transfers: counts.transfers,
    gaveUp: world.history.gaveUp,
  };
}

function wordsOf(error: unknown): string {
  if (error instanceof Violation || error instanceof InvariantError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function heal(world: World): { readonly verdict: Verdict; readonly violation: string | undefined } {
  let verdict: Verdict = 'ok';
  let violation: string | undefined;
  const core = drawCore(world);
  for (const healed of core.length < world.size ? [core, world.indices] : [core]) {
    const why = becomeWhole(world, healed);
    if (why === undefined) continue;
    violation = why;
    // A change of the members that was under way may have come into force meanwhile and need disks that are lost, or nodes that are not healed: then nobody
    // could go on, and nobody is to blame.
    if (world.canGoOn(healed)) return { verdict: 'stuck', violation };
    verdict = 'no-quorum';
  }
  return { verdict, violation };
}

/** Half of the time everybody, else a bare majority: the cluster must do without the rest. */
function drawCore(world: World): readonly number[] {
  const random = world.coreRandom;
  if (random.below(2) === 0) return world.indices;
  let core = [...world.indices];
  for (let tries = world.size * 2; tries > 0; tries--) {
    const fewer = core.toSpliced(random.below(core.length), 1);
    if (world.canGoOn(fewer)) core = fewer;
  }
  return core;
}

/** Faults off for the core. Says what has not become whole in time, if anything. */
function becomeWhole(world: World, core: readonly number[]): string | undefined {
  const fromUs = world.queue.nowUs;
  world.heal(core);
  const stepUs = 250_000;
  let why: string | undefined = 'never looked';
  for (let atUs = fromUs + stepUs; atUs <= fromUs + healMs * 1000 && why !== undefined; atUs += stepUs) {
    world.runUntil(atUs);
    why = notWhole(world, core);
  }
  if (why !== undefined) return why;
  const leader = world.leader === undefined ? undefined : world.replica(world.leader);
  if (leader !== undefined) world.observer.whole(leader.state);
  return undefined;
}

function notWhole(world: World, core: readonly number[]): string | undefined {
  const leader = world.leader === undefined ? undefined : world.replica(world.leader);
  if (leader === undefined) return 'there is no leader';
  const isMember = new Set(members(leader.raft.configuration));
  const replicas: Replica[] = [];
  for (const node of core) {
    if (!isMember.has(world.idOf(node))) continue;
    const replica = world.replica(node);
    if (replica === undefined) return `${world.idOf(node)} is down`;
    if (replica.raft.leader !== leader.id) return `${replica.id} does not follow the leader ${leader.id}`;
    replicas.push(replica);
  }
  const doubter = replicas.find(({ divergence }) => divergence.differing.some((id) => replicas.some((replica) => replica.id === id)));
  if (doubter !== undefined) return `${doubter.id} says: ${doubter.divergence.detail}`;
  if (isJoint(leader.raft.configuration)) return 'a joint configuration was not left';
  if (!world.workload.isDrained(leader)) return 'tasks are not finished';
  const { appliedIndex } = leader;
  // Clients go on writing: sooner or later all nodes are at one index.
  if (replicas.some((replica) => replica.appliedIndex !== appliedIndex)) return 'nodes have not all applied the same entries';
  const hashes = new Set(replicas.map((replica) => replica.state.hash()));
  if (hashes.size > 1) throw new Violation('same-log-same-state', `states differ at index ${appliedIndex}`);
  return undefined;
}
