import { Heap } from '../src/tasks/heap.ts';

interface Item {
  readonly atUs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Jobs by virtual time; those of one moment run in the order in which they were added, so that a seed replays a run. */
export class EventQueue {
  readonly #heap = new Heap<Item>((a, b) => a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order));
  #order = 0;
  #nowUs = 0;

  /** Virtual microseconds since the start. */
  get nowUs(): number {
    return this.#nowUs;
  }

  after(delayUs: number, run: () => void): void {
    this.#heap.push({ atUs: this.#nowUs + delayUs, order: this.#order++, run });
  }

  /** Runs the next job and moves the time to it. False when there is none up to `untilUs`. */
  step(untilUs: number): boolean {
    const next = this.#heap.first;
    if (next === undefined || next.atUs > untilUs) return false;
    this.#heap.pop();
    this.#nowUs = next.atUs;
    next.run();
    return true;
  }
}
