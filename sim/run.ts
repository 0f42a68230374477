import { InvariantError } from '../src/core/assert.ts';
import type { Replica } from '../src/node/replica.ts';
import { isJoint, members } from '../src/raft/configuration.ts';
import type { Plan } from './plan.ts';
import { schedule } from './steps.ts';
import type { Listeners } from './trace.ts';
import { Violation } from './violation.ts';
import { World } from './world.ts';

export type Verdict = 'ok' | 'unsafe' | 'stuck' | 'crash';

export interface RunOptions extends Listeners {
  readonly seed: number;
  /** The name of the plan, for the result. */
  readonly scenario: string;
  readonly plan: Plan;
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
  readonly counts: {
    readonly events: number;
    readonly elections: number;
    readonly writes: number;
    readonly reads: number;
    readonly completions: number;
    readonly configurationChanges: number;
    readonly crashes: number;
    readonly partitions: number;
    readonly diskFailures: number;
    readonly bitFlips: number;
    readonly repairedDisks: number;
    readonly snapshots: number;
    readonly installs: number;
  };
}

/** Virtual time that a healed cluster may take to elect, catch up and finish its tasks. */
const healMs = 60_000;

/**
 * Runs a plan: faults on, and nothing unsafe ever; then faults off for a core of nodes while the rest stays cut off, and the core must become whole; then
 * for all of them.
 */
export function run(options: RunOptions): RunResult {
  const { seed, plan, onLine, onMark } = options;
  const { nodes, faultyMs } = plan;
  const world = new World({ seed, plan, onLine, onMark });
  let verdict: Verdict = 'ok';
  let violation: string | undefined;
  let invariant: string | undefined;
  try {
    for (let i = 0; i < nodes; i++) world.start(i);
    world.workload.start();
    schedule(world, plan);
    world.runUntil(faultyMs * 1000);
    world.workload.drain();
    const core = drawCore(world);
    violation = becomeWhole(world, core) ?? (core.length < nodes ? becomeWhole(world, world.indices) : undefined);
    if (violation !== undefined) {
      verdict = 'stuck';
      invariant = 'liveness';
    }
  } catch (error) {
    if (error instanceof Violation) invariant = error.invariant;
    verdict = error instanceof Violation ? 'unsafe' : 'crash';
    violation =
      error instanceof Violation || error instanceof InvariantError
        ? error.message
        : error instanceof Error
          ? (error.stack ?? error.message)
          : String(error);
  }
  const { counts, workload, history, trace } = world;
  const live = [...Array(nodes).keys()].map((i) => world.replica(i)?.counters);
  return {
    seed,
    scenario: options.scenario,
    verdict,
    traceHash: trace.hash(),
    simulatedMs: Math.round(world.queue.nowUs / 1000),
    violation,
    invariant,
    counts: {
      events: trace.count,
      elections: history.elections,
      writes: workload.counts.writesAcknowledged,
      reads: workload.counts.reads,
      completions: workload.counts.completions,
      configurationChanges: counts.configurationChanges,
      crashes: counts.crashes,
      partitions: counts.partitions,
      diskFailures: counts.diskFailures,
      bitFlips: counts.bitFlips,
      repairedDisks: counts.repairedDisks,
      snapshots: counts.snapshots + live.reduce((sum, c) => sum + (c?.snapshotsTaken ?? 0), 0),
      installs: counts.installs + live.reduce((sum, c) => sum + (c?.snapshotsInstalled ?? 0), 0),
    },
  };
}

/** Half of the time everybody, else a bare majority: the cluster must do without the rest. */
function drawCore(world: World): readonly number[] {
  const random = world.coreRandom;
  if (random.below(2) === 0) return world.indices;
  let core = [...world.indices];
  for (let tries = world.size * 2; tries > 0; tries--) {
    const fewer = core.toSpliced(random.below(core.length), 1);
    // Nodes that lost their disks are taken in again only by a majority that kept theirs.
    if (world.isQuorum(fewer.filter((node) => world.isWhole(node)))) core = fewer;
  }
  return core;
}

/**
 * Faults off for the core. Says what has not become whole in time, if anything. A change of the members that was under way may have come into force meanwhile and
 * need disks that are lost, or nodes outside of the core: then nobody could go on, and nobody is to blame.
 */
function becomeWhole(world: World, core: readonly number[]): string | undefined {
  const fromUs = world.queue.nowUs;
  world.heal(core);
  const stepUs = 250_000;
  let why: string | undefined = 'never looked';
  for (let atUs = fromUs + stepUs; atUs <= fromUs + healMs * 1000 && why !== undefined; atUs += stepUs) {
    world.runUntil(atUs);
    why = notWhole(world, core);
  }
  if (why !== undefined) return world.isQuorum(core.filter((node) => world.isWhole(node))) ? why : undefined;
  const leader = world.leader === undefined ? undefined : world.replica(world.leader);
  if (leader !== undefined) world.workload.check(leader);
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
  if (isJoint(leader.raft.configuration)) return 'a joint configuration was not left';
  if (!world.workload.isDrained(leader)) return 'tasks are not finished';
  // Clients go on writing: compare the nodes at one index.
  const hashes = new Map<number, Set<string>>();
  for (const replica of replicas) {
    const at = hashes.get(replica.appliedIndex) ?? new Set<string>();
    hashes.set(replica.appliedIndex, at.add(replica.state.hash()));
  }
  for (const [index, at] of hashes) if (at.size > 1) throw new Violation('same-log-same-state', `states differ at index ${index}`);
  return hashes.size > 1 ? 'nodes have not all applied the same entries' : undefined;
}
