import { keySchema, pageOf } from '../answers.ts';
import type { Http } from '../http.ts';
import { everyItem } from '../pages.ts';
import type { Loops } from './loops.ts';

const prefix = 'load/';
const keyPages = pageOf(keySchema);

export const keyOf = (lane: number, i: number): string => `${prefix}${lane}/${i}`;
/** What is written there: a lost or mixed-up value would be another. */
export const valueOf = (lane: number, i: number): string => `${lane * 7919 + i}`.padEnd(32, '.');

export interface Write {
  readonly lane: number;
  /** Number among the writes of its lane. */
  readonly i: number;
  readonly key: string;
  readonly value: string;
}

/**
 * Writers that repeat each write until it is acknowledged and then make the next, so that a count for each of them says all that was acknowledged. A loss is found by
 * the counts alone.
 */
export class Writers {
  /** Acknowledged, of each writer: all below the count. */
  readonly written: number[];
  /** When each writer began with the write that it has in flight. */
  readonly #sinceMs: (number | undefined)[] = [];
  #lastMs = performance.now();
  #longestWaitMs = 0;
  #longestGapMs = 0;

  constructor(lanes: number) {
    this.written = Array.from({ length: lanes }, () => 0);
  }

  /** Everyone begins: a write once in `everyMs`, at most. `put` fails while a write is not acknowledged; `onWritten` is called when it is. */
  start(
    loops: Loops,
    everyMs: number,
    put: (write: Write) => Promise<unknown>,
    onWritten: (write: Write) => Promise<void> = () => Promise.resolve(),
  ): void {
    this.#lastMs = performance.now();
    for (const lane of this.written.keys()) {
      loops.add(
        loops.repeat(everyMs, async () => {
          const i = this.written[lane] ?? 0;
          this.#sinceMs[lane] ??= performance.now();
          const write = { lane, i, key: keyOf(lane, i), value: valueOf(lane, i) };
          await put(write);
          this.#acknowledged(lane, i);
          await onWritten(write);
        }),
      );
    }
  }

  #acknowledged(lane: number, i: number): void {
    const nowMs = performance.now();
    this.written[lane] = i + 1;
    this.#longestWaitMs = Math.max(this.#longestWaitMs, nowMs - (this.#sinceMs[lane] ?? nowMs));
    this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs);
    this.#sinceMs[lane] = undefined;
    this.#lastMs = nowMs;
  }

  get acknowledged(): number {
    return this.written.reduce((sum, count) => sum + count, 0);
  }

  /** Since the last call the longest that a writer waited for an acknowledgement, a write in flight with the time it has waited so far, and the longest time without any. */
  takeLongest(): { readonly waitMs: number; readonly gapMs: number } {
    const nowMs = performance.now();
    const waitMs = Math.max(this.#longestWaitMs, ...this.#sinceMs.map((sinceMs = nowMs) => nowMs - sinceMs));
    const gapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs);
    [this.#longestWaitMs, this.#longestGapMs] = [0, 0];
    return { waitMs: Math.round(waitMs), gapMs: Math.round(gapMs) };
  }
}

/** Acknowledged writes that are not there, or not as they were written. `http` makes the client of each page. */
export async function lostWrites(http: () => Http, written: readonly number[]): Promise<number> {
  const found = written.map(() => 0);
  for await (const { key, value } of everyItem(http, '/v1/kv', keyPages, { prefix })) {
    const [, lane = 0, i = 0] = key.split('/').map(Number);
    if (i < (written[lane] ?? 0) && value === valueOf(lane, i)) found[lane] = (found[lane] ?? 0) + 1;
  }
  return written.reduce((lost, count, lane) => lost + count - (found[lane] ?? 0), 0);
}
