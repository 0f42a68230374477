/** A binary heap: `pop` gives the item that comes first under `isBefore`. Bounded by what its owner pushes. */
export class Heap<T> {
  readonly #isBefore: (a: T, b: T) => boolean;
  readonly #items: T[] = [];

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  /** What `pop` would give. */
  get first(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    let hole = items.length;
    items.push(item);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      const above = items[parent];
      if (above === undefined || !this.#isBefore(item, above)) break;
      items[hole] = above;
      hole = parent;
    }
    items[hole] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (first === undefined || last === undefined || items.length === 0) return first;
    let hole = 0;
    for (;;) {
      const left = 2 * hole + 1;
      let next = items[left];
      let at = left;
      const right = items[left + 1];
      if (next === undefined) break;
      if (right !== undefined && this.#isBefore(right, next)) {
        next = right;
        at = left + 1;
      }
      if (!this.#isBefore(next, last)) break;
      items[hole] = next;
      hole = at;
    }
    items[hole] = last;
    return first;
  }
}
