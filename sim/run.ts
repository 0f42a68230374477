import { InvariantError } from '../src/core/assert.ts';
import { calmNetwork } from './network.ts';
import { scenarios } from './scenarios.ts';
import { Violation } from './violation.ts';
import type { Listeners } from './trace.ts';
import { World } from './world.ts';

export type Verdict = 'ok' | 'unsafe' | 'stuck' | 'crash';

export interface RunOptions extends Listeners {
  readonly seed: number;
  readonly scenario: string;
  readonly nodes: number;
  /** Virtual milliseconds with faults. */
  readonly faultyMs: number;
}

export interface RunResult {
  readonly seed: number;
  readonly scenario: string;
  readonly verdict: Verdict;
  readonly traceHash: string;
  readonly simulatedMs: number;
  /** What broke, in words. */
  readonly violation: string | undefined;
  readonly counts: {
    readonly events: number;
    readonly elections: number;
    readonly writes: number;
    readonly reads: number;
    readonly completions: number;
    readonly crashes: number;
    readonly partitions: number;
    readonly snapshots: number;
    readonly installs: number;
  };
}

/** Virtual time that a healed cluster may take to elect, catch up and finish its tasks. */
const healMs = 60_000;
/** Small, so that a run of a minute takes snapshots and sends some. */
const snapshotBytes = 8000;

/** Runs one seed: faults on, and nothing unsafe ever; then faults off, and everything must become whole. */
export function run(options: RunOptions): RunResult {
  const { seed, nodes, faultyMs, onLine, onMark } = options;
  const world = new World({ seed, nodes, snapshotBytes, onLine, onMark });
  let verdict: Verdict = 'ok';
  let violation: string | undefined;
  try {
    const scenario = scenarios.get(options.scenario);
    if (scenario === undefined) throw new RangeError(`there is no scenario ${options.scenario}`);
    for (let i = 0; i < nodes; i++) world.start(i);
    world.workload.start();
    const stop = scenario.begin(world);
    world.runUntil(faultyMs * 1000);
    stop();
    violation = becomeWhole(world, faultyMs * 1000);
    if (violation !== undefined) verdict = 'stuck';
  } catch (error) {
    if (error instanceof RangeError && error.message.startsWith('there is no scenario')) throw error;
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
    counts: {
      events: trace.count,
      elections: history.elections,
      writes: workload.counts.writesAcknowledged,
      reads: workload.counts.reads,
      completions: workload.counts.completions,
      crashes: counts.crashes,
      partitions: counts.partitions,
      snapshots: counts.snapshots + live.reduce((sum, c) => sum + (c?.snapshotsTaken ?? 0), 0),
      installs: counts.installs + live.reduce((sum, c) => sum + (c?.snapshotsInstalled ?? 0), 0),
    },
  };
}

/** Faults off. Says what has not become whole in time, if anything. */
function becomeWhole(world: World, fromUs: number): string | undefined {
  world.network.faults = calmNetwork;
  world.heal();
  world.workload.drain();
  const stepUs = 250_000;
  let why: string | undefined = 'never looked';
  for (let atUs = fromUs + stepUs; atUs <= fromUs + healMs * 1000 && why !== undefined; atUs += stepUs) {
    world.runUntil(atUs);
    why = notWhole(world);
  }
  if (why !== undefined) return why;
  for (let i = 0; i < world.size; i++) {
    const replica = world.replica(i);
    if (replica !== undefined) world.workload.check(replica);
  }
  return undefined;
}

function notWhole(world: World): string | undefined {
  const replicas = [...Array(world.size).keys()].map((i) => world.replica(i));
  const leader = replicas.find((replica) => replica?.isServing === true);
  if (leader === undefined) return 'there is no leader';
  for (const [i, replica] of replicas.entries()) {
    if (replica === undefined) return `n${i + 1} is down`;
    if (replica.raft.leader !== leader.id) return `n${i + 1} does not follow the leader`;
  }
  if (!world.workload.isDrained(leader)) return 'tasks are not finished';
  // Clients go on writing: compare the nodes at one index.
  const hashes = new Map<number, Set<string>>();
  for (const replica of replicas) {
    if (replica === undefined) continue;
    const at = hashes.get(replica.appliedIndex) ?? new Set<string>();
    hashes.set(replica.appliedIndex, at.add(replica.state.hash()));
  }
  for (const [index, at] of hashes) if (at.size > 1) throw new Violation('same-log-same-state', `states differ at index ${index}`);
  return hashes.size > 1 ? 'nodes have not all applied the same entries' : undefined;
}
