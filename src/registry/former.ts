import { assert } from '../core/assert.ts';

/**
 * A table's records as they were at one moment, while the table goes on changing: each is kept when it changes for the first time (copy-on-write). So
 * a view of that moment costs nothing to take, and one copy for each record that changes before it is done with. Bounded by the table at that moment
 * and by what the log adds meanwhile.
 */
export class Former<K, V> {
  #versions: Map<K, V> | undefined;

  /** The records of these keys as they are at this moment, which `present` gives as long as they have not changed. One view at a time, until `thaw`. */
  freeze(keys: Iterable<K>, present: (key: K) => V): Iterable<V> {
    assert(this.#versions === undefined, 'one view of a table is frozen at a time');
    this.#versions = new Map();
    return this.#view(keys, present);
  }

  thaw(): void {
    this.#versions = undefined;
  }

  /** The record is about to change: `copy` makes what a view shows of it, if one needs it. */
  keep(key: K, copy: () => V): void {
    if (this.#versions !== undefined && !this.#versions.has(key)) this.#versions.set(key, copy());
  }

  *#view(keys: Iterable<K>, present: (key: K) => V): Generator<V, void, undefined> {
    for (const key of keys) yield this.#versions?.get(key) ?? present(key);
  }
}
