import { setMaxListeners } from 'node:events';
import { createClient, type QuorateClient, QuorateError } from '../src/index.ts';
import { taskSchema } from './answers.ts';
import { type Http, pause } from './http.ts';
import { allKeys } from './pages.ts';

/** Agents of the load beat this seldom, so that ten thousand of them leave the machine's cores to the nodes. */
const agentTtlMs = 60_000;
const leaseMs = 30_000;
/** Of every tenth task: a split outlasts it, so that its task goes to another agent while the first one still works. */
const shortLeaseMs = 2_000;
/** How long an agent works on a task, at most. */
const workMs = 30_000;
/** Between two writes of one writer. */
const writePauseMs = 20;
/** As the worker library does: cut-off agents would otherwise take the cores from the nodes. */
const retryMs = 250;
const maxRetryMs = 2000;
/** The task was no longer the agent's. */
const refusals: ReadonlySet<string> = new Set(['stale_fence', 'already_completed', 'wrong_state']);

export interface LoadSize {
  readonly agents: number;
  /** Running at any time, one at an agent. */
  readonly tasks: number;
}

export interface LoadFigures {
  /** Keys and tasks that were acknowledged and are not there. */
  readonly lost: number;
  /** Tasks that two agents completed, or whose result is of another attempt than the one that was told it had completed it. */
  readonly completedTwice: number;
  readonly writes: number;
  readonly completed: number;
  /** Completions that came too late, after the task had gone to another agent. */
  readonly fenced: number;
}

type ClaimedTask = Awaited<ReturnType<QuorateClient['agents']['claim']>>[number];

interface LoadAgent {
  readonly id: string;
  readonly client: QuorateClient;
  generation: number;
}

/**
 * What a cluster has to do while it is split and heals: at every node a writer and its share of the agents, whose clients speak with that node alone. It remembers
 * what was acknowledged, to ask for it in the end.
 */
export class PartitionLoad {
  readonly #clients: readonly QuorateClient[];
  readonly #agents: readonly LoadAgent[];
  readonly #workers: readonly LoadAgent[];
  readonly #keys = new Set<string>();
  readonly #submitted = new Set<string>();
  /** The fences under which a completion of each task was acknowledged. */
  readonly #completed = new Map<string, Set<number>>();
  readonly #stopping = new AbortController();
  #loops: readonly Promise<void>[] = [];
  #running = 0;
  #fenced = 0;

