import { z } from 'zod';
import { inspectSnapshot } from '../../src/index.ts';
import { pageOf, statusSchema, type Status, taskSchema } from '../answers.ts';
import type { ChaosLoad } from './chaos-load.ts';
import { lostWrites } from './writers.ts';
import { Http, pause } from '../http.ts';
import { everyItem } from '../pages.ts';
import { historySchema, type SplitAnswer } from '../partition/answers.ts';

export interface TaskFigures {
  readonly submitted: number;
  readonly succeeded: number;
  readonly givenUp: number;
  readonly unfinished: number;
  readonly completedTwice: number;
}

const taskPages = pageOf(taskSchema);
const chainSchema = z.object({ logChain: z.object({ index: z.number(), chain: z.string() }) });
const requestMs = 10_000;
/** Whatever is waited for comes within this, on a machine under load, or is a failure. */
const waitMs = 120_000;
/** The log may go on by itself while the states are fetched: then all are fetched again. */
const maxFetches = 20;

/** What is asked of the nodes of a cluster under faults, and judged. */
export class ChaosChecks {
  readonly #endpoints: readonly string[];
  readonly #signal: AbortSignal;

  constructor(endpoints: readonly string[], signal: AbortSignal) {
    this.#endpoints = endpoints;
    this.#signal = signal;
  }

  /** Number of the node that leads, as far as anyone says; the first if nobody does. */
  async leader(): Promise<number> {
    const statuses = await this.#statuses();
    const leader = statuses.find((status) => status?.role === 'leader')?.leader ?? statuses.find((status) => status?.leader)?.leader;
    return Math.max(1, this.#endpoints.indexOf(leader?.http ?? '') + 1);
  }

  /** How long it took until every node said that it is healthy and follows the same leader; undefined when it took too long. */
  healed(): Promise<number | undefined> {
    return this.#until(async () => {
      const statuses = await this.#statuses();
      const [first] = statuses;
      return statuses.every(
        (status) => status?.partition.state === 'healthy' && status.leader !== null && status.leader.nodeId === first?.leader?.nodeId,
      );
    });
  }

  /** Of each node the records of splits that began or ended after `sinceMs` (Unix time), and those that are still open. */
  async splits(sinceMs: number): Promise<readonly (readonly SplitAnswer[])[]> {
    const query = { limit: 10 };
    const histories = this.#endpoints.map((endpoint) => this.#http([endpoint]).request('GET', '/v1/partition/history', { query }));
    return (await Promise.all(histories)).map((history) =>
      historySchema.parse(history).items.filter(({ endMs }) => (endMs ?? Infinity) >= sinceMs),
    );
  }

  /** All tasks have ended; false when they don't. */
  async areTasksOver(): Promise<boolean> {
    const states = ['pending', 'assigned', 'running', 'retry_wait', 'cancelling'];
    const isOver = async (): Promise<boolean> => {
      const pages = await Promise.all(states.map((state) => this.#http().request('GET', '/v1/tasks', { query: { state, limit: 1 } })));
      return pages.every((page) => taskPages.parse(page).items.length === 0);
    };
    return (await this.#until(isOver)) !== undefined;
  }

  lostWrites(written: readonly number[]): Promise<number> {
    return lostWrites(() => this.#http(), written);
  }

  async tasks({ submitted }: Pick<ChaosLoad, 'submitted'>): Promise<TaskFigures> {
    let [succeeded, givenUp, completedTwice] = [0, 0, 0];
    for await (const { id, state, history = [] } of everyItem(() => this.#http(), '/v1/tasks', taskPages, {})) {
      const [, lane = 0, i = 0] = id.split('-').map(Number);
      if (history.filter((item) => item.state === 'succeeded').length > 1) completedTwice++;
      // One that was in flight at the end may be there, too.
      if (i >= (submitted[lane] ?? 0)) continue;
      if (state === 'succeeded') succeeded++;
      else if (state === 'dead') givenUp++;
    }
    const total = submitted.reduce((sum, count) => sum + count, 0);
    return { submitted: total, succeeded, givenUp, unfinished: total - succeeded - givenUp, completedTwice };
  }

  /** The state of every node at one index; the hashes differ if nodes do. Undefined when the log does not come to rest. */
  async states(): Promise<{ readonly index: number; readonly hashes: readonly string[] } | undefined> {
    for (let fetched = 0; fetched < maxFetches; fetched++) {
      const states = await Promise.all(
        this.#endpoints.map(async (endpoint) => inspectSnapshot(await this.#http([endpoint]).download('/v1/snapshot'))),
      );
      const index = states[0]?.header.index ?? 0;
      if (states.every(({ header }) => header.index === index)) return { index, hashes: states.map(({ stateHash }) => stateHash) };
      await pause(200, this.#signal);
    }
    return undefined;
  }

  /** True when the hash chains over all nodes' logs, and so the logs, are equal. */
  async haveEqualLogs(): Promise<boolean> {
    const isEqual = async (): Promise<boolean> => {
      const answers = await Promise.all(this.#endpoints.map((endpoint) => this.#http([endpoint]).request('GET', '/v1/status')));
      const heads = answers.map((answer) => chainSchema.parse(answer).logChain);
      return heads.every(({ index, chain }) => index === heads[0]?.index && chain === heads[0].chain);
    };
    return (await this.#until(isEqual)) !== undefined;
  }

  #statuses(): Promise<(Status | undefined)[]> {
    const ask = async (endpoint: string): Promise<Status> =>
      statusSchema.parse(await this.#http([endpoint], 1000).request('GET', '/v1/status'));
    return Promise.all(this.#endpoints.map((endpoint) => ask(endpoint).catch(() => undefined)));
  }

  /** How long it took; undefined when it took too long. */
  async #until(isSo: () => Promise<boolean>): Promise<number | undefined> {
    const startedMs = performance.now();
    while (!(await isSo().catch(() => false))) {
      this.#signal.throwIfAborted();
      if (performance.now() > startedMs + waitMs) return undefined;
      await pause(50, this.#signal);
    }
    return performance.now() - startedMs;
  }

  #http(endpoints = this.#endpoints, timeoutMs = requestMs): Http {
    return new Http({ endpoints, timeoutMs, signal: this.#signal });
  }
}
