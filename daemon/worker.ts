import { claimsSchema, registeredSchema, renewedSchema, type Claim } from './answers.ts';
import { CliError, messageOf } from './cli-error.ts';
import type { Environment } from './config.ts';
import { exitCodes } from './exit-codes.ts';
import { ApiError, pause, type Http } from './http.ts';
import { beatSchema, type Judge } from './judge.ts';
import { Subprocess, type SubprocessResult } from './subprocess.ts';

export interface WorkerOptions {
  readonly id: string;
  readonly registration: {
    readonly capabilities: readonly string[];
    readonly swarms?: readonly string[];
    readonly concurrency: number;
    readonly ttlMs?: number;
  };
  /** Run by `sh -c` for each task; without it no tasks are claimed. */
  readonly exec: string | undefined;
  /** Gives the node's opinion on votes. */
  readonly judge: Judge | undefined;
  /** Its life is longer than the worker's. */
  readonly http: Http;
  readonly env: Environment;
  /** One line for a person. */
  readonly log: (text: string) => void;
}

/** One task in work. */
interface Job {
  readonly claim: Claim;
  readonly process: Subprocess;
  /** By the monotonic clock: from then on another worker may hold the task. */
  leaseEndsMs: number;
  /** Why it was given up, if it was. */
  givenUp: 'lost' | 'cancelled' | undefined;
  /** Ends the renewals. */
  readonly done: AbortController;
}

/** How long one claim waits at its node for work. */
const claimWaitMs = 10_000;
/** Between attempts when no node can serve. */
const retryMs = 250;
/** How long a worker that stops waits for what runs. */
const drainMs = 9_000;
/** Part of a lease that is not used: clocks differ, and a process takes time to end. */
const leaseMargin = 0.1;

