interface Item {
  readonly atUs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Jobs by virtual time; those of one moment run in the order in which they were added, so that a seed replays a run. */
export class EventQueue {
  readonly #heap: Item[] = [];
  #order = 0;
  #nowUs = 0;

  /** Virtual microseconds since the start. */
  get nowUs(): number {
    return this.#nowUs;
  }

  get isEmpty(): boolean {
    return this.#heap.length === 0;
  }

  after(delayUs: number, run: () => void): void {
    this.#push({ atUs: this.#nowUs + delayUs, order: this.#order++, run });
  }

  /** Runs the next job and moves the time to it. False when there is none up to `untilUs`. */
  step(untilUs: number): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.atUs > untilUs) return false;
    this.#pop();
    this.#nowUs = next.atUs;
    next.run();
    return true;
  }

  #push(item: Item): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !before(item, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const smaller = right !== undefined && before(right, left) ? right : left;
      if (!before(smaller, last)) break;
      heap[at] = smaller;
      at = smaller === left ? 2 * at + 1 : 2 * at + 2;
    }
    heap[at] = last;
  }
}

const before = (a: Item, b: Item): boolean => a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
