import type { Clock } from '../core/clock.ts';

/** The process's and the machine's clock. */
export const systemClock: Clock = { monotonicMs: () => performance.now(), unixMs: () => Date.now() };

/** Runs the job after so many milliseconds; below one, after all that the event loop already has. */
export const runLater = (job: () => void, ms: number): void => void (ms < 1 ? setImmediate(job) : setTimeout(job, ms));
