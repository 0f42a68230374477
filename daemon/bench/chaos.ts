import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChaosChecks, type TaskFigures } from './chaos-checks.ts';
import { ChaosLoad } from './chaos-load.ts';
import { drawRound, type FaultKind, faultKinds, type LinkFault, type NodeFault, type Round } from './chaos-plan.ts';
import { interrupted } from '../cli-error.ts';
import { DevCluster } from '../dev-cluster.ts';
import { pause } from '../http.ts';
import { freeRange } from '../ports.ts';

export interface ChaosOptions {
  readonly executable: string;
  readonly interrupt: AbortSignal;
  readonly seed: number;
  readonly nodes: number;
  /** Rounds of faults begin for so long; the last one is brought to its end. */
  readonly durationMs: number;
  readonly writesPerSecond: number;
  readonly tasksPerSecond: number;
}

export interface RoundFigures {
  readonly bench: 'chaos';
  readonly round: number;
  /** Number of the node that led when the faults were drawn. */
  readonly leader: number;
  readonly faults: readonly string[];
  readonly acknowledged: number;
  /** The longest time without an acknowledged write. */
  readonly longestMs: number;
  /** From the last fault's end until all nodes were healthy; null when they were not. */
  readonly healMs: number | null;
  /** Of each node that has a report of a heal in this round, what the split was called. */
  readonly reports: readonly string[];
}

export interface ChaosFigures {
  readonly bench: 'chaos';
  readonly round: 'all';
  readonly seed: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly acknowledged: number;
  readonly lost: number;
  /** Attempts of clients that were no acknowledgement; each was made again. */
  readonly repeated: number;
  readonly readBack: number;
  readonly tasks: TaskFigures;
  readonly longestMs: number;
  readonly healP50Ms: number;
  readonly healMaxMs: number;
  /** Where in the log all states were compared. */
  readonly index: number;
  readonly stateHash: string;
  /** What is wrong; empty when all checks hold. */
  readonly violations: readonly string[];
  /** With the nodes' logs; null when it was removed. */
  readonly directory: string | null;
}

/** Ended tasks are kept for an hour, and must be there to be judged. */
export const maxDurationMs = 50 * 60_000;
/** So small that nodes which were away for some seconds are sent one. */
const snapshotBytes = 100_000;
/** How long a check waits for the nodes' last words on a round. */
const recordMs = 10_000;

/**
 * Real daemons under load and under faults that a seed draws, in rounds: after each one all must become whole. In the end nothing acknowledged may be missing, nothing
 * done twice, and all nodes must have the same state. A cluster of its own on loopback, gone afterwards; when a check fails or a node does not start
 * its files are kept.
 */
