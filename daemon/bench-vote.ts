import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'hdr-histogram-js';
import { verifyCertificate } from '../src/verify/index.ts';
import { CliError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import { readGenesis } from './genesis.ts';
import { pause } from './http.ts';
import { freeRange } from './ports.ts';

const execute = promisify(execFile);

export interface VoteBenchOptions {
  readonly executable: string;
  readonly nodes: number;
  /** Votes in flight, one measurement for each number. */
  readonly outstanding: readonly number[];
  readonly seconds: number;
  /** Kill the last node before the measurements. */
  readonly killed: boolean;
}

export interface VoteFigures {
  readonly bench: 'vote';
  readonly nodes: number;
  readonly killed: number;
  readonly outstanding: number;
  readonly decisionsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
  readonly durability: 'sync';
}

/** Decisions that every node approves by its policy, each from the request to its certificate, which is verified here as a deploy tool would. */
export async function benchVote(options: VoteBenchOptions, print: (figures: VoteFigures) => void): Promise<void> {
  const { executable, nodes, outstanding, seconds, killed } = options;
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const [httpPort, peerPort] = [await freeRange(nodes), await freeRange(nodes)];
  const env = { ...process.env, QUORATE_VOTES_AUTO_APPROVE: 'bench' };
  const dev = (...args: string[]) => execute(process.execPath, [executable, 'dev', ...args, '--dir', directory], { env });
  try {
    await dev('up', '--nodes', String(nodes), '--http-port', String(httpPort), '--peer-port', String(peerPort), '--detach');
    if (killed) await dev('kill', String(nodes));
    const path = join(directory, 'genesis.json');
    const genesis = await readFile(path, 'utf8');
    const endpoints = (await readGenesis(path)).members.map(({ http }) => http).slice(0, killed ? nodes - 1 : nodes);
    const load = new Load(endpoints, genesis);
    await load.ready();
    for (const lanes of outstanding) {
      await load.run(lanes, 1000);
      const { histogram, tookMs, failed } = await load.run(lanes, 1000 * seconds);
      const msAt = (percentile: number): number => Math.round(histogram.getValueAtPercentile(percentile) / 10) / 100;
      const decisionsPerSecond = Math.round((1000 * histogram.totalCount) / tookMs);
      const figures = { nodes, killed: killed ? 1 : 0, outstanding: lanes, decisionsPerSecond, p50Ms: msAt(50), p99Ms: msAt(99), failed };
      print({ bench: 'vote', ...figures, durability: 'sync' });
    }
    load.close();
  } finally {
    await dev('down').catch(() => {});
    await rm(directory, { recursive: true, force: true });
  }
}

/** A closed loop over the nodes in turn. */
export class Load {
  readonly #endpoints: readonly string[];
  readonly #genesis: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4096 });
  #next = 0;

  constructor(endpoints: readonly string[], genesis: string) {
    this.#endpoints = endpoints;
    this.#genesis = genesis;
  }

  /** Resolves once every node decides: they have to find each other first. */
  async ready(): Promise<void> {
    for (let round = 0, decided = 0; decided < this.#endpoints.length; round++) {
      if (round > 600) throw new CliError(exitCodes.unhealthy, 'the nodes reach no decision', 'see the logs of the nodes');
      if (await this.#decide()) decided++;
      else {
        decided = 0;
        await pause(100);
      }
    }
  }

  async run(lanes: number, durationMs: number) {
    const histogram = build({ numberOfSignificantValueDigits: 3, highestTrackableValue: 60_000_000 });
    const startedMs = performance.now();
    let failed = 0;
    const lane = async (): Promise<void> => {
      while (performance.now() - startedMs < durationMs) {
        const fromMs = performance.now();
        if (await this.#decide()) histogram.recordValue(Math.max(1, Math.round(1000 * (performance.now() - fromMs))));
        else failed++;
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return { histogram, tookMs: performance.now() - startedMs, failed };
  }

  close(): void {
    this.#agent.destroy();
  }

  async #decide(): Promise<boolean> {
    const endpoint = this.#endpoints[this.#next++ % this.#endpoints.length] ?? '';
    const answer = await this.#post(`${endpoint}/v1/votes`, { kind: 'bench', subject: `item ${this.#next}`, wait: 20_000 });
    const certificate = isAnswer(answer) ? JSON.stringify(answer.certificate) : undefined;
    return certificate !== undefined && verifyCertificate(certificate, this.#genesis, { option: 'approve' }).valid;
  }

  #post(url: string, body: unknown): Promise<unknown> {
    return new Promise((resolve) => {
      const sent = request(url, { method: 'POST', agent: this.#agent, headers: { 'content-type': 'application/json' } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => resolve(undefined));
        response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
      });
      sent.on('error', () => resolve(undefined));
      sent.end(JSON.stringify(body));
    });
  }
}

const isAnswer = (value: unknown): value is { readonly certificate: unknown } =>
  typeof value === 'object' && value !== null && 'certificate' in value;
