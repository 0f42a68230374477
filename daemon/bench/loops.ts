import { setMaxListeners } from 'node:events';
import { pause } from '../http.ts';

/** What goes on until it is stopped, whatever becomes of a single call: the clients of a cluster under faults. */
export class Loops {
  /** Calls that failed; each was made again. */
  repeated = 0;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>[] = [];

  constructor() {
    // Everyone who waits listens for the end.
    setMaxListeners(0, this.signal);
  }

  /** Aborted once all is to end. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  get isStopping(): boolean {
    return this.signal.aborted;
  }

  add(loop: Promise<void>): void {
    this.#running.push(loop);
  }

  /** Resolves when the last call has its answer. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  /** Makes a call again and again until it succeeds, or all is stopped; waits twice as long each time, from `retryMs` to `maxRetryMs`. */
  async insist(call: () => Promise<void>, retryMs = 20, maxRetryMs = retryMs): Promise<void> {
    for (let waitMs = retryMs; !this.isStopping; waitMs = Math.min(2 * waitMs, maxRetryMs)) {
      const isDone = await call().then(
        () => true,
        () => false,
      );
      if (isDone) return;
      this.repeated++;
      await pause(waitMs, this.signal);
    }
  }

  /** Until stopped: a call once in `everyMs`, which is repeated until it succeeds. What was missed is not made up for: the rate is a bound. 0: without a pause. */
  async repeat(everyMs: number, call: () => Promise<void>): Promise<void> {
    let dueMs = performance.now();
    while (!this.isStopping) {
      await this.insist(call);
      if (everyMs === 0) continue;
      dueMs = Math.max(dueMs + everyMs, performance.now() - everyMs);
      await pause(dueMs - performance.now(), this.signal);
    }
  }
}
