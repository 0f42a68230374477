import { failure } from '../src/core/errors.ts';
import { agentId, taskId, type AgentId, type TaskId } from '../src/core/ids.ts';
import type { Random } from '../src/core/random.ts';
import type { Replica } from '../src/node/replica.ts';
import type { Answer, ClaimedTask, ReadPoint } from '../src/node/service.ts';
import type { Command, CommandResult } from '../src/tasks/commands.ts';
import { isTerminal } from '../src/tasks/task.ts';
import type { EventQueue } from './event-queue.ts';
import type { Clients } from './plan.ts';
import { hold } from './violation.ts';

export interface WorkloadPorts {
  readonly queue: EventQueue;
  readonly random: Random;
  /** A node that is up, or undefined when that one is down: clients notice and try another later. */
  replica(node: number): Replica | undefined;
  readonly nodes: number;
  readonly clients: Clients;
  /** Called when a write is acknowledged at an index. */
  acknowledged(index: number): void;
}

export interface WorkloadCounts {
  writes: number;
  writesAcknowledged: number;
  reads: number;
  tasksSubmitted: number;
  tasksAcknowledged: number;
  completions: number;
}

const keys = 8;
/** Longer than any node takes to answer. */
const clientTimeoutUs = 8_000_000;

/** Clients of a world: some write and read keys, some submit tasks, agents claim and finish them. They remember what they were told and hold the cluster to it. */
export class Workload {
  readonly counts: WorkloadCounts = { writes: 0, writesAcknowledged: 0, reads: 0, tasksSubmitted: 0, tasksAcknowledged: 0, completions: 0 };
  readonly #ports: WorkloadPorts;
  /** By key: the newest version that any client was told. */
  readonly #versions = new Map<string, number>();
  readonly #tasks = new Set<TaskId>();
  readonly #results = new Map<TaskId, string>();
  /** Which agent was given which task under which fence. */
  readonly #holders = new Map<number, AgentId>();
  readonly #fences = new Map<TaskId, number>();
  #submitting = true;

  constructor(ports: WorkloadPorts) {
    this.#ports = ports;
  }

