import type { Clock } from '../core/clock.ts';

/** The process's and the machine's clock. */
export const systemClock: Clock = { monotonicMs: () => performance.now(), unixMs: () => Date.now() };
