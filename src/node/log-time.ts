import type { Clock } from '../core/clock.ts';

/** How much slower than its leader's clock the log's time passes while it is ahead of it: a minute ahead is made up for in ten. */
const slewing = 0.1;

/**
 * The time that a leader stamps entries with (protocol design 5.1): its wall clock, but never behind what the log has seen, for `apply` must not see time go back. A
 * leader whose clock was set back, or that is behind the leader before, lets the log's time pass by its monotonic clock, a little slower until the wall clock has
 * caught up: if it stood still meanwhile, no retry would come due and no deadline pass.
 */
export class LogTime {
  readonly #clock: Clock;
  #ts = 0;
  #atMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param stateTs time of the newest applied entry. Unix milliseconds, whole. */
  now(stateTs: number): number {
    const atMs = this.#clock.monotonicMs();
    const passed = this.#ts + Math.max(0, atMs - this.#atMs) * (1 - slewing);
    this.#ts = Math.max(passed, stateTs, this.#clock.unixMs());
    this.#atMs = atMs;
    return Math.floor(this.#ts);
  }
}
