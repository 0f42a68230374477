import { setTimeout as pause } from 'node:timers/promises';
import {
  createClient,
  createWorker,
  FatalTaskError,
  type Worker,
  type WorkerTask,
  type TaskContext,
  QuorateError,
} from '../../src/index.ts';
import { messageOf } from '../cli-error.ts';
import type { ClientSettings, Environment } from '../node/config.ts';
import type { Judge } from './judge.ts';
import { Subprocess } from './subprocess.ts';

export interface CommandWorkerOptions {
  readonly settings: ClientSettings;
  readonly agent: {
    readonly id: string;
    readonly capabilities: readonly string[];
    readonly swarms?: readonly string[];
    readonly concurrency: number;
    readonly ttlMs?: number;
  };
  /** Run by `sh -c` for each task; without it no tasks are claimed. */
  readonly exec: string | undefined;
  /** Gives the node's opinion on votes. */
  readonly judge: Judge | undefined;
  readonly env: Environment;
  /** One line for a person. */
  readonly log: (text: string) => void;
}

/** Between attempts to register when no node can serve. */
const retryMs = 1000;
/** How long a worker that stops waits for what runs; with what it takes to end the rest, less than the 10 s after which it may be killed. */
const drainMs = 6_500;

/**
 * A worker that runs a command for each task, or for each vote: a task's payload is on its stdin, its stdout is the result. A command whose lease is lost, or whose task is cancelled,
 * is killed. Works until told to stop; then lets what runs finish for some seconds and deregisters.
 */
export async function runCommands(options: CommandWorkerOptions, stop: AbortSignal): Promise<void> {
  const { settings, agent, exec, judge, log } = options;
  const { endpoints, token, givenTimeoutMs } = settings;
  const client = createClient({
    endpoints,
    ...(token === undefined ? {} : { token }),
    ...(givenTimeoutMs === undefined ? {} : { timeoutMs: givenTimeoutMs }),
  });
  const worker = createWorker({
    client,
    agent,
    onCommands: (commands) => judge?.hear(commands),
    onError: (error) => log(`agent ${agent.id}: ${messageOf(error)}`),
  });
  if (exec !== undefined) worker.onTask('*', (task, context) => runCommand(exec, options, task, context));
  try {
    if (!(await hasStarted(worker, stop, log))) return;
    log(`agent ${agent.id} registered, generation ${worker.generation}`);
    if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
    await worker.drain({ deadlineMs: drainMs });
  } finally {
    judge?.stop();
    client.close();
  }
}

/** Goes on until it succeeds or is told to stop; then false. @throws QuorateError when the cluster refuses the agent. */
async function hasStarted(worker: Worker, stop: AbortSignal, log: (text: string) => void): Promise<boolean> {
  while (!stop.aborted) {
    try {
      await worker.start(stop);
      return true;
    } catch (error) {
      if (stop.aborted) return false;
      if (!(error instanceof QuorateError) || error.code === 'invalid_argument') throw error;
      log(`cannot register yet: ${messageOf(error)}`);
      await pause(retryMs, undefined, { signal: stop }).catch(() => {});
    }
  }
  return false;
}

async function runCommand(
  exec: string,
  { env, log }: CommandWorkerOptions,
  { id, type, payload }: WorkerTask,
  { signal, attempt, fence }: TaskContext,
): Promise<unknown> {
  const process = new Subprocess({
    command: exec,
    stdin: JSON.stringify(payload),
    env: { ...env, QUORATE_TASK_ID: id, QUORATE_TASK_TYPE: type, QUORATE_ATTEMPT: String(attempt), QUORATE_FENCE: String(fence) },
  });
  signal.addEventListener('abort', () => process.kill(), { once: true });
  const { exitCode, stdout, stderr, isCut } = await process.result;
  await process.gone();
  const failure = exitCode === 0 ? undefined : `exit ${exitCode ?? 'by signal'}`;
  log(
    `task ${id}  attempt ${attempt}  ${signal.aborted ? messageOf(signal.reason) : failure === undefined ? 'done' : `failed with ${failure}`}`,
  );
  if (failure !== undefined) throw new Error(stderr === '' ? failure : stderr);
  if (isCut) throw new FatalTaskError('the result is longer than 1 MiB');
  return stdout === '' ? null : jsonOrText(stdout);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