  start(): void {
    const { queue, random, clients } = this.#ports;
    for (let client = 0; client < clients.writers; client++) queue.after(random.below(100_000), () => this.#write(client));
    for (let client = 0; client < clients.readers; client++) queue.after(random.below(100_000), () => this.#read());
    if (clients.agents > 0) queue.after(random.below(200_000), () => this.#submit());
    for (let i = 0; i < clients.agents; i++) queue.after(random.below(100_000), () => this.#register(agentId(`agent-${i}`)));
  }

  /** No new tasks; agents go on until the queue is empty. */
  drain(): void {
    this.#submitting = false;
  }

  /** A client's request: answered once, and given up when its node died with it or has nothing to say. */
  #request<T>(begin: (done: (answer: Answer<T>) => void) => void, done: (answer: Answer<T>) => void): void {
    let isOpen = true;
    const once = (answer: Answer<T>): void => {
      if (!isOpen) return;
      isOpen = false;
      done(answer);
    };
    this.#ports.queue.after(clientTimeoutUs, () => once({ ok: false, failure: failure('timeout', 'the client gave up') }));
    begin(once);
  }

  #submitCommand(replica: Replica, command: Command, done: (answer: Answer<CommandResult>) => void): void {
    this.#request<CommandResult>((answer) => replica.submit(command, undefined, 2000, answer), done);
  }

  #anyReplica(): Replica | undefined {
    return this.#ports.replica(this.#ports.random.below(this.#ports.nodes));
  }

  #write(client: number): void {
    const { queue, random } = this.#ports;
    const again = (): void => queue.after(20_000 + random.below(60_000), () => this.#write(client));
    const replica = this.#anyReplica();
    if (replica === undefined) return again();
    const key = `key-${random.below(keys)}`;
    this.counts.writes++;
    this.#submitCommand(replica, { op: 'PutKey', key, value: `${client}.${this.counts.writes}`, ifVersion: undefined }, (answer) => {
      if (answer.ok && answer.value.ok && answer.value.value.kind === 'key') {
        this.counts.writesAcknowledged++;
        this.#ports.acknowledged(answer.value.index);
        this.#versions.set(key, Math.max(this.#versions.get(key) ?? 0, answer.value.value.version));
      }
      again();
    });
    return undefined;
  }

  /** Linearizability, for reads of one key: never older than what was acknowledged before the read began. */
  #read(): void {
    const { queue, random } = this.#ports;
    const again = (): void => queue.after(20_000 + random.below(60_000), () => this.#read());
    const replica = this.#anyReplica();
    if (replica === undefined) return again();
    const key = `key-${random.below(keys)}`;
    const known = this.#versions.get(key) ?? 0;
    const ask = (done: (answer: Answer<ReadPoint>) => void): void => replica.read('linearizable', 2000, done);
    this.#request(ask, (answer) => {
      if (answer.ok) {
        this.counts.reads++;
        const version = replica.state.keys.get(key)?.version ?? 0;
        hold(version >= known, 'linearizable-read', () => `${key} was read with version ${version} after ${known} had been acknowledged`);
      }
      again();
    });
    return undefined;
  }

  #submit(): void {
    const { queue, random } = this.#ports;
    if (!this.#submitting) return;
    queue.after(100_000 + random.below(200_000), () => this.#submit());
    const replica = this.#anyReplica();
    if (replica === undefined) return;
    const task = taskId(`task-${this.counts.tasksSubmitted++}`);
    const backoff = { baseMs: 100, factor: 2, maxMs: 1000 };
    this.#submitCommand(
      replica,
      {
        op: 'SubmitTask',
        task,
        type: 'work',
        payload: '{}',
        digest: String(task),
        requires: random.below(2) === 0 ? ['a'] : [],
        swarm: undefined,
        priority: random.below(10),
        maxAttempts: 100,
        leaseMs: 2000,
        deadlineMs: undefined,
        delayMs: 0,
        backoff,
      },
      (answer) => {
        if (!answer.ok || !answer.value.ok) return;
        this.counts.tasksAcknowledged++;
        this.#ports.acknowledged(answer.value.index);
        this.#tasks.add(task);
      },
    );
  }

  #register(agent: AgentId): void {
    const { queue, random } = this.#ports;
    const retry = (): void => queue.after(200_000 + random.below(200_000), () => this.#register(agent));
    const replica = this.#anyReplica();
    if (replica === undefined) return retry();
    this.#submitCommand(
      replica,
      {
        op: 'RegisterAgent',
        agent,
        capabilities: ['a'],
        swarms: [],
        concurrency: 2,
        weight: 1,
        labels: {},
        ttlMs: 3000,
        role: undefined,
        group: undefined,
        node: 'simulated',
      },
      (answer) => {
        if (!answer.ok || !answer.value.ok || answer.value.value.kind !== 'agent') return retry();
        this.#ports.acknowledged(answer.value.index);
        this.#claim(agent, answer.value.value.generation);
        return undefined;
      },
    );
    return undefined;
  }

  #claim(agent: AgentId, generation: number): void {
    const { queue, random } = this.#ports;
    const again = (delayUs: number): void => queue.after(delayUs, () => this.#claim(agent, generation));
    const replica = this.#anyReplica();
    if (replica === undefined) return again(100_000);
    const claim = (done: (answer: Answer<readonly ClaimedTask[]>) => void): void => {
      replica.claim({ agent, generation, max: 2, waitMs: 500, types: undefined }, done);
    };
    this.#request(claim, (answer) => {
      if (!answer.ok) {
        const { code } = answer.failure;
        if (code === 'stale_generation' || code === 'unknown_agent') this.#register(agent);
        else again(100_000 + random.below(100_000));
        return;
      }
      for (const { taskId: task, fence } of answer.value) {
        const holder = this.#holders.get(fence);
        hold(
          holder === undefined || holder === agent,
          'one-holder-per-fence',
          () => `fence ${fence} of ${task} was given to ${holder} and ${agent}`,
        );
        this.#holders.set(fence, agent);
        this.#fences.set(task, Math.max(this.#fences.get(task) ?? 0, fence));
        // Some agents are slower than their lease: the task goes to another, and their late answer must change nothing.
        queue.after(random.below(20) === 0 ? 4_000_000 : 10_000 + random.below(500_000), () => this.#complete(agent, task, fence, 0));
      }
      again(answer.value.length === 0 ? 1000 : 20_000);
    });
    return undefined;
  }

  #complete(agent: AgentId, task: TaskId, fence: number, attempt: number): void {
    const { queue, random } = this.#ports;
    const again = (): void => {
      if (attempt < 20) queue.after(100_000 + random.below(300_000), () => this.#complete(agent, task, fence, attempt + 1));
    };
    const replica = this.#anyReplica();
    if (replica === undefined) return again();
    const result = JSON.stringify(`${agent} ${fence}`);
    this.#submitCommand(replica, { op: 'CompleteTask', task, fence, result }, (answer) => {
      if (!answer.ok) return again();
      if (!answer.value.ok) return undefined;
      this.counts.completions++;
      this.#ports.acknowledged(answer.value.index);
      const known = this.#results.get(task);
      hold(known === undefined || known === result, 'completed-once', () => `${task} was completed with ${known} and with ${result}`);
      this.#results.set(task, result);
      return undefined;
    });
    return undefined;
  }

  /** Holds a node's state to everything that clients were told: call it when the node has applied all that is committed. */
  check(replica: Replica): void {
    for (const [key, version] of this.#versions) {
      const stored = replica.state.keys.get(key)?.version ?? 0;
      hold(stored >= version, 'no-acknowledged-write-lost', () => `${key} is at version ${stored}, but ${version} was acknowledged`);
    }
    for (const task of this.#tasks) {
      const stored = replica.state.tasks.get(task);
      hold(stored !== undefined, 'no-acknowledged-task-lost', () => `${task} was acknowledged and is gone`);
      const result = this.#results.get(task);
      hold(
        result === undefined || (stored.state === 'succeeded' && stored.result === result),
        'completed-once',
        () => `${task} was completed with ${result} but is ${stored.state} with ${stored.result}`,
      );
      hold(
        stored.fence >= (this.#fences.get(task) ?? 0),
        'fences-rise',
        () => `${task} has fence ${stored.fence} after ${this.#fences.get(task)}`,
      );
    }
  }

  /** True when every acknowledged task has come to an end on this node. */
  isDrained(replica: Replica): boolean {
    for (const task of this.#tasks) {
      const stored = replica.state.tasks.get(task);
      if (stored === undefined || !isTerminal(stored.state)) return false;
    }
    return true;
  }
}