export async function benchChaos(options: ChaosOptions, report: (figures: RoundFigures) => void): Promise<ChaosFigures> {
  const { SeededRandom } = await import('../../src/core/random.ts');
  const random = new SeededRandom(options.seed);
  const directory = await mkdtemp(join(tmpdir(), 'quorate-chaos-'));
  const cluster = new DevCluster(directory, options.executable, options.interrupt);
  // What went wrong is in the logs of the nodes.
  let isKept = true;
  try {
    const [httpPort, peerPort] = [await freeRange(options.nodes), await freeRange(options.nodes)];
    const startFlags = ['--snapshot-bytes', String(snapshotBytes)];
    await cluster.up({ nodes: options.nodes, httpPort, peerPort, guardMembership: undefined, startFlags, detach: false });
    const endpoints = Array.from({ length: options.nodes }, (_, i) => `http://127.0.0.1:${httpPort + i}`);
    const run = new ChaosRun(options, cluster, endpoints, (bound) => random.below(bound));
    const figures = await run.run(report);
    isKept = figures.violations.length > 0;
    return { ...figures, directory: isKept ? directory : null };
  } finally {
    await cluster.down();
    if (!isKept || options.interrupt.aborted) await rm(directory, { recursive: true, force: true });
  }
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #cluster: DevCluster;
  readonly #below: (bound: number) => number;
  readonly #load: ChaosLoad;
  readonly #checks: ChaosChecks;
  readonly #violations: string[] = [];
  readonly #rounds: RoundFigures[] = [];
  readonly #counts: Record<FaultKind, number> = { complete: 0, partial: 0, 'one-way': 0, bridge: 0, kill: 0, pause: 0 };

  constructor(options: ChaosOptions, cluster: DevCluster, endpoints: readonly string[], below: (bound: number) => number) {
    this.#options = options;
    this.#cluster = cluster;
    this.#below = below;
    this.#load = new ChaosLoad({ ...options, endpoints });
    this.#checks = new ChaosChecks(endpoints, options.interrupt);
  }

  async run(report: (figures: RoundFigures) => void): Promise<Omit<ChaosFigures, 'directory'>> {
    const startedMs = performance.now();
    try {
      await this.#load.start();
      while (performance.now() - startedMs < this.#options.durationMs && this.#violations.length === 0) {
        const figures = await this.#round();
        this.#rounds.push(figures);
        report(figures);
      }
      return await this.#judge(startedMs);
    } finally {
      await this.#load.close();
    }
  }

  async #round(): Promise<RoundFigures> {
    const { interrupt, nodes } = this.#options;
    const [startUnixMs, before] = [Date.now(), this.#acknowledged];
    this.#load.writers.takeLongest();
    const leader = await this.#checks.leader();
    const round = drawRound(this.#below, nodes, leader);
    await this.#inflict(round);
    const healMs = await this.#checks.healed();
    if (interrupt.aborted) throw interrupted();
    const number = this.#rounds.length + 1;
    if (healMs === undefined) this.#violations.push(`round ${number}: the nodes did not become healthy`);
    const reports = await this.#reports(round, number, startUnixMs);
    return {
      bench: 'chaos',
      round: number,
      leader,
      faults: [...round.links, ...round.nodes].toSorted((a, b) => a.atMs - b.atMs).map(textOf),
      acknowledged: this.#acknowledged - before,
      longestMs: this.#load.writers.takeLongest().gapMs,
      healMs: healMs === undefined ? null : Math.round(healMs),
      reports,
    };
  }

  /** Faults of links one after the other, and beside them those of nodes; when one goes wrong the others end first. */
  async #inflict({ links, nodes }: Round): Promise<void> {
    const startedMs = performance.now();
    const each = async <Fault extends LinkFault | NodeFault>(
      faults: readonly Fault[],
      begin: (fault: Fault) => Promise<unknown>,
      end: (fault: Fault) => Promise<unknown>,
    ): Promise<void> => {
      for (const fault of faults) {
        await this.#pause(startedMs + fault.atMs - performance.now());
        await begin(fault);
        this.#counts[fault.kind]++;
        await this.#pause(fault.forMs);
        await end(fault);
      }
    };
    const cluster = this.#cluster;
    const ended = await Promise.allSettled([
      each(
        links,
        (fault) => cluster.partition(fault.links),
        () => cluster.partition(undefined),
      ),
      each(
        nodes,
        async (fault) => {
          for (const node of fault.nodes) await (fault.kind === 'kill' ? cluster.kill(node) : cluster.signal(node, 'SIGSTOP'));
        },
        async (fault) => {
          for (const node of fault.nodes) await (fault.kind === 'kill' ? cluster.restart(node) : cluster.signal(node, 'SIGCONT'));
        },
      ),
    ]);
    for (const outcome of ended) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Every split that was made has to be told of by somebody who lived through it, and no healthy node may hold one for open. */
  async #reports({ links, nodes }: Round, number: number, sinceMs: number): Promise<readonly string[]> {
    const endMs = performance.now() + recordMs;
    const killed = new Set(nodes.flatMap((fault) => (fault.kind === 'kill' ? fault.nodes : [])));
    const isExpected = links.length > 0 && killed.size < this.#options.nodes;
    for (;;) {
      const splits = await this.#checks.splits(sinceMs);
      const reports = splits.flatMap((records) => records.findLast(({ report }) => report !== null)?.class ?? []);
      const open = splits.flatMap((records, i) => (records.some((record) => record.endMs === null) ? [`node-${i + 1}`] : []));
      if ((reports.length > 0 || !isExpected) && open.length === 0) return reports;
      if (performance.now() > endMs) {
        this.#violations.push(`round ${number}: ${reports.length} nodes have a report of the heal; open at ${open.join(', ') || 'none'}`);
        return reports;
      }
      await this.#pause(100);
    }
  }

  async #judge(startedMs: number): Promise<Omit<ChaosFigures, 'directory'>> {
    const [load, checks] = [this.#load, this.#checks];
    const seconds = (performance.now() - startedMs) / 1000;
    const check = (isWell: boolean, text: string): void => {
      if (!isWell) this.#violations.push(text);
    };
    await load.stop();
    check(await checks.areTasksOver(), 'not all tasks came to an end');
    const lost = await checks.lostWrites(load.writers.written);
    check(lost === 0, `${lost} acknowledged writes are lost`);
    const tasks = await checks.tasks(load);
    check(tasks.unfinished === 0, `${tasks.unfinished} accepted tasks neither succeeded nor are given up`);
    check(tasks.completedTwice === 0, `${tasks.completedTwice} tasks were completed twice`);
    // Tasks whose submission was in flight at the end may have succeeded, and are not counted.
    const extra = load.completed - tasks.succeeded - load.submitted.length;
    check(extra <= 0, `workers were told of ${extra} completions more than there are tasks that succeeded`);
    await load.close();
    check(await checks.haveEqualLogs(), 'the logs of the nodes are not equal');
    const states = await checks.states();
    check(states !== undefined, 'the nodes do not come to rest at one index');
    check(new Set(states?.hashes).size <= 1, `the states at index ${states?.index} differ: ${states?.hashes.join(' ')}`);
    const heals = this.#rounds.flatMap(({ healMs }) => healMs ?? []).toSorted((a, b) => a - b);
    return {
      bench: 'chaos',
      round: 'all',
      seed: this.#options.seed,
      seconds: Math.round(seconds),
      rounds: this.#rounds.length,
      faults: this.#counts,
      acknowledged: this.#acknowledged,
      lost,
      repeated: load.repeated,
      readBack: load.readBack,
      tasks,
      longestMs: Math.max(0, ...this.#rounds.map(({ longestMs }) => longestMs)),
      healP50Ms: heals[Math.floor(heals.length / 2)] ?? 0,
      healMaxMs: heals.at(-1) ?? 0,
      index: states?.index ?? 0,
      stateHash: states?.hashes[0] ?? '',
      violations: [...load.violations, ...this.#violations],
    };
  }

  get #acknowledged(): number {
    return this.#load.writers.acknowledged;
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, this.#options.interrupt);
    if (this.#options.interrupt.aborted) throw interrupted();
  }
}

const textOf = (fault: LinkFault | NodeFault): string =>
  `${fault.kind} ${'links' in fault ? fault.links : fault.nodes.join(',')} ${(fault.forMs / 1000).toFixed(1)} s`;

/** For a person. */
export function chaosText({ faults, tasks, ...total }: ChaosFigures): string {
  const done = faultKinds.filter((kind) => faults[kind] > 0).map((kind) => `${faults[kind]} ${kind}`);
  const { submitted, succeeded, givenUp } = tasks;
  return [
    `${total.rounds} rounds in ${total.seconds} s, seed ${total.seed}: ${done.join(', ')}`,
    `${total.acknowledged} acknowledged writes, ${total.lost} lost; ${total.readBack} read back at once; ${total.repeated} calls were repeated`,
    `${submitted} tasks accepted: ${succeeded} succeeded, ${givenUp} given up, ${tasks.unfinished} unfinished, ${tasks.completedTwice} completed twice`,
    `longest time without an acknowledged write ${total.longestMs} ms; healthy again after ${total.healP50Ms} ms (median), ${total.healMaxMs} ms (longest)`,
    `state at index ${total.index}: ${total.stateHash} on all nodes`,
    ...total.violations.map((text) => `WRONG: ${text}`),
  ].join('\n');
}
