import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { statusSchema } from '../answers.ts';
import { CliError } from '../cli-error.ts';
import { DevCluster } from '../dev-cluster.ts';
import { exitCodes } from '../exit-codes.ts';
import { Http, pause } from '../http.ts';
import { historySchema, type SplitAnswer } from '../partition/answers.ts';
import { type LoadFigures, type LoadSize, PartitionLoad } from './partition-load.ts';
import { freeRange } from '../ports.ts';

export interface PartitionBench extends LoadSize {
  readonly executable: string;
  /** Splits that are made and healed, and nodes that are killed. */
  readonly trials: number;
  readonly kills: number;
  /** For so long a process beside the nodes takes all of a core that it can get. */
  readonly busySeconds: number;
  readonly interrupt: AbortSignal;
}

/** One split, or one killed node. Milliseconds until the last node knew. */
export interface TrialFigures {
  readonly bench: 'partition';
  readonly trial: number;
  /** As `dev partition` takes it, or `kill` and the node. */
  readonly what: string;
  /** Until every node had said what the split is, or that the killed node is gone. */
  readonly knownMs: number;
  /** From the return of the links to the last node's word that all is whole; none for a killed node. */
  readonly healedMs: number | undefined;
  /** Nodes that have the report. */
  readonly reports: number;
}

export interface BusyFigures {
  readonly bench: 'partition';
  readonly busySeconds: number;
  /** Links between running nodes that were taken for lost. */
  readonly falselyLost: number;
}

const nodes = 5;
const cuts = ['1,2/3,4,5', '4,5/1,2,3', '1/2,3,4,5', '1,2,3/3,4,5', '2,4/1,3/5', '1/2/3/4/5'] as const;
/** How long each split lasts, and the quiet after it: so that no link is lost three times in ten seconds, which would be called flapping. */
const splitMs = 3_000;
const quietMs = 8_000;
const wholeMs = 60_000;

/** Splits, heals and kills five real daemons under load. All times are by the nodes' own records, from the moment at which the last file of faults was written. */
export async function benchPartition(
  options: PartitionBench,
  report: (figures: TrialFigures | BusyFigures) => void,
): Promise<LoadFigures & { readonly bench: 'partition'; readonly isEqual: boolean }> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const cluster = new DevCluster(directory, options.executable, options.interrupt);
  const [httpPort, peerPort] = [await freeRange(nodes), await freeRange(nodes)];
  try {
    const flags = ['--heartbeat-ms', '100'];
    const members = await cluster.up({ nodes, httpPort, peerPort, guardMembership: undefined, startFlags: flags, detach: true });
    const trials = new Trials(
      cluster,
      members.map(({ name }, i) => ({ name, endpoint: `http://127.0.0.1:${httpPort + i}` })),
      options,
    );
    const load = new PartitionLoad(trials.endpoints, options);
    try {
      await load.start();
      await trials.whole();
      for (let trial = 1; trial <= options.trials; trial++) report(await trials.split(trial));
      for (let trial = 1; trial <= options.kills; trial++) report(await trials.kill(trial));
      if (options.busySeconds > 0) report(await trials.busy());
    } finally {
      await load.stop();
    }
    return { bench: 'partition', ...(await load.check(trials.http(trials.endpoints))), isEqual: await trials.areEqual() };
  } finally {
    await cluster.down();
    await rm(directory, { recursive: true, force: true });
  }
}

interface TestedNode {
  readonly name: string;
  readonly endpoint: string;
}

class Trials {
  readonly #cluster: DevCluster;
  readonly #nodes: readonly TestedNode[];
  readonly #options: PartitionBench;

  constructor(cluster: DevCluster, tested: readonly TestedNode[], options: PartitionBench) {
    this.#cluster = cluster;
    this.#nodes = tested;
    this.#options = options;
  }

  get endpoints(): readonly string[] {
    return this.#nodes.map(({ endpoint }) => endpoint);
  }

