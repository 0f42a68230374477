import type { Statement } from './statement.ts';

/** No view takes longer. */
const maxViewMs = 10_000;

/** How long a view may take before its members ask for the next: half as long again each time, so that one is long enough once the network is calm. */
export const viewTimeoutMs = (firstMs: number, view: number): number => Math.min(maxViewMs, firstMs * 1.5 ** view);

/** The deadline for ballots and the time of the view. */
export class Timers {
  readonly #viewMs: () => number;
  #deadlineMs: number;
  #view = 0;
  #viewEndsMs = Number.POSITIVE_INFINITY;
  #isViewTimed = false;

  constructor(deadlineMs: number, viewMs: () => number) {
    this.#deadlineMs = deadlineMs;
    this.#viewMs = viewMs;
  }

  get wakeAtMs(): number {
    return Math.min(this.#deadlineMs, this.#viewEndsMs);
  }

  /** What has ended; each is told once. */
  due(nowMs: number): { readonly deadline: boolean; readonly view: boolean } {
    const due = { deadline: nowMs >= this.#deadlineMs, view: nowMs >= this.#viewEndsMs };
    if (due.deadline) this.#deadlineMs = Number.POSITIVE_INFINITY;
    if (due.view) this.#viewEndsMs = Number.POSITIVE_INFINITY;
    return due;
  }

  /** Times the view that the statement is in. View 0 waits for ballots, so its time starts with the first sign that somebody goes on without them. */
  follow({ view, viewChange, current, decided }: Statement, nowMs: number): void {
    if (view !== this.#view) {
      this.#view = view;
      this.#isViewTimed = false;
    }
    if (decided !== undefined) {
      this.#isViewTimed = true;
      this.#viewEndsMs = Number.POSITIVE_INFINITY;
      this.#deadlineMs = Number.POSITIVE_INFINITY;
    }
    const isRunning = view > 0 || viewChange > 0 || current[0] !== undefined || this.#deadlineMs === Number.POSITIVE_INFINITY;
    if (this.#isViewTimed || !isRunning) return;
    this.#isViewTimed = true;
    this.#viewEndsMs = nowMs + viewTimeoutMs(this.#viewMs(), view);
  }
}
