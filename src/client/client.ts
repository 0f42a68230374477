import { createHash, randomUUID } from 'node:crypto';
import { failure, QuorateError } from '../core/errors.ts';
import { agentId, taskId } from '../core/ids.ts';
import type { ToldEvent } from '../node/event-log.ts';
import type { ClaimedTask, HeartbeatAnswer, NodeStatus, TaskHeartbeatAnswer } from '../node/service.ts';
import type { Command, CommandResult, ResultValue } from '../tasks/commands.ts';
import { Http } from './http.ts';
import { Stream } from './stream.ts';

export interface ClientOptions {
  /** `http://host:port` of nodes; any will do, more survive more. */
  readonly endpoints: readonly string[];
  readonly token?: string;
  /** Bound on one call that names none; 10 s when absent. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
  /** A repeat under the same key returns the first answer. */
  readonly idempotencyKey?: string;
}

export interface TaskSubmission {
  readonly id?: string;
  readonly type: string;
  readonly payload?: unknown;
  readonly requires?: readonly string[];
  readonly swarm?: string;
  readonly priority?: number;
  readonly maxAttempts?: number;
  readonly leaseMs?: number;
  readonly deadlineMs?: number;
  readonly delayMs?: number;
  readonly backoff?: { readonly baseMs: number; readonly factor: number; readonly maxMs: number };
}

export interface AgentRegistration {
  readonly id: string;
  readonly capabilities: readonly string[];
  readonly swarms?: readonly string[];
  readonly concurrency?: number;
  readonly weight?: number;
  readonly ttlMs?: number;
}

/** Connects to a cluster. Nothing is sent before the first call. */
export const createClient = (options: ClientOptions): QuorateClient => new QuorateClient(options);

/**
 * The client of a cluster. Writes travel by the stream in a session of this client's own, exactly once whatever connections break; what is asked rarely
 * goes by HTTP. Every failure is a `QuorateError`, whose `isDefinite` says whether the call surely had no effect.
 */
export class QuorateClient {
  readonly #stream: Stream;
  readonly #http: Http;
  readonly #timeoutMs: number;

  constructor({ endpoints, token, timeoutMs = 10_000 }: ClientOptions) {
    if (endpoints.length === 0) throw new QuorateError(failure('invalid_argument', 'a client needs at least one endpoint'));
    this.#timeoutMs = timeoutMs;
    this.#stream = new Stream(endpoints, () => randomUUID(), token);
    this.#http = new Http({ endpoints, token, timeoutMs });
  }

  readonly kv = {
    put: async (key: string, value: string, options: CallOptions & { readonly ifVersion?: number } = {}): Promise<{ version: number }> => {
      const result = await this.#write({ op: 'PutKey', key, value, ifVersion: options.ifVersion }, options);
      return { version: result.index };
    },
    get: async (
      key: string,
      options: CallOptions & { readonly consistency?: 'linearizable' | 'leader' | 'local' } = {},
    ): Promise<{ value: string; version: number } | undefined> => {
      const record = await this.#request('get', [key, options.consistency ?? 'linearizable'], options);
      return isKeyRecord(record) ? record : undefined;
    },
    delete: async (key: string, options: CallOptions & { readonly ifVersion?: number } = {}): Promise<void> => {
      await this.#write({ op: 'DeleteKey', key, ifVersion: options.ifVersion }, options);
    },
    list: (prefix: string, options: CallOptions = {}): Promise<unknown> =>
      this.#http.request('GET', `/v1/kv?prefix=${encodeURIComponent(prefix)}`, undefined, options),
    /** For load: no promise for each write. */
    putWith: (key: string, value: string, done: (failed: boolean) => void): void => {
      this.#stream.write({ op: 'PutKey', key, value, ifVersion: undefined }, undefined, (result) => done(!result.ok));
    },
  };

  readonly tasks = {
    /** Submits a task; an id of the caller's own makes a repeat harmless. */
    submit: async (
      task: TaskSubmission,
      options: CallOptions = {},
    ): Promise<{ id: string; state: string; index: number; created: boolean }> => {
      const result = await this.#write(submission(task), options);
      const value = valueOfKind(result, 'task');
      return { id: value.task, state: value.state, index: result.index, created: value.created };
    },
    submitAll: (tasks: readonly TaskSubmission[], options: CallOptions = {}) =>
      Promise.all(tasks.map((task) => this.tasks.submit(task, options))),
    get: (id: string, options: CallOptions & { readonly waitMs?: number } = {}): Promise<unknown> =>
      this.#http.request(
        'GET',
        `/v1/tasks/${encodeURIComponent(id)}${options.waitMs === undefined ? '' : `?wait=${options.waitMs}ms`}`,
        undefined,
        options,
      ),
    cancel: (id: string, options: CallOptions = {}) => this.#write({ op: 'CancelTask', task: taskId(id) }, options),
    retry: (id: string, options: CallOptions = {}) => this.#write({ op: 'RetryTask', task: taskId(id) }, options),
    complete: (id: string, fence: number, result: unknown, options: CallOptions = {}) =>
      this.#write({ op: 'CompleteTask', task: taskId(id), fence, result: JSON.stringify(result ?? null) }, options),
    fail: (id: string, fence: number, error: string, retryable: boolean, options: CallOptions = {}) =>
      this.#write({ op: 'FailTask', task: taskId(id), fence, error: error.slice(0, 4096), retryable }, options),
    release: (id: string, fence: number, options: CallOptions = {}) => this.#write({ op: 'ReleaseTask', task: taskId(id), fence }, options),
    /** The node checked and made this answer; its form is the contract's. */
    heartbeat: async (id: string, fence: number, progress: number | undefined, options: CallOptions = {}): Promise<TaskHeartbeatAnswer> =>
      (await this.#request('tbeat', [id, fence, progress ?? null], options)) as TaskHeartbeatAnswer,
  };

