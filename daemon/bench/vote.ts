import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { interrupted } from '../cli-error.ts';
import { readGenesis } from '../node/genesis.ts';
import { freeRange } from '../ports.ts';
import { VoteLoad, type VoteLoadOptions } from './vote-load.ts';

const execute = promisify(execFile);
const warmUpMs = 3000;

export interface VoteBenchOptions extends VoteLoadOptions {
  readonly executable: string;
  /** One cluster for each number. */
  readonly nodes: readonly number[];
  /** Requests in flight, one measurement for each number. */
  readonly outstanding: readonly number[];
  readonly seconds: number;
  /** Kill the last node before the measurements. */
  readonly killed: boolean;
  /** A script that is started in the place of the last node, and lies. */
  readonly liar: string | undefined;
}

export interface VoteFigures {
  readonly bench: 'vote';
  readonly nodes: number;
  readonly killed: number;
  readonly lying: number;
  /** Requests in flight, and what each of them puts to the vote. */
  readonly outstanding: number;
  readonly itemsPerRequest: number;
  /** Each decision has a vote and a certificate of its own. */
  readonly alone: boolean;
  /** Things decided, each asked for and certified. */
  readonly decisionsPerSecond: number;
  readonly certificatesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
  readonly durability: 'sync';
}

/** Decisions that every node approves by its policy, each from the request to its certificate, which is verified here as a deploy tool would. */
export async function benchVote(options: VoteBenchOptions, print: (figures: VoteFigures) => void): Promise<void> {
  for (const nodes of options.nodes) await benchCluster(nodes, options, print);
}

async function benchCluster(nodes: number, options: VoteBenchOptions, print: (figures: VoteFigures) => void): Promise<void> {
  const { executable, outstanding, seconds, killed, liar, items, isAlone, interrupt } = options;
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const [httpPort, peerPort] = [await freeRange(nodes), await freeRange(nodes)];
  const dev = (...args: string[]) => execute(process.execPath, [executable, 'dev', ...args, '--dir', directory]);
  let lying: ChildProcess | undefined;
  try {
    const ports = ['--http-port', String(httpPort), '--peer-port', String(peerPort)];
    await dev('up', '--nodes', String(nodes), ...ports, '--votes-auto-approve', 'bench', '--detach');
    if (killed || liar !== undefined) await dev('kill', String(nodes));
    if (liar !== undefined) {
      const args = [liar, 'start', '--data-dir', join(directory, `node-${nodes}`), '--votes-auto-approve', 'bench'];
      lying = spawn(process.execPath, args, { stdio: 'ignore' });
    }
    const path = join(directory, 'genesis.json');
    const honest = (await readGenesis(path)).members.map(({ http }) => http).slice(0, killed || liar !== undefined ? nodes - 1 : nodes);
    const load = new VoteLoad(honest, await readFile(path, 'utf8'), { items, isAlone, interrupt });
    await load.ready();
    for (const lanes of outstanding) {
      await load.run(lanes, warmUpMs);
      const { histogram, tookMs, ...counted } = await load.run(lanes, 1000 * seconds);
      if (interrupt.aborted) throw interrupted();
      const msAt = (percentile: number): number => Math.round(histogram.getValueAtPercentile(percentile) / 10) / 100;
      print({
        bench: 'vote',
        nodes,
        killed: killed ? 1 : 0,
        lying: lying === undefined ? 0 : 1,
        outstanding: lanes,
        itemsPerRequest: items,
        alone: isAlone,
        decisionsPerSecond: Math.round((1000 * counted.decisions) / tookMs),
        certificatesPerSecond: Math.round((1000 * counted.certificates) / tookMs),
        p50Ms: msAt(50),
        p99Ms: msAt(99),
        failed: counted.failed,
        durability: 'sync',
      });
    }
    load.close();
  } finally {
    lying?.kill('SIGKILL');
    await dev('down').catch(() => {});
    await rm(directory, { recursive: true, force: true });
  }
}
