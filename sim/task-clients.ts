import { agentId, taskId, type AgentId, type TaskId } from '../src/core/ids.ts';
import type { Replica } from '../src/node/replica.ts';
import type { Answer, ClaimedTask, ReadPoint } from '../src/node/service.ts';
import type { Command } from '../src/tasks/commands.ts';
import { isTerminal } from '../src/tasks/task.ts';
import { type ClientHistory, taskOutput, taskRead } from './client-history.ts';
import type { Connection } from './clients.ts';
import type { Observer } from './invariants/observer.ts';
import type { WorkloadCounts } from './workload.ts';

/** One client submits tasks and looks at them; agents claim them, and complete or fail them. */
export class TaskClients {
  readonly #connection: Connection;
  readonly #history: ClientHistory;
  readonly #observer: Observer;
  readonly #counts: WorkloadCounts;
  /** Those that were acknowledged. */
  readonly #tasks: TaskId[] = [];
  /** By agent: the node that answered it last. */
  readonly #homes = new Map<number, Replica>();
  #isSubmitting = true;

  constructor(connection: Connection, history: ClientHistory, observer: Observer, counts: WorkloadCounts) {
    this.#connection = connection;
    this.#history = history;
    this.#observer = observer;
    this.#counts = counts;
  }

  /** No new tasks; agents go on until the queue is empty. */
  drain(): void {
    this.#isSubmitting = false;
  }

  /** True when every acknowledged task has come to an end on this node. */
  isDrained({ state }: Replica): boolean {
    return this.#tasks.every((id) => {
      const task = state.tasks.get(id);
      return task !== undefined && isTerminal(task.state);
    });
  }

  submit(): void {
    const connection = this.#connection;
    if (!this.#isSubmitting) return;
    connection.after(300_000 + connection.below(500_000), () => this.submit());
    const task = taskId(`task-${this.#counts.tasksSubmitted++}`);
    const digest = String(task);
    const requires = connection.below(2) === 0 ? ['a'] : [];
    const command: Command = {
      op: 'SubmitTask',
      task,
      type: 'work',
      payload: '{}',
      digest,
      requires,
      swarm: undefined,
      priority: connection.below(10),
      maxAttempts: 100,
      leaseMs: 2000,
      deadlineMs: undefined,
      delayMs: 0,
      backoff: { baseMs: 100, factor: 2, maxMs: 1000 },
    };
    const open = this.#history.task(0, task, { kind: 'submit', digest }, `submit ${task}`);
    // A task's id makes a repeat harmless.
    connection.send(command, { open, idempotencyKey: undefined, attempts: 3 }, taskOutput, (result) => {
      if (result?.ok !== true) return;
      this.#counts.tasksAcknowledged++;
      this.#tasks.push(task);
      this.#observer.submitted(task);
    });
  }

  read(): void {
    const connection = this.#connection;
    connection.after(200_000 + connection.below(600_000), () => this.read());
    const replica = connection.anyReplica();
    // Mostly young ones: the others have ended.
    const task = this.#tasks.at(-1 - connection.below(8));
    if (replica === undefined || task === undefined) return;
    const open = this.#history.task(1, task, { kind: 'read' }, undefined);
    const ask = (done: (answer: Answer<ReadPoint>) => void): void => replica.requests.read('linearizable', 2000, done);
    connection.ask(ask, (answer) => {
      if (!answer.ok) return;
      this.#counts.reads++;
      open.answered(taskRead(replica.state.tasks.get(task)));
    });
  }

  register(number: number): void {
    const connection = this.#connection;
    const agent = agentId(`agent-${number}`);
    const retry = (): void => connection.after(200_000 + connection.below(200_000), () => this.register(number));
    const replica = connection.anyReplica(this.#homes.get(number));
    if (replica === undefined) return retry();
    const command: Command = {
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
      node: replica.id,
    };
    connection.submit(replica, command, (result) => {
      if (result?.ok !== true || result.value.kind !== 'agent') return retry();
      this.#homes.set(number, replica);
      this.#claim({ number, agent, generation: result.value.generation });
      return undefined;
    });
    return undefined;
  }

  #claim(holder: Holder): void {
    const connection = this.#connection;
    const { number, agent, generation } = holder;
    const again = (delayUs: number): void => connection.after(delayUs, () => this.#claim(holder));
    const replica = connection.anyReplica(this.#homes.get(number));
    if (replica === undefined) return again(100_000);
    const claim = (done: (answer: Answer<readonly ClaimedTask[]>) => void): void => {
      replica.requests.claim({ agent, generation, max: 2, waitMs: 500, types: undefined }, done);
    };
    connection.ask(claim, (answer) => {
      if (!answer.ok) {
        const { code } = answer.failure;
        if (code === 'stale_generation' || code === 'unknown_agent') this.register(number);
        else again(100_000 + connection.below(100_000));
        return;
      }
      this.#homes.set(number, replica);
      for (const { taskId: task, fence } of answer.value) {
        this.#observer.claimed(agent, task, fence);
        // Some agents are slower than their lease: the task goes to another, and their late answer must change nothing.
        const workUs = connection.below(20) === 0 ? 4_000_000 : 10_000 + connection.below(500_000);
        connection.after(workUs, () => (connection.below(8) === 0 ? this.#fail(holder, task, fence) : this.#complete(holder, task, fence)));
      }
      again(answer.value.length === 0 ? 1000 : 20_000);
    });
    return undefined;
  }

  #complete({ number, agent }: Holder, task: TaskId, fence: number): void {
    const connection = this.#connection;
    const result = JSON.stringify(`${agent} ${fence}`);
    // By itself a completion can be repeated: with its own result it is obeyed again.
    const idempotencyKey = connection.below(2) === 0 ? connection.newRequest() : undefined;
    const open = this.#history.task(number + 2, task, { kind: 'complete', fence, result }, idempotencyKey ?? `complete ${task} ${result}`);
    connection.send({ op: 'CompleteTask', task, fence, result }, { open, idempotencyKey, attempts: 20 }, taskOutput, (answer) => {
      if (answer?.ok !== true) return;
      this.#counts.completions++;
      this.#observer.completed(task, result);
    });
  }

  #fail({ number }: Holder, task: TaskId, fence: number): void {
    const connection = this.#connection;
    const retryable = connection.below(4) > 0;
    // A failure that is told again after it was obeyed would be taken for one of a lost holder.
    const idempotencyKey = connection.newRequest();
    const open = this.#history.task(number + 2, task, { kind: 'fail', fence, retryable }, idempotencyKey);
    const command: Command = { op: 'FailTask', task, fence, error: 'broken', retryable };
    connection.send(command, { open, idempotencyKey, attempts: 5 }, taskOutput, (answer) => {
      if (answer?.ok === true) this.#counts.failures++;
    });
  }
}

/** An agent under one registration. */
interface Holder {
  readonly number: number;
  readonly agent: AgentId;
  readonly generation: number;
}