  readonly agents = {
    register: async (agent: AgentRegistration, options: CallOptions = {}): Promise<{ generation: number; heartbeatMs: number }> => {
      const ttlMs = agent.ttlMs ?? 10_000;
      // The node checked and made this answer, too.
      const { name } = (await this.#request('status', [], options)) as NodeStatus;
      const result = await this.#write(
        {
          op: 'RegisterAgent',
          agent: agentId(agent.id),
          capabilities: agent.capabilities,
          swarms: agent.swarms ?? [],
          concurrency: agent.concurrency ?? 1,
          weight: agent.weight ?? 1,
          labels: {},
          ttlMs,
          role: undefined,
          group: undefined,
          node: name,
        },
        options,
      );
      return { generation: valueOfKind(result, 'agent').generation, heartbeatMs: Math.floor(ttlMs / 2) };
    },
    heartbeat: async (
      id: string,
      generation: number,
      report: Readonly<Record<string, unknown>> = {},
      options: CallOptions = {},
    ): Promise<HeartbeatAnswer> => (await this.#request('beat', [id, generation, report], options)) as HeartbeatAnswer,
    claim: async (
      id: string,
      generation: number,
      max: number,
      waitMs: number,
      types: readonly string[] | undefined,
      options: CallOptions = {},
    ): Promise<readonly ClaimedTask[]> =>
      (await this.#request('claim', [id, generation, max, waitMs, types ?? null], {
        timeoutMs: waitMs + this.#timeoutMs,
        ...options,
      })) as ClaimedTask[],
    drain: (id: string, options: CallOptions = {}) => this.#write({ op: 'DrainAgent', agent: agentId(id) }, options),
    deregister: (id: string, options: CallOptions = {}) => this.#write({ op: 'DeregisterAgent', agent: agentId(id) }, options),
    get: (id: string, options: CallOptions = {}): Promise<unknown> =>
      this.#http.request('GET', `/v1/agents/${encodeURIComponent(id)}`, undefined, options),
  };

  status(options: CallOptions = {}): Promise<unknown> {
    return this.#http.request('GET', '/v1/status', undefined, options);
  }

  /** The cluster's events after `from`, as they come, through whatever node is reachable, until the signal says stop. Events may repeat after a change of node. */
  async *events({
    from = 0,
    kinds = [],
    signal,
  }: {
    from?: number;
    kinds?: readonly string[];
    signal?: AbortSignal;
  } = {}): AsyncGenerator<ToldEvent> {
    let index = from;
    let waiting: ToldEvent[] = [];
    let wake = (): void => {};
    const listener = (name: string, value: unknown): void => {
      if (name === 'hello') void this.#stream.request('sub', [index, kinds], signal).catch(() => {});
      if (name !== 'events' || !Array.isArray(value)) return;
      waiting.push(...value);
      wake();
    };
    this.#stream.onPush.add(listener);
    signal?.addEventListener('abort', () => wake(), { once: true });
    try {
      await this.#stream.request('sub', [index, kinds], signal);
      const isAborted = (): boolean => signal?.aborted === true;
      while (!isAborted()) {
        const events = waiting;
        waiting = [];
        for (const event of events) {
          index = Math.max(index, event.index);
          yield event;
        }
        if (waiting.length > 0 || isAborted()) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.#stream.onPush.delete(listener);
    }
  }

  /** Goes to another node: the present one is silent. */
  reconnect(): void {
    this.#stream.reconnect();
  }

  close(): void {
    this.#stream.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #write(command: Command, options: CallOptions): Promise<CommandResult & { readonly ok: true }> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', giveUp);
      };
      const giveUp = this.#stream.write(command, options.idempotencyKey, (result) => {
        end();
        if (result.ok) resolve(result);
        else reject(new QuorateError(result.failure));
      });
      const timer = setTimeout(giveUp, options.timeoutMs ?? this.#timeoutMs);
      options.signal?.addEventListener('abort', giveUp, { once: true });
    });
  }

  #request(kind: string, args: readonly unknown[], { signal, timeoutMs = this.#timeoutMs }: CallOptions): Promise<unknown> {
    const timeout = AbortSignal.timeout(timeoutMs);
    return this.#stream.request(kind, args, signal === undefined ? timeout : AbortSignal.any([signal, timeout]));
  }
}

function submission(task: TaskSubmission): Command {
  const { type, payload = null, requires = [], swarm, priority = 0, maxAttempts = 3, leaseMs = 10_000, deadlineMs, delayMs = 0 } = task;
  const body = {
    type,
    payload,
    requires,
    swarm,
    priority,
    maxAttempts,
    leaseMs,
    deadlineMs,
    delayMs,
    backoff: task.backoff ?? { baseMs: 1000, factor: 2, maxMs: 60_000 },
  };
  return {
    op: 'SubmitTask',
    ...body,
    task: taskId(task.id ?? randomUUID().replaceAll('-', '')),
    payload: JSON.stringify(payload),
    digest: createHash('sha256').update(JSON.stringify(body)).digest('hex'),
    swarm,
    deadlineMs,
  };
}

function valueOfKind<K extends ResultValue['kind']>(
  result: CommandResult & { readonly ok: true },
  kind: K,
): Extract<ResultValue, { kind: K }> {
  const isKind = (value: ResultValue): value is Extract<ResultValue, { kind: K }> => value.kind === kind;
  if (!isKind(result.value))
    throw new QuorateError(failure('internal', `the cluster answered with ${result.value.kind} instead of ${kind}`));
  return result.value;
}

const isKeyRecord = (value: unknown): value is { value: string; version: number } =>
  typeof value === 'object' && value !== null && 'value' in value && 'version' in value;
