/** Beyond it status would be old rather than late. */
const longestMs = 50;

/**
 * When own updates leave. The first after a rest leaves at once; others wait for the time since the last flush to be over. A node that finds itself late has too
 * much to do: the time grows to 50 ms, and what goes in one batch costs all nodes less. It shrinks again as the node keeps its times.
 */
export class FlushPace {
  readonly #shortestMs: number;
  #intervalMs: number;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(shortestMs: number) {
    this.#shortestMs = shortestMs;
    this.#intervalMs = shortestMs;
  }

  /** When what is written now leaves. */
  nextMs(nowMs: number): number {
    return Math.max(nowMs, this.#lastMs + this.#intervalMs);
  }

  onFlush(nowMs: number): void {
    this.#lastMs = nowMs;
  }

  /** A flush was so much later than it was to be. */
  onLate(lateMs: number): void {
    const wantedMs = Math.min(longestMs, this.#shortestMs + 2 * lateMs);
    this.#intervalMs = wantedMs > this.#intervalMs ? wantedMs : Math.max(this.#shortestMs, 0.9 * this.#intervalMs + 0.1 * wantedMs);
  }
}
