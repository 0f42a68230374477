import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { createClient } from '../../src/index.ts';
import { membersSchema, statusSchema } from '../answers.ts';
import { CliError } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { Http, pause } from '../http.ts';
import { freeRange } from '../ports.ts';
import { Loops } from './loops.ts';
import { lostWrites, Writers } from './writers.ts';

export interface MembersBench {
  readonly executable: string;
  /** Each has one write in flight at a time. */
  readonly clients: number;
  /** How long each size of the cluster is kept before the next change. */
  readonly secondsPerPhase: number;
  readonly heartbeatMs: number;
  readonly electionTimeoutMs: number;
  readonly interrupt: AbortSignal;
}

export interface PhaseFigures {
  readonly bench: 'members';
  /** `1`, `1 to 3`, `3`, … */
  readonly phase: string;
  readonly seconds: number;
  readonly acknowledged: number;
  /** The longest that any client waited for the acknowledgement of a write. */
  readonly longestWaitMs: number;
  /** Answers that were no acknowledgement; the write was made again. */
  readonly repeated: number;
  readonly electionTimeoutMs: number;
}

export interface LossFigures {
  readonly bench: 'members';
  readonly phase: 'all';
  readonly acknowledged: number;
  /** Acknowledged, and not there at the end. */
  readonly lost: number;
}

const execute = promisify(execFile);
/** For one change of the members, on a machine under load. */
const changeMs = 60_000;

/**
 * Grows a cluster of real daemons from one node to three and five and shrinks it back to one, the leader first each time, while clients write; then reads
 * everything that was acknowledged from the node that is left.
 */
export async function benchMembers(options: MembersBench, report: (figures: PhaseFigures) => void): Promise<LossFigures> {
  const cluster = new GrowingCluster(options);
  try {
    await cluster.up();
    const [loops, writers] = [new Loops(), new Writers(options.clients)];
    const clients = Array.from({ length: options.clients }, () => createClient({ endpoints: cluster.endpoints, timeoutMs: 5_000 }));
    writers.start(loops, 0, async ({ lane, key, value }) => clients[lane]?.kv.put(key, value));
    const phase = async (name: string, change: () => Promise<void>): Promise<void> => {
      const [startedMs, acknowledged, repeated] = [performance.now(), writers.acknowledged, loops.repeated];
      await change();
      const seconds = (performance.now() - startedMs) / 1000;
      report({
        bench: 'members',
        phase: name,
        seconds,
        acknowledged: writers.acknowledged - acknowledged,
        longestWaitMs: writers.takeLongest().waitMs,
        repeated: loops.repeated - repeated,
        electionTimeoutMs: options.electionTimeoutMs,
      });
    };
    const steady = (): Promise<void> => pause(options.secondsPerPhase * 1000, options.interrupt);
    try {
      await phase('1', steady);
      for (const size of [3, 5]) {
        await phase(`${size - 2} to ${size}`, () => cluster.grow(size));
        await phase(`${size}`, steady);
      }
      for (const size of [3, 1]) {
        await phase(`${size + 2} to ${size}`, () => cluster.shrink(size));
        await phase(`${size}`, steady);
      }
    } finally {
      await loops.stop();
      for (const client of clients) client.close();
    }
    const lost = await lostWrites(await cluster.last(), writers.written);
    return { bench: 'members', phase: 'all', acknowledged: writers.acknowledged, lost };
  } finally {
    await cluster.down();
  }
}

/** Five daemons of which the first founds the cluster and the others come and go. */
class GrowingCluster {
  readonly #options: MembersBench;
  readonly #joined = new Map<string, ChildProcess>();
  #directory = '';
  #httpPort = 0;
  #peerPort = 0;
  endpoints: readonly string[] = [];

  constructor(options: MembersBench) {
    this.#options = options;
  }

  async up(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
    this.#httpPort = await freeRange(10);
    this.#peerPort = this.#httpPort + 5;
    this.endpoints = Array.from({ length: 5 }, (_, i) => `http://127.0.0.1:${this.#httpPort + i}`);
    const ports = ['--http-port', String(this.#httpPort), '--peer-port', String(this.#peerPort)];
    await this.#dev('up', '--nodes', '1', ...ports, '--detach', ...this.#timing);
  }

  async down(): Promise<void> {
    for (const child of this.#joined.values()) child.kill('SIGKILL');
    await this.#dev('down').catch(() => {});
    await rm(this.#directory, { recursive: true, force: true });
  }

  async grow(size: number): Promise<void> {
    for (let number = size - 1; number <= size; number++) {
      const name = `node-${number}`;
      const token = z.object({ token: z.string() }).parse(await this.#request('POST', '/v1/members/tokens', {})).token;
      const [http, peer] = [String(this.#httpPort + number - 1), String(this.#peerPort + number - 1)];
      const at = ['--data-dir', join(this.#directory, name), '--http-port', http, '--peer-port', peer];
      const args = ['start', ...at, '--join', this.endpoints[0] ?? '', '--token', token, ...this.#timing];
      this.#joined.set(name, spawn(process.execPath, [this.#options.executable, ...args], { stdio: 'ignore' }));
      await this.#until(`${name} to vote`, async () => (await this.#members()).some((member) => member.name === name && member.voter));
    }
  }

  /** Removes whoever leads, until so many are left. */
  async shrink(size: number): Promise<void> {
    for (let left = size + 1; left >= size; left--) {
      const { leader } = statusSchema.parse(await this.#request('GET', '/v1/status'));
      await this.#until('the leader to be removed', async () => {
        const members = await this.#members();
        if (members.length === left) return true;
        await this.#request('DELETE', `/v1/members/${leader?.nodeId ?? ''}`);
        return false;
      });
    }
  }

  /** Asks the one node that is left. */
  async last(): Promise<() => Http> {
    const [last] = await this.#members();
    const http = new Http({ endpoints: [last?.http ?? ''], timeoutMs: 10_000, signal: this.#options.interrupt });
    return () => http;
  }

  get #timing(): readonly string[] {
    const { heartbeatMs, electionTimeoutMs } = this.#options;
    return ['--heartbeat-ms', String(heartbeatMs), '--election-timeout-ms', String(electionTimeoutMs)];
  }

  #dev(...args: string[]): Promise<unknown> {
    return execute(process.execPath, [this.#options.executable, 'dev', ...args, '--dir', this.#directory]);
  }

  async #members(): Promise<z.infer<typeof membersSchema>['items']> {
    return membersSchema.parse(await this.#request('GET', '/v1/members')).items;
  }

  /** Of a member: one that was removed says so and is passed over. */
  async #request(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    for (const endpoint of this.endpoints) {
      const http = new Http({ endpoints: [endpoint], timeoutMs: 10_000, signal: this.#options.interrupt });
      const status = await http.request('GET', '/v1/status').then(
        (answer) => statusSchema.parse(answer),
        () => undefined,
      );
      if (status === undefined || status.removed || status.leader === null) continue;
      return http.request(method, path, body === undefined ? {} : { body });
    }
    throw new CliError(exitCodes.unavailable, 'no member of the cluster answers');
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const endMs = performance.now() + changeMs;
    while (!(await isSo().catch(() => false))) {
      if (performance.now() > endMs) throw new CliError(exitCodes.timeout, `waited ${changeMs / 1000} s for ${what}`);
      await pause(50, this.#options.interrupt);
      this.#options.interrupt.throwIfAborted();
    }
  }
}