  constructor(endpoints: readonly string[], { agents, tasks }: LoadSize) {
    // Everyone who works or waits listens for its end.
    setMaxListeners(0, this.#stopping.signal);
    this.#clients = endpoints.map((endpoint) => createClient({ endpoints: [endpoint], timeoutMs: 2_000 }));
    this.#agents = Array.from({ length: agents }, (_, i) => ({ id: `agent-${i}`, client: this.#client(i), generation: 0 }));
    this.#workers = this.#agents.slice(0, tasks);
  }

  /** Resolves when every agent is registered and, but for those that are just being handed over, all tasks are held. */
  async start(): Promise<void> {
    const agents = this.#agents.values();
    const register = async (): Promise<void> => {
      for (const agent of agents) {
        const { generation } = await agent.client.agents.register({ id: agent.id, capabilities: [], ttlMs: agentTtlMs });
        agent.generation = generation;
      }
    };
    await Promise.all(Array.from({ length: 200 }, register));
    this.#loops = [
      this.#beat(),
      ...this.#clients.map((client, lane) => this.#write(client, lane)),
      ...this.#workers.map((agent, lane) => this.#work(agent, lane)),
    ];
    while (this.#running < 0.95 * this.#workers.length) await pause(50);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    for (const client of this.#clients) client.close();
  }

  /** What became of all that was acknowledged, as one node knows it. */
  async check(http: Http): Promise<LoadFigures> {
    const keys = await allKeys(http);
    const lostKeys = [...this.#keys].filter((key) => !keys.has(key)).length;
    const twice = new Set([...this.#completed].filter(([, fences]) => fences.size > 1).map(([task]) => task));
    let lostTasks = 0;
    for (const task of this.#submitted) {
      const found = await http.request('GET', `/v1/tasks/${task}`).then(
        (answer) => taskSchema.parse(answer),
        () => undefined,
      );
      const [fence] = this.#completed.get(task) ?? [];
      if (found === undefined || (fence !== undefined && found.state !== 'succeeded')) lostTasks++;
      else if (fence !== undefined && found.result !== fence) twice.add(task);
    }
    return {
      lost: lostKeys + lostTasks,
      completedTwice: twice.size,
      writes: this.#keys.size,
      completed: this.#completed.size,
      fenced: this.#fenced,
    };
  }

  #client(i: number): QuorateClient {
    const client = this.#clients[i % this.#clients.length];
    if (client === undefined) throw new Error('there is no node to speak with');
    return client;
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Every agent twice in its time to live, spread over it. */
  async #beat(): Promise<void> {
    for (let beaten = 0, fromMs = performance.now(); !this.#isStopping; await pause(50)) {
      const due = ((performance.now() - fromMs) * this.#agents.length) / (agentTtlMs / 2);
      for (; beaten < due; beaten++) {
        const agent = this.#agents[beaten % this.#agents.length];
        agent?.client.agents.heartbeat(agent.id, agent.generation).catch(() => {});
      }
    }
  }

  async #write(client: QuorateClient, lane: number): Promise<void> {
    for (let i = 0; !this.#isStopping; i++) {
      const key = `${lane}-${i}`;
      const written = await client.kv.put(key, key).catch(() => undefined);
      if (written !== undefined) this.#keys.add(key);
      await pause(writePauseMs);
    }
  }

  async #work(agent: LoadAgent, lane: number): Promise<void> {
    for (let i = 0; !this.#isStopping; i++) {
      const id = `task-${lane}-${i}`;
      const task = { id, type: 'bench', leaseMs: lane % 10 === 0 ? shortLeaseMs : leaseMs };
      await this.#insist(async () => {
        await agent.client.tasks.submit(task);
        this.#submitted.add(id);
      });
      const claimed = await this.#claim(agent);
      if (claimed === undefined) return;
      this.#running++;
      await this.#hold(agent, claimed, Math.random() * workMs);
      await this.#complete(agent, claimed);
      this.#running--;
    }
  }

  async #claim({ id, client, generation }: LoadAgent): Promise<ClaimedTask | undefined> {
    let claimed: ClaimedTask | undefined;
    await this.#insist(async () => {
      while (claimed === undefined && !this.#isStopping) [claimed] = await client.agents.claim(id, generation, 1, 1_000, undefined);
    });
    return claimed;
  }

  async #hold({ client }: LoadAgent, { taskId, fence, leaseMs: lease }: ClaimedTask, forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs;
    const everyMs = lease / 3;
    while (performance.now() < untilMs && !this.#isStopping) {
      await pause(Math.min(everyMs, untilMs - performance.now()), this.#stopping.signal);
      await client.tasks.heartbeat(taskId, fence, undefined).catch(() => {});
    }
  }

  /** Under its fence, however long the task has been another's: that is for the cluster to refuse. */
  async #complete({ client }: LoadAgent, { taskId, fence }: ClaimedTask): Promise<void> {
    await this.#insist(async () => {
      try {
        await client.tasks.complete(taskId, fence, fence);
        this.#completed.set(taskId, (this.#completed.get(taskId) ?? new Set()).add(fence));
      } catch (error) {
        if (!(error instanceof QuorateError && refusals.has(error.failure.code))) throw error;
        this.#fenced++;
      }
    });
  }

  /** Until it is answered, or the load is stopped. */
  async #insist(call: () => Promise<void>): Promise<void> {
    for (let waitMs = retryMs; !this.#isStopping; waitMs = Math.min(2 * waitMs, maxRetryMs)) {
      const isDone = await call().then(
        () => true,
        () => false,
      );
      if (isDone) return;
      await pause(waitMs, this.#stopping.signal);
    }
  }
}
