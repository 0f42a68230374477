import { createClient, createWorker, type QuorateClient, type Worker } from '../../src/index.ts';
import { keySchema } from '../answers.ts';
import { ApiError, Http, pause } from '../http.ts';
import { Loops } from './loops.ts';
import { type Write, Writers } from './writers.ts';

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

export const taskIdOf = (lane: number, i: number): string => `chaos-${lane}-${i}`;

/**
 * Clients of a cluster under faults: writers, of whose writes some are read back; submitters, which repeat each task until it is accepted; workers that take the tasks.
 * Every write and every task is named by its writer and number.
 */
export class ChaosLoad {
  readonly writers = new Writers(writers);
  /** Accepted, of each submitter: all below the count. */
  readonly submitted: number[] = Array.from({ length: submitters }, () => 0);
  /** Completions that a worker was told are taken, each once. */
  completed = 0;
  readBack = 0;
  /** What no client may ever see. */
  readonly violations: string[] = [];
  readonly #options: LoadOptions;
  readonly #loops = new Loops();
  readonly #clients: QuorateClient[] = [];
  readonly #workers: Worker[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { writesPerSecond, tasksPerSecond } = this.#options;
    await Promise.all(Array.from({ length: workers }, (_, i) => this.#startWorker(i)));
    const clients = this.writers.written.map((_, lane) => (lane % 2 === 0 ? this.#client(lane) : undefined));
    const put = ({ lane, i, key, value }: Write): Promise<unknown> =>
      clients[lane]?.kv.put(key, value) ?? this.#http(this.#any(i)).request('PUT', `/v1/kv/${key}`, { body: { value } });
    this.writers.start(this.#loops, (1000 * writers) / writesPerSecond, put, (write) => this.#readBack(write));
    for (const lane of this.submitted.keys()) this.#loops.add(this.#submit(lane, (1000 * submitters) / tasksPerSecond));
  }

  /** Attempts of clients that were no acknowledgement; each was made again. */
  get repeated(): number {
    return this.#loops.repeated;
  }

  /** Writes and submits no more; the workers go on. */
  stop(): Promise<void> {
    return this.#loops.stop();
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

  /** A node that answers at all must know what was acknowledged before it was asked. */
  async #readBack({ lane, i, key, value }: Write): Promise<void> {
    if (i % readEvery !== 0) return;
    const endpoint = this.#any(i + lane);
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
    await this.#loops.repeat(everyMs, async () => {
      const i = this.submitted[lane] ?? 0;
      const id = taskIdOf(lane, i);
      await client.tasks.submit({ id, type: 'chaos', requires: ['chaos'], leaseMs: 3000, maxAttempts: 10, backoff });
      this.submitted[lane] = i + 1;
    });
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
