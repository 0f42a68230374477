import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type QuorateClient } from '../../src/index.ts';
import { statusSchema } from '../answers.ts';
import type { Context } from '../context.ts';
import { freeRange } from '../ports.ts';
import { Http, pause } from '../http.ts';
import { initCluster } from '../node/init-cluster.ts';

export interface SnapshotBenchFlags {
  readonly megabytes: number;
  readonly valueBytes: number;
}

type Report = (figures: Readonly<Record<string, string | number>>, text: string) => void;

/** Requests in flight while the state is filled. */
const outstanding = 512;
const megabyte = 1_000_000;

/**
 * A cluster that grows from one node to three over a large state: fills it, takes a snapshot and sends it to two empty nodes, one after the other, while
 * a client goes on writing. The longest pause of a process is what matters: a heartbeat waits no longer than that.
 */
export async function benchSnapshot({ megabytes, valueBytes }: SnapshotBenchFlags, context: Context, report: Report): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const bench = new SnapshotBench(directory, await freeRange(6), context, report);
  try {
    await bench.begin();
    await bench.fill(megabytes, valueBytes);
    await bench.take();
    for (const name of ['node-2', 'node-3']) await bench.join(name);
  } finally {
    await bench.end();
    await rm(directory, { recursive: true, force: true });
  }
}

class SnapshotBench {
  readonly #directory: string;
  readonly #port: number;
  readonly #context: Context;
  readonly #report: Report;
  readonly #nodes: ChildProcess[] = [];
  readonly #leader: string;
  readonly #client: QuorateClient;

  constructor(directory: string, port: number, context: Context, report: Report) {
    this.#directory = directory;
    this.#port = port;
    this.#context = context;
    this.#report = report;
    this.#leader = `http://127.0.0.1:${port}`;
    this.#client = createClient({ endpoints: [this.#leader], timeoutMs: 120_000 });
  }

  async begin(): Promise<void> {
    await initCluster({ nodes: 1, directory: join(this.#directory, 'founder'), httpPort: this.#port, peerPort: this.#port + 1 });
    this.#start(join(this.#directory, 'founder', 'node-1'));
    await this.#until(async () => (await this.#status(this.#leader))?.role === 'leader');
  }

  async fill(megabytes: number, valueBytes: number): Promise<void> {
    const each = Math.ceil((megabytes * megabyte) / 2 / valueBytes);
    const value = 'v'.repeat(valueBytes);
    const beganMs = performance.now();
    await inParallel(each, (i) => this.#client.kv.put(`key-${i}`, value));
    // Two quotation marks make a payload's JSON.
    await inParallel(each, (i) => this.#client.tasks.submit({ id: `task-${i}`, type: 'bench', payload: value.slice(2) }));
    await this.#tell('fill', this.#leader, performance.now() - beganMs, { megabytes, keys: each, tasks: each });
  }

  /** The request is answered once the snapshot is durable; then the file follows. */
  async take(): Promise<void> {
    await this.#client.kv.put('last', 'one');
    await pauseSeconds(this.#leader);
    const writes = this.#keepWriting();
    const beganMs = performance.now();
    const body = await this.#http(this.#leader).download('/v1/snapshot');
    await this.#tell('take', this.#leader, performance.now() - beganMs, {});
    const downloadMs = performance.now();
    let bytes = 0;
    for await (const piece of body) bytes += piece.length;
    await this.#tell('download', this.#leader, performance.now() - downloadMs, { fileBytes: bytes, ...(await writes()) });
  }

  async join(name: string): Promise<void> {
    const index = this.#nodes.length;
    const port = this.#port + 2 * index;
    const url = `http://127.0.0.1:${port}`;
    const answer = await this.#http(this.#leader).request('POST', '/v1/members/tokens', { body: { ttlMs: 600_000 } });
    const token = typeof answer === 'object' && answer !== null && 'token' in answer ? String(answer.token) : '';
    const termBefore = (await this.#status(this.#leader))?.term ?? 0;
    await pauseSeconds(this.#leader);
    const writes = this.#keepWriting();
    const beganMs = performance.now();
    this.#start(
      join(this.#directory, name),
      '--join',
      this.#leader,
      '--token',
      token,
      '--http-port',
      `${port}`,
      '--peer-port',
      `${port + 1}`,
    );
    await this.#until(async () => (await this.#status(url))?.members.some((member) => member.name === name && member.voter) === true);
    const status = await this.#status(this.#leader);
    const pauses = await pauseSeconds(url);
    const figures = {
      node: name,
      followerPauseMs: Math.round(pauses * 1000),
      termBefore,
      termAfter: status?.term ?? 0,
      ...(await writes()),
    };
    await this.#tell('install', this.#leader, performance.now() - beganMs, figures);
  }

  async end(): Promise<void> {
    this.#client.close();
    for (const node of this.#nodes) node.kill('SIGKILL');
    await Promise.all(this.#nodes.map(ended));
  }

  #start(dataDir: string, ...flags: string[]): void {
    const args = [this.#context.executable, 'start', '--data-dir', dataDir, '--stop-on-stdin-end', '--log-level', 'warn', ...flags];
    this.#nodes.push(spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'inherit'] }));
  }

  /** One write after the other, until the returned function is called: it says how slow the slowest was. */
  #keepWriting(): () => Promise<{ readonly writes: number; readonly slowestWriteMs: number }> {
    const over = new AbortController();
    let writes = 0;
    let slowestWriteMs = 0;
    const ended = (async () => {
      while (!over.signal.aborted) {
        const beganMs = performance.now();
        await this.#client.kv.put('busy', String(writes++));
        slowestWriteMs = Math.max(slowestWriteMs, Math.round(performance.now() - beganMs));
      }
    })();
    return async () => {
      over.abort();
      await ended;
      return { writes, slowestWriteMs };
    };
  }

  async #tell(step: string, url: string, ms: number, figures: Readonly<Record<string, string | number>>): Promise<void> {
    const all = { step, seconds: Number((ms / 1000).toFixed(1)), leaderPauseMs: Math.round((await pauseSeconds(url)) * 1000), ...figures };
    this.#report(
      all,
      Object.entries(all)
        .map(([name, value]) => `${name} ${value}`)
        .join('  '),
    );
  }

  #http(url: string): Http {
    return new Http({ endpoints: [url], timeoutMs: 30_000, signal: this.#context.interrupt });
  }

  async #status(url: string) {
    try {
      return statusSchema.parse(await this.#http(url).request('GET', '/v1/status'));
    } catch {
      return undefined;
    }
  }

  async #until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition())) {
      this.#context.interrupt.throwIfAborted();
      await pause(100, this.#context.interrupt);
    }
  }
}

const ended = async (node: ChildProcess): Promise<void> => {
  if (node.exitCode === null && node.signalCode === null) await new Promise((resolve) => node.once('exit', resolve));
};

/** The node's longest pause since it was last asked. */
async function pauseSeconds(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^quorate_longest_pause_seconds (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
}

async function inParallel(count: number, job: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await job(next++);
  };
  await Promise.all(Array.from({ length: outstanding }, lane));
}
