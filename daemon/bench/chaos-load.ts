import { createClient, createWorker, type QuorateClient, type Worker } from '../../src/index.ts';
import { keySchema } from '../answers.ts';
import { ApiError, Http, pause } from '../http.ts';

export interface LoadOptions {
  readonly endpoints: readonly string[];
  /** Of all writers together, at most; each has one write in flight. */
  readonly writesPerSecond: number;
  readonly tasksPerSecond: number;
}

/** Half of them write as programs do that use the client, half as those that take any node by HTTP and stay with none. */
const writers = 8;
const submitters = 2;
const workers = 5;
const callMs = 5000;
/** Of one node, which may stand still. */
const httpMs = 2000;
/** One acknowledged write in so many is read back at once, from any node. */
const readEvery = 8;
/** One attempt in so many fails. */
const failEvery = 40;
const maxViolations = 20;

export const keyOf = (lane: number, i: number): string => `chaos/${lane}/${i}`;
export const taskIdOf = (lane: number, i: number): string => `chaos-${lane}-${i}`;
/** What is written there: a lost or mixed-up value would be another. */
export const valueOf = (lane: number, i: number): string => `${lane * 7919 + i}`.padEnd(32, '.');

/**
 * Clients of a cluster under faults: writers that repeat each write until it is acknowledged and then make the next, so that a count for each of them says all that was
 * acknowledged; submitters, alike; workers that take the tasks. Every write and every task is named by its writer and number.
 */
export class ChaosLoad {
  /** Acknowledged, of each writer: all below the count. */
  readonly written: number[] = Array.from({ length: writers }, () => 0);
  readonly submitted: number[] = Array.from({ length: submitters }, () => 0);
  /** Completions that a worker was told are taken, each once. */
  completed = 0;
  readBack = 0;
  repeated = 0;
  /** What no client may ever see. */
  readonly violations: string[] = [];
  readonly #options: LoadOptions;
  readonly #stopping = new AbortController();
  readonly #clients: QuorateClient[] = [];
  readonly #workers: Worker[] = [];
  #loops: Promise<void>[] = [];
  #lastMs = performance.now();
  #longestMs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { writesPerSecond, tasksPerSecond } = this.#options;
    await Promise.all(Array.from({ length: workers }, (_, i) => this.#startWorker(i)));
    this.#lastMs = performance.now();
    this.#loops = [
      ...this.written.map((_, lane) => this.#write(lane, (1000 * writers) / writesPerSecond)),
      ...this.submitted.map((_, lane) => this.#submit(lane, (1000 * submitters) / tasksPerSecond)),
    ];
  }

  /** The longest time without an acknowledged write since the last call. */
  takeLongestMs(): number {
    const longestMs = Math.max(this.#longestMs, performance.now() - this.#lastMs);
    this.#longestMs = 0;
    return Math.round(longestMs);
  }

  /** Writes and submits no more; the workers go on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all(this.#workers.map((worker) => worker.drain({ deadlineMs: 2000 })));
    for (const client of this.#clients) client.close();
  }

  async #startWorker(i: number): Promise<void> {
    const client = this.#client(i);
    const { complete } = client.tasks;
    client.tasks.complete = async (...args) => {
      const result = await complete(...args);
      this.completed++;
      return result;
    };
    let attempts = 0;
    const worker = createWorker({ client, agent: { id: `worker-${i}`, capabilities: ['chaos'], concurrency: 4, ttlMs: 3000 } });
    worker.onTask('chaos', async (_task, { signal, fence }) => {
      await pause(10 + ((37 * ++attempts) % 200), signal);
      if (attempts % failEvery === 0) throw new Error('fails now and then');
      return fence;
    });
    await worker.start();
    this.#workers.push(worker);
  }

  async #write(lane: number, everyMs: number): Promise<void> {
    const client = lane % 2 === 0 ? this.#client(lane) : undefined;
    await this.#repeat(everyMs, async () => {
      const i = this.written[lane] ?? 0;
      const [key, value] = [keyOf(lane, i), valueOf(lane, i)];
      const any = this.#any(i);
      if (client !== undefined) await client.kv.put(key, value);
      else await this.#http(any).request('PUT', `/v1/kv/${key}`, { body: { value } });
      this.written[lane] = i + 1;
      const nowMs = performance.now();
      this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
      this.#lastMs = nowMs;
      if (i % readEvery === 0) await this.#read(this.#any(i + lane), key, value);
    });
  }

  /** A node that answers at all must know what was acknowledged before it was asked. */
  async #read(endpoint: string, key: string, value: string): Promise<void> {
    try {
      const found = keySchema.parse(await this.#http(endpoint).request('GET', `/v1/kv/${key}`));
      this.readBack++;
      if (found.value !== value) this.#violate(`${endpoint} answers ${found.value} for ${key}, not the acknowledged ${value}`);
    } catch (error) {
      if (error instanceof ApiError && error.code === 'not_found')
        this.#violate(`${endpoint} does not know ${key}, whose write was acknowledged`);
    }
  }

  async #submit(lane: number, everyMs: number): Promise<void> {
    const client = this.#client(lane);
    const backoff = { baseMs: 100, factor: 2, maxMs: 2000 };
    await this.#repeat(everyMs, async () => {
      const i = this.submitted[lane] ?? 0;
      const id = taskIdOf(lane, i);
      await client.tasks.submit({ id, type: 'chaos', requires: ['chaos'], leaseMs: 3000, maxAttempts: 10, backoff });
      this.submitted[lane] = i + 1;
    });
  }

  /** Until told to stop: once in `everyMs` when it succeeds, again and again until it does. */
  async #repeat(everyMs: number, act: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    let dueMs = performance.now();
    while (!signal.aborted) {
      try {
        await act();
      } catch {
        this.repeated++;
        await pause(20, signal);
        continue;
      }
      // What was missed is not made up for: the rate is a bound.
      dueMs = Math.max(dueMs + everyMs, performance.now() - everyMs);
      await pause(dueMs - performance.now(), signal);
    }
  }

  #violate(text: string): void {
    if (this.violations.length < maxViolations) this.violations.push(text);
  }

  #client(first: number): QuorateClient {
    const { endpoints } = this.#options;
    const at = first % endpoints.length;
    const client = createClient({ endpoints: [...endpoints.slice(at), ...endpoints.slice(0, at)], timeoutMs: callMs });
    this.#clients.push(client);
    return client;
  }

  #any(i: number): string {
    const { endpoints } = this.#options;
    return endpoints[(7 * i + this.repeated) % endpoints.length] ?? '';
  }

  /** Not ended by `stop`: what is in flight gets its answer, or its time runs out. */
  #http(endpoint: string): Http {
    return new Http({ endpoints: [endpoint], timeoutMs: httpMs, signal: new AbortController().signal });
  }
}
