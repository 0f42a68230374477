import { setTimeout as sleep } from 'node:timers/promises';
import { type FailureCode, QuorateError } from '../core/errors.ts';
import type { ClaimedTask } from '../node/service.ts';
import type { AgentRegistration, QuorateClient } from './client.ts';

export interface WorkerTask {
  readonly id: string;
  readonly type: string;
  readonly payload: unknown;
}

export interface TaskContext {
  /** Aborted when the lease is lost, the task is cancelled or the worker gives up. From then on nothing the handler does counts. */
  readonly signal: AbortSignal;
  readonly attempt: number;
  /** Rises with every assignment: hand it to whatever the work writes to, which can then refuse an older holder. */
  readonly fence: number;
  progress(fraction: number): void;
}

export type TaskHandler = (task: WorkerTask, context: TaskContext) => Promise<unknown>;

/** Thrown by a handler: trying again would not help. */
export class FatalTaskError extends Error {
  override readonly name = 'FatalTaskError';
}

export interface WorkerOptions {
  readonly client: QuorateClient;
  readonly agent: AgentRegistration;
  /** What the node asks of the agent in the answer to a heartbeat: votes that it may judge, messages. */
  readonly onCommands?: (commands: readonly unknown[]) => void;
  /** Told what the worker can't handle itself, for a log. */
  readonly onError?: (error: unknown) => void;
}

export const createWorker = (options: WorkerOptions): Worker => new Worker(options);

interface Running {
  readonly task: ClaimedTask;
  readonly abort: AbortController;
  /** By the monotonic clock: when the worker must have stopped, counted from the sending of the last renewal; before the first, how long to try. */
  leaseEndsMs: number;
  progress: number | undefined;
  /** Why what the handler does no longer counts. */
  givenUp: 'lost' | 'cancelled' | 'released' | undefined;
}

type Outcome =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: string; readonly isRetryable: boolean };

/** How long one claim waits at its node for work. */
const claimWaitMs = 10_000;
const retryMs = 250;
/** A node that doesn't answer is left for another, but not more often: a new connection takes a moment. */
const reconnectMs = 1000;
/** How long a result is offered to a cluster that doesn't answer, with pauses up to `maxRetryMs`. */
const reportMs = 60_000;
const maxRetryMs = 2000;
/** What a handler gets to end in when its worker stops. */
const graceMs = 2500;

const reasons = { lost: 'the lease is lost', cancelled: 'the task was cancelled', released: 'the worker is stopping' } as const;

/**
 * A worker: registers an agent, claims tasks for its free slots and runs the handlers. It holds a task only as long as its lease surely lasts, counted from when
 * it *sent* the last renewal less a tenth, and stops the handler before the cluster gives the task to another. A result carries the task's fence, so it
 * is repeated until its fate is known.
 */
export class Worker {
  readonly #client: QuorateClient;
  readonly #agent: AgentRegistration;
  readonly #onCommands: (commands: readonly unknown[]) => void;
  readonly #onError: (error: unknown) => void;
  readonly #handlers = new Map<string, TaskHandler>();
  /** By fence: one task may be assigned to this worker again while the old attempt still ends. */
  readonly #running = new Map<number, Running>();
  readonly #stopping = new AbortController();
  #generation = 0;
  #heartbeatMs = 1000;
  #timers: NodeJS.Timeout[] = [];
  #loop: Promise<void> = Promise.resolve();
  #reconnectedMs = 0;
  #wake = (): void => {};

  constructor({ client, agent, onCommands = () => {}, onError = () => {} }: WorkerOptions) {
    this.#client = client;
    this.#agent = agent;
    this.#onCommands = onCommands;
    this.#onError = onError;
  }