/**
 * A worker over HTTP: registers its agent, claims tasks for its free slots and runs a command for each. It holds a task only as long as its lease surely
 * lasts, counted from when the last renewal was *sent*; after that it kills the command and reports nothing. What it does report carries the task's fence, so
 * it repeats a report until its fate is known.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #path: string;
  readonly #stopping = new AbortController();
  /** At most `concurrency`, by fence: one task may be assigned to this worker again while the old attempt still ends. */
  readonly #jobs = new Map<string, Promise<void>>();
  readonly #processes = new Set<Job>();
  #generation = 0;
  #heartbeatMs = 1_000;
  #registering: Promise<void> | undefined;
  /** Ends the wait for a free slot. */
  #wake = (): void => {};

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#path = `/v1/agents/${encodeURIComponent(options.id)}`;
  }

  /** Works until told to stop; then lets what runs finish for some seconds and deregisters. */
  async run(stop: AbortSignal): Promise<void> {
    const onStop = (): void => {
      this.#stopping.abort();
      this.#wake();
    };
    if (stop.aborted) onStop();
    stop.addEventListener('abort', onStop, { once: true });
    await this.#register(0);
    if (this.#generation > 0) this.#options.log(`agent ${this.#options.id} registered, generation ${this.#generation}`);
    const beatsEnd = new AbortController();
    const beats = this.#beat(beatsEnd.signal);
    if (this.#options.exec !== undefined) await this.#claimLoop(this.#options.exec);
    else await ended(this.#stopping.signal);
    await Promise.race([Promise.all(this.#jobs.values()), pause(drainMs)]);
    for (const job of this.#processes) {
      this.#giveUp(job, 'lost');
      job.process.killNow();
    }
    this.#options.judge?.stop();
    beatsEnd.abort();
    await beats;
    // Whatever still ran goes to others at once.
    if (this.#generation > 0) await this.#options.http.request('DELETE', this.#path, { isRepeatable: true }).catch(() => {});
  }

  /** Registers unless that happened since `known` was the generation. Goes on until it succeeds or the worker stops. */
  #register(known: number): Promise<void> {
    if (this.#generation !== known) return Promise.resolve();
    this.#registering ??= this.#registerOnce().finally(() => {
      this.#registering = undefined;
    });
    return this.#registering;
  }

  async #registerOnce(): Promise<void> {
    const { http, registration, log } = this.#options;
    while (!this.#stopping.signal.aborted) {
      try {
        const answer = await http.request('PUT', this.#path, { body: registration, isRepeatable: true, signal: this.#stopping.signal });
        ({ generation: this.#generation, heartbeatMs: this.#heartbeatMs } = registeredSchema.parse(answer));
        return;
      } catch (error) {
        if (error instanceof ApiError && !isTransient(error)) throw error;
        if (!this.#stopping.signal.aborted) log(`cannot register yet: ${messageOf(error)}`);
        await pause(4 * retryMs, this.#stopping.signal);
      }
    }
  }

  async #beat(end: AbortSignal): Promise<void> {
    while (!end.aborted) {
      const generation = this.#generation;
      const status = this.#stopping.signal.aborted ? 'draining' : this.#freeSlots() > 0 ? 'available' : 'busy';
      const load = this.#jobs.size / this.#options.registration.concurrency;
      try {
        const answer = await this.#options.http.request('POST', `${this.#path}/heartbeat`, {
          body: { generation, status, load },
          isRepeatable: true,
          signal: end,
        });
        this.#options.judge?.hear(beatSchema.parse(answer).commands);
      } catch (error) {
        await this.#onAgentFailure(error, generation);
      }
      await pause(this.#heartbeatMs / 2, end);
    }
  }

  #freeSlots(): number {
    return this.#options.registration.concurrency - this.#jobs.size;
  }

  async #claimLoop(exec: string): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const free = this.#freeSlots();
      if (free <= 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const generation = this.#generation;
      try {
        const body = { generation, max: Math.min(free, 256), waitMs: claimWaitMs };
        const answer = await this.#options.http.request('POST', `${this.#path}/claims`, {
          body,
          waitMs: claimWaitMs,
          isRepeatable: true,
          signal,
        });
        for (const claim of claimsSchema.parse(answer).items) this.#begin(claim, exec);
      } catch (error) {
        if (signal.aborted) return;
        await this.#onAgentFailure(error, generation);
        await pause(retryMs, signal);
      }
    }
  }

  async #onAgentFailure(error: unknown, generation: number): Promise<void> {
    const { log, id } = this.#options;
    if (isTransient(error) || (error instanceof CliError && error.exitCode === exitCodes.interrupted)) return;
    if (error instanceof ApiError && (error.code === 'stale_generation' || error.status === 404)) {
      try {
        await this.#register(generation);
      } catch (why) {
        log(`agent ${id} cannot register: ${messageOf(why)}`);
      }
    } else log(`agent ${id}: ${messageOf(error)}`);
  }

  #begin(claim: Claim, exec: string): void {
    const name = `${claim.taskId}/${claim.fence}`;
    if (this.#jobs.has(name)) return;
    const job = this.#work(claim, exec)
      .catch((error: unknown) => this.#options.log(`task ${claim.taskId}: ${messageOf(error)}`))
      .finally(() => {
        this.#jobs.delete(name);
        this.#wake();
      });
    this.#jobs.set(name, job);
  }

  async #work(claim: Claim, exec: string): Promise<void> {
    // The claim waited at the node for a time not known here, so the lease is counted from a renewal before anything runs.
    const leaseEndsMs = await this.#firstRenewal(claim);
    if (leaseEndsMs === undefined) return;
    const { env, log } = this.#options;
    const process = new Subprocess({
      command: exec,
      stdin: JSON.stringify(claim.payload ?? null),
      env: {
        ...env,
        QUORATE_TASK_ID: claim.taskId,
        QUORATE_TASK_TYPE: claim.type,
        QUORATE_ATTEMPT: String(claim.attempt),
        QUORATE_FENCE: String(claim.fence),
      },
    });
    const job: Job = { claim, process, leaseEndsMs, givenUp: undefined, done: new AbortController() };
    this.#processes.add(job);
    const renewals = this.#renew(job);
    try {
      const result = await process.result;
      await process.gone();
      log(
        `task ${claim.taskId}  attempt ${claim.attempt}  ${job.givenUp ?? (result.exitCode === 0 ? 'done' : `failed with exit ${result.exitCode ?? 'by signal'}`)}`,
      );
      await this.#report(job, result);
    } finally {
      job.done.abort();
      this.#processes.delete(job);
      await renewals;
    }
  }

  async #firstRenewal(claim: Claim): Promise<number | undefined> {
    const endMs = performance.now() + claim.leaseMs;
    while (performance.now() < endMs && !this.#stopping.signal.aborted) {
      const sentMs = performance.now();
      try {
        const renewed = await this.#heartbeat(claim, this.#stopping.signal);
        if (!renewed.cancelRequested) return sentMs + renewed.leaseMs * (1 - leaseMargin);
        await this.#send(claim, 'fail', { fence: claim.fence, error: 'cancelled', retryable: false });
        return undefined;
      } catch (error) {
        if (!isTransient(error)) return undefined;
        await pause(retryMs, this.#stopping.signal);
      }
    }
    return undefined;
  }

  /** Renews the lease until the job is done, and gives the job up when the lease ends or is another's. */
  async #renew(job: Job): Promise<void> {
    const { claim, done } = job;
    const timer = setInterval(() => {
      if (performance.now() >= job.leaseEndsMs) this.#giveUp(job, 'lost');
    }, 50);
    let waitMs = claim.leaseMs / 3;
    while (!done.signal.aborted && job.givenUp === undefined) {
      await pause(waitMs, done.signal);
      if (done.signal.aborted || job.givenUp !== undefined) break;
      const sentMs = performance.now();
      try {
        const { leaseMs, cancelRequested } = await this.#heartbeat(claim, done.signal);
        job.leaseEndsMs = sentMs + leaseMs * (1 - leaseMargin);
        waitMs = leaseMs / 3;
        if (cancelRequested) this.#giveUp(job, 'cancelled');
      } catch (error) {
        if (done.signal.aborted) break;
        if (isTransient(error)) waitMs = retryMs;
        else this.#giveUp(job, 'lost');
      }
    }
    clearInterval(timer);
  }

  async #heartbeat({ taskId, fence }: Claim, signal: AbortSignal): Promise<{ leaseMs: number; cancelRequested: boolean }> {
    const path = `/v1/tasks/${encodeURIComponent(taskId)}/heartbeat`;
    return renewedSchema.parse(await this.#options.http.request('POST', path, { body: { fence }, isRepeatable: true, signal }));
  }

  #giveUp(job: Job, why: 'lost' | 'cancelled'): void {
    if (job.process.hasEnded || job.givenUp !== undefined) return;
    job.givenUp = why;
    job.process.kill();
  }

  async #report({ claim, givenUp }: Job, { exitCode, stdout, stderr, isCut }: SubprocessResult): Promise<void> {
    const { fence } = claim;
    if (givenUp === 'lost') return;
    if (givenUp === 'cancelled') return await this.#send(claim, 'fail', { fence, error: 'cancelled', retryable: false });
    if (exitCode !== 0)
      return await this.#send(claim, 'fail', { fence, error: stderr === '' ? `exit ${exitCode ?? 'by signal'}` : stderr });
    if (isCut) return await this.#send(claim, 'fail', { fence, error: 'the result is longer than 1 MiB', retryable: false });
    try {
      await this.#send(claim, 'complete', { fence, ...(stdout === '' ? {} : { result: jsonOrText(stdout) }) });
    } catch (error) {
      // Refused for what it is, not for whose it is: the same result would be refused every time.
      if (!(error instanceof ApiError) || (error.status !== 400 && error.status !== 413)) throw error;
      await this.#send(claim, 'fail', { fence, error: `the result was refused: ${error.message}`, retryable: false });
    }
  }

  /** Repeats until the cluster says yes or no: the same fence twice is one report. */
  async #send({ taskId }: Claim, verb: 'complete' | 'fail', body: unknown): Promise<void> {
    for (let waitMs = retryMs; ; waitMs = Math.min(2 * waitMs, 2_000)) {
      try {
        await this.#options.http.request('POST', `/v1/tasks/${encodeURIComponent(taskId)}/${verb}`, { body, isRepeatable: true });
        return;
      } catch (error) {
        if (!isTransient(error)) throw error;
      }
      await pause(waitMs);
    }
  }
}

/** No answer, or one that says nothing about the request itself. */
function isTransient(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
