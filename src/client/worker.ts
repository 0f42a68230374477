import { QuorateError } from '../core/errors.ts';
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
  /** Told what the worker can't handle itself, for a log. */
  readonly onError?: (error: unknown) => void;
}

export const createWorker = (options: WorkerOptions): Worker => new Worker(options);

interface Running {
  readonly task: ClaimedTask;
  readonly abort: AbortController;
  /** By the monotonic clock: when the worker must have stopped. Counted from the sending of the last renewal. */
  leaseEndsMs: number;
  progress: number | undefined;
}

/** How long one claim waits at its node for work. */
const claimWaitMs = 10_000;
const retryMs = 250;

/**
 * A worker: registers an agent, claims tasks for its free slots and runs the handlers. It renews the leases of what runs, counts them from when it *sent* the
 * renewal less a tenth, and stops a handler whose lease has run out before the cluster gives the task to another.
 */
export class Worker {
  readonly #client: QuorateClient;
  readonly #agent: AgentRegistration;
  readonly #onError: (error: unknown) => void;
  readonly #handlers = new Map<string, TaskHandler>();
  readonly #running = new Map<number, Running>();
  readonly #stopping = new AbortController();
  #generation = 0;
  #heartbeatMs = 1000;
  #timers: NodeJS.Timeout[] = [];
  #loop: Promise<void> = Promise.resolve();
  #wake = (): void => {};

  constructor({ client, agent, onError = () => {} }: WorkerOptions) {
    this.#client = client;
    this.#agent = agent;
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

  /** Registers and begins to claim. */
  async start(): Promise<void> {
    await this.#register();
    this.#timers.push(setInterval(() => void this.#beat(), this.#heartbeatMs / 2));
    this.#timers.push(setInterval(() => this.#watchLeases(), 50));
    this.#loop = this.#claimLoop();
  }

  /** Claims nothing more, lets what runs finish until the deadline, gives the rest back, and deregisters. */
  async drain({ deadlineMs = 10_000 }: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#loop;
    const endMs = performance.now() + deadlineMs;
    while (this.#running.size > 0 && performance.now() < endMs) await this.#slotFree(endMs - performance.now());
    for (const { task, abort } of this.#running.values()) {
      abort.abort(new Error('the worker is stopping'));
      await this.#client.tasks.release(task.taskId, task.fence).catch(this.#onError);
    }
    for (const timer of this.#timers) clearInterval(timer);
    await this.#client.agents.deregister(this.#agent.id).catch(this.#onError);
  }

  async #register(): Promise<void> {
    const { generation, heartbeatMs } = await this.#client.agents.register(this.#agent);
    this.#generation = generation;
    this.#heartbeatMs = heartbeatMs;
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
        const sentMs = performance.now();
        const types = this.#handlers.has('*') ? undefined : [...this.#handlers.keys()];
        const tasks = await this.#client.agents.claim(this.#agent.id, this.#generation, Math.min(free, 256), claimWaitMs, types, {
          signal,
        });
        for (const task of tasks) this.#begin(task, sentMs);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error);
      }
    }
  }

  /** The cluster gave the agent up, or can't be reached: register anew, or wait a little. */
  async #recover(error: unknown): Promise<void> {
    const code = error instanceof QuorateError ? error.code : undefined;
    try {
      if (code === 'stale_generation' || code === 'unknown_agent') {
        for (const { abort } of this.#running.values()) abort.abort(new Error('the agent was given up'));
        await this.#register();
        return;
      }
      // A claim that outlived its wait: its node is silent.
      if (code === 'timeout' || code === 'aborted') this.#client.reconnect();
      else this.#onError(error);
    } catch (again) {
      this.#onError(again);
    }
    await this.#slotFree(retryMs);
  }

  #begin(task: ClaimedTask, sentMs: number): void {
    if (this.#running.has(task.fence)) return;
    // When the lease began is not known here, only that it was after the claim was sent. So it is renewed at once, and ends early if that fails.
    const running: Running = {
      task,
      abort: new AbortController(),
      leaseEndsMs: Math.max(sentMs, performance.now() - task.leaseMs / 2) + 0.9 * task.leaseMs,
      progress: undefined,
    };
    this.#running.set(task.fence, running);
    const renewing = setInterval(() => void this.#renew(running), task.leaseMs / 3);
    void this.#renew(running);
    void this.#run(running).finally(() => {
      clearInterval(renewing);
      this.#running.delete(task.fence);
      this.#wake();
    });
  }

  async #run(running: Running): Promise<void> {
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
      const result = await handler({ id: task.taskId, type: task.type, payload: JSON.parse(task.payload) }, context);
      if (!abort.signal.aborted) await this.#client.tasks.complete(task.taskId, task.fence, result);
    } catch (error) {
      if (abort.signal.aborted || isLost(error)) return;
      const message = error instanceof Error ? error.message : String(error);
      await this.#client.tasks.fail(task.taskId, task.fence, message, !(error instanceof FatalTaskError)).catch(this.#onError);
    }
  }

  async #renew(running: Running): Promise<void> {
    const { task, abort } = running;
    const sentMs = performance.now();
    try {
      const { leaseMs, cancelRequested } = await this.#client.tasks.heartbeat(task.taskId, task.fence, running.progress, {
        signal: abort.signal,
      });
      running.leaseEndsMs = Math.max(running.leaseEndsMs, sentMs + 0.9 * leaseMs);
      if (cancelRequested) {
        abort.abort(new Error('the task was cancelled'));
        await this.#client.tasks.fail(task.taskId, task.fence, 'cancelled', false).catch(this.#onError);
      }
    } catch (error) {
      // Anything else may pass before the lease ends.
      if (isLost(error)) abort.abort(new Error('the lease is lost'));
    }
  }

  #watchLeases(): void {
    const nowMs = performance.now();
    for (const { abort, leaseEndsMs } of this.#running.values()) if (nowMs >= leaseEndsMs) abort.abort(new Error('the lease is lost'));
  }

  async #beat(): Promise<void> {
    try {
      await this.#client.agents.heartbeat(this.#agent.id, this.#generation, { load: this.#running.size }, { timeoutMs: this.#heartbeatMs });
    } catch (error) {
      const code = error instanceof QuorateError ? error.code : undefined;
      // The claim that is open hears the same, and registers anew; here only when nothing is open.
      if (code !== 'stale_generation' && code !== 'unknown_agent' && code !== 'aborted') this.#onError(error);
    }
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

const isLost = (error: unknown): boolean =>
  error instanceof QuorateError && (error.code === 'stale_fence' || error.code === 'unknown_task' || error.code === 'wrong_state');