  async split(trial: number): Promise<TrialFigures> {
    const what = cuts[(trial - 1) % cuts.length] ?? '';
    await this.#cluster.partition(what);
    const cutMs = Date.now();
    await pause(splitMs, this.#options.interrupt);
    await this.#cluster.partition(undefined);
    const backMs = Date.now();
    await this.whole();
    const seen = await Promise.all(this.#nodes.map((node) => this.#lastSplit(node, cutMs)));
    await pause(quietMs, this.#options.interrupt);
    return {
      bench: 'partition',
      trial,
      what,
      knownMs: Math.max(...seen.map((split) => classifiedAtMs(split, backMs) - cutMs)),
      healedMs: Math.max(...seen.map(({ endMs }) => (endMs ?? Infinity) - backMs)),
      reports: seen.filter((split) => split.report !== null).length,
    };
  }

  async kill(trial: number): Promise<TrialFigures> {
    const killed = this.#nodes[(trial - 1) % nodes];
    if (killed === undefined) throw new Error('there are five nodes');
    const others = this.#nodes.filter((node) => node !== killed);
    const atMs = Date.now();
    await this.#cluster.kill(this.#nodes.indexOf(killed) + 1);
    await this.#until('all to know of the killed node', async () =>
      (await this.#states(others)).every((state) => state !== 'healthy' && state !== 'suspect'),
    );
    const knewMs = await Promise.all(others.map(async (node) => missedAtMs(await this.#lastSplit(node, atMs), node.name, killed.name)));
    await this.#cluster.restart(this.#nodes.indexOf(killed) + 1);
    await this.whole();
    await pause(quietMs, this.#options.interrupt);
    const knownMs = Math.max(...knewMs) - atMs;
    return { bench: 'partition', trial, what: `kill ${killed.name}`, knownMs, healedMs: undefined, reports: 0 };
  }

  async busy(): Promise<BusyFigures> {
    const { busySeconds, interrupt } = this.#options;
    const before = await this.#countLost();
    const hog = new Worker('for (;;);', { eval: true });
    await pause(busySeconds * 1000, interrupt);
    await hog.terminate();
    return { bench: 'partition', busySeconds, falselyLost: (await this.#countLost()) - before };
  }

  /** Resolves once every node says that all is well. */
  whole(): Promise<void> {
    return this.#until('the cluster to be whole', async () => (await this.#states(this.#nodes)).every((state) => state === 'healthy'));
  }

  /** Whether all nodes, which have nothing more to do, come to the same state. */
  async areEqual(): Promise<boolean> {
    const isSo = async (): Promise<boolean> => {
      const hashes = await Promise.all(
        this.endpoints.map(async (endpoint) => chainOf(await this.http([endpoint]).request('GET', '/v1/status'))),
      );
      return new Set(hashes).size === 1;
    };
    return await this.#until('the nodes to be equal', isSo).then(
      () => true,
      () => false,
    );
  }

  http(endpoints: readonly string[]): Http {
    return new Http({ endpoints, timeoutMs: 10_000, signal: this.#options.interrupt });
  }

  async #states(of: readonly TestedNode[]): Promise<readonly string[]> {
    const asked = of.map(({ endpoint }) => this.http([endpoint]).request('GET', '/v1/status'));
    return (await Promise.all(asked)).map((answer) => statusSchema.parse(answer).partition.state);
  }

  async #splits({ endpoint }: TestedNode): Promise<readonly SplitAnswer[]> {
    return historySchema.parse(await this.http([endpoint]).request('GET', '/v1/partition/history')).items;
  }

  async #lastSplit(node: TestedNode, fromMs: number): Promise<SplitAnswer> {
    const split = (await this.#splits(node)).find(({ startMs }) => startMs >= fromMs - 100);
    if (split === undefined) throw new CliError(exitCodes.unhealthy, `${node.name} has no record of the split`);
    return split;
  }

  async #countLost(): Promise<number> {
    const splits = (await Promise.all(this.#nodes.map((node) => this.#splits(node)))).flat();
    return splits.flatMap(({ happenings }) => happenings.filter(({ kind, heard }) => kind === 'edge' && heard === false)).length;
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const endMs = performance.now() + wholeMs;
    while (!(await isSo().catch(() => false))) {
      if (performance.now() > endMs) throw new CliError(exitCodes.timeout, `waited ${wholeMs / 1000} s for ${what}`);
      await pause(50, this.#options.interrupt);
      this.#options.interrupt.throwIfAborted();
    }
  }
}

const logSchema = z.object({ logChain: z.object({ chain: z.string() }) });

/** Stands for the whole log, and so for the state. */
const chainOf = (status: unknown): string => logSchema.parse(status).logChain.chain;

const isVerdict = (state: string | undefined): boolean => state === 'majority' || state === 'minority' || state === 'no_quorum';

/** When the node said for the last time, before the links came back, what the split is. */
const classifiedAtMs = ({ happenings }: SplitAnswer, backMs: number): number =>
  happenings.findLast(({ kind, state, atMs }) => kind === 'state' && isVerdict(state) && atMs <= backMs)?.atMs ?? Infinity;

/** When the node first said that it does not hear the peer. */
const missedAtMs = ({ happenings }: SplitAnswer, node: string, peer: string): number =>
  happenings.find((one) => one.kind === 'edge' && one.node === node && one.peer === peer && one.heard === false)?.atMs ?? Infinity;