  /** `type` `*` takes what no other handler does. */
  onTask(type: string, handler: TaskHandler): this {
    this.#handlers.set(type, handler);
    return this;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Registers and, if there are handlers, begins to claim. @throws QuorateError when that fails or the signal ends it; it may be called again. */
  async start(signal?: AbortSignal): Promise<void> {
    await this.#register(signal);
    this.#timers.push(setInterval(() => void this.#beat(), this.#heartbeatMs / 2));
    this.#timers.push(setInterval(() => this.#watchLeases(), 50));
    if (this.#handlers.size > 0) this.#loop = this.#claimLoop();
  }

  /** Claims nothing more, lets what runs finish until the deadline, stops the rest and gives it back, and deregisters. */
  async drain({ deadlineMs = 10_000 }: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#loop;
    await this.#allEnded(deadlineMs);
    for (const running of this.#running.values()) this.#giveUp(running, 'released');
    await this.#allEnded(graceMs);
    for (const timer of this.#timers) clearInterval(timer);
    // Whatever still runs goes to others at once.
    await this.#client.agents.deregister(this.#agent.id).catch(this.#onError);
  }

  async #allEnded(withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (this.#running.size > 0 && performance.now() < endMs) await this.#slotFree(endMs - performance.now());
  }

  async #register(signal?: AbortSignal): Promise<void> {
    try {
      const { generation, heartbeatMs } = await this.#client.agents.register(this.#agent, { signal });
      this.#generation = generation;
      this.#heartbeatMs = heartbeatMs;
    } catch (error) {
      this.#leaveSilent(error);
      throw error;
    }
  }

  async #claimLoop(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const free = (this.#agent.concurrency ?? 1) - this.#running.size;
      if (free <= 0) {
        await this.#slotFree(claimWaitMs);
        continue;
      }
      try {
        const types = this.#handlers.has('*') ? undefined : [...this.#handlers.keys()];
        const tasks = await this.#client.agents.claim(this.#agent.id, this.#generation, Math.min(free, 256), claimWaitMs, types, {
          signal,
        });
        for (const task of tasks) this.#begin(task);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error);
      }
    }
  }

  /** The cluster gave the agent up, or can't be reached: register anew, or wait a little. */
  async #recover(error: unknown): Promise<void> {
    if (isForgotten(error)) {
      for (const running of this.#running.values()) this.#giveUp(running, 'lost');
      try {
        await this.#register();
        return;
      } catch (again) {
        this.#onError(again);
      }
    } else if (mayPass(error)) this.#leaveSilent(error);
    else this.#onError(error);
    await this.#slotFree(retryMs);
  }

  #begin(task: ClaimedTask): void {
    if (this.#running.has(task.fence)) return;
    const leaseEndsMs = performance.now() + task.leaseMs;
    const running: Running = { task, abort: new AbortController(), leaseEndsMs, progress: undefined, givenUp: undefined };
    this.#running.set(task.fence, running);
    void this.#run(running)
      .catch(this.#onError)
      .finally(() => {
        this.#running.delete(task.fence);
        this.#wake();
      });
  }

  async #run(running: Running): Promise<void> {
    // The claim waited at its node for a time not known here, so nothing runs before its lease is renewed.
    while (running.givenUp === undefined && !(await this.#renew(running))) await pause(retryMs, running.abort.signal);
    const done = new AbortController();
    void this.#keepLease(running, done.signal);
    try {
      const outcome: Outcome = running.givenUp === undefined ? await this.#handle(running) : { ok: true, result: undefined };
      await this.#report(running, outcome);
    } finally {
      done.abort();
    }
  }

  async #handle(running: Running): Promise<Outcome> {
    const { task, abort } = running;
    const handler = this.#handlers.get(task.type) ?? this.#handlers.get('*');
    try {
      if (handler === undefined) throw new Error(`this worker has no handler for tasks of type ${task.type}`);
      const context: TaskContext = {
        signal: abort.signal,
        attempt: task.attempt,
        fence: task.fence,
        progress: (fraction) => {
          running.progress = fraction;
        },
      };
      return { ok: true, result: await handler({ id: task.taskId, type: task.type, payload: JSON.parse(task.payload) }, context) };
    } catch (error) {
      return { ok: false, error: messageOf(error), isRetryable: !(error instanceof FatalTaskError) };
    }
  }

  async #report({ task: { taskId, fence }, givenUp }: Running, outcome: Outcome): Promise<void> {
    const { tasks } = this.#client;
    const fail = (error: string, isRetryable: boolean) => this.#tell(() => tasks.fail(taskId, fence, error, isRetryable));
    if (givenUp === 'lost') return;
    if (givenUp === 'released') return await this.#tell(() => tasks.release(taskId, fence));
    if (givenUp === 'cancelled') return await fail('cancelled', false);
    if (!outcome.ok) return await fail(outcome.error, outcome.isRetryable);
    try {
      await this.#tell(() => tasks.complete(taskId, fence, outcome.result));
    } catch (error) {
      // Refused for what it is, not for whose it is: the same result would be refused every time.
      if (error instanceof QuorateError && error.code !== 'too_large' && error.code !== 'invalid_argument') throw error;
      await fail(`the result was refused: ${messageOf(error)}`, false);
    }
  }

  /** Repeats what may be said twice until the cluster says yes or no. */
  async #tell(call: () => Promise<unknown>): Promise<void> {
    const untilMs = performance.now() + reportMs;
    for (let waitMs = retryMs; ; waitMs = Math.min(2 * waitMs, maxRetryMs)) {
      try {
        await call();
        return;
      } catch (error) {
        if (!mayPass(error) || performance.now() >= untilMs) throw error;
        this.#leaveSilent(error);
      }
      await pause(waitMs);
    }
  }

  async #keepLease(running: Running, done: AbortSignal): Promise<void> {
    for (let isRenewed = true; ; isRenewed = await this.#renew(running)) {
      await pause(isRenewed ? running.task.leaseMs / 3 : retryMs, done);
      if (done.aborted || running.givenUp !== undefined) return;
    }
  }

  /** False when that has to be tried again. */
  async #renew(running: Running): Promise<boolean> {
    const { task, abort } = running;
    const sentMs = performance.now();
    try {
      const { leaseMs, cancelRequested } = await this.#client.tasks.heartbeat(task.taskId, task.fence, running.progress, {
        signal: abort.signal,
        timeoutMs: Math.ceil(task.leaseMs / 3),
      });
      running.leaseEndsMs = sentMs + 0.9 * leaseMs;
      if (cancelRequested) this.#giveUp(running, 'cancelled');
    } catch (error) {
      if (running.givenUp !== undefined) return true;
      if (mayPass(error)) {
        this.#leaveSilent(error);
        return false;
      }
      this.#giveUp(running, 'lost');
    }
    return true;
  }

  #watchLeases(): void {
    const nowMs = performance.now();
    for (const running of this.#running.values()) if (nowMs >= running.leaseEndsMs) this.#giveUp(running, 'lost');
  }

  #giveUp(running: Running, why: keyof typeof reasons): void {
    if (running.givenUp !== undefined) return;
    running.givenUp = why;
    running.abort.abort(new Error(reasons[why]));
  }

  async #beat(): Promise<void> {
    const { id, concurrency = 1 } = this.#agent;
    const status = this.#stopping.signal.aborted ? 'draining' : this.#running.size < concurrency ? 'available' : 'busy';
    const report = { status, load: this.#running.size / concurrency };
    try {
      const { commands } = await this.#client.agents.heartbeat(id, this.#generation, report, { timeoutMs: this.#heartbeatMs });
      if (commands.length > 0) this.#onCommands(commands);
    } catch (error) {
      if (mayPass(error)) this.#leaveSilent(error);
      else if (!isForgotten(error)) this.#onError(error);
      // A claim that is open hears the same, and registers anew.
      else if (this.#handlers.size === 0) await this.#register().catch(this.#onError);
    }
  }

  /** Goes to another node when this one doesn't answer or can't serve. */
  #leaveSilent(error: unknown): void {
    const nowMs = performance.now();
    if (!silence.has(codeOf(error)) || nowMs < this.#reconnectedMs + reconnectMs) return;
    this.#reconnectedMs = nowMs;
    this.#client.reconnect();
  }

  #slotFree(maxMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, maxMs));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const codeOf = (error: unknown): FailureCode | undefined => (error instanceof QuorateError ? error.code : undefined);

const pause = (ms: number, signal?: AbortSignal): Promise<void> => sleep(ms, undefined, { signal }).catch(() => {});

/** What a node says, or doesn't, that another might not. */
const silence: ReadonlySet<FailureCode | undefined> = new Set(['aborted', 'timeout', 'no_quorum', 'no_leader', 'unavailable']);
const passing: ReadonlySet<FailureCode | undefined> = new Set([...silence, 'outcome_unknown', 'overloaded', 'session_expired', 'internal']);

/** A failure that says nothing about the request itself. */
const mayPass = (error: unknown): boolean => passing.has(codeOf(error));

/** The cluster gave the agent up, or knows a newer one of its name. */
const isForgotten = (error: unknown): boolean => codeOf(error) === 'stale_generation' || codeOf(error) === 'unknown_agent';
