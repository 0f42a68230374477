import type { TaskId } from '../core/ids.ts';
import { textHash } from './canonical.ts';
import type { Backoff } from './task.ts';

/**
 * Milliseconds to wait after attempt `attempt` (from 1) failed: min(maxMs, baseMs * factor^(attempt-1)), less up to a quarter of it, so that tasks which
 * failed together do not come back together. The jitter is a hash of task and attempt: every node computes the same. Products are taken one by one,
 * because a double's product is the same everywhere (IEEE 754) while Math.pow's last bit is up to the engine; the result is a whole number.
 */
export function backoffMs(task: TaskId, attempt: number, backoff: Backoff): number {
  let wait = backoff.baseMs;
  // A factor of 1 never grows, and one above 1 that grows too slowly to matter is not worth more than a thousand products.
  const steps = backoff.factor > 1 ? Math.min(attempt - 1, 1_000) : 0;
  for (let step = 0; step < steps && wait < backoff.maxMs; step++) wait *= backoff.factor;
  const whole = Math.floor(Math.min(wait, backoff.maxMs));
  return whole - (textHash(`${task}:${attempt}`) % (Math.floor(whole / 4) + 1));
}
