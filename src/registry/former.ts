import { assert } from '../core/assert.ts';

/**
 * A table's records as they were at one moment, while the table goes on changing: each is kept when it changes for the first time (copy-on-write). So
 * a view of that moment costs nothing to take, and one copy for each record that changes before it is done with. Bounded by the table at that moment
 * and by what the log adds meanwhile.
 */
export class Former<K, V> {
  #versions: Map<K, V> | undefined;

  begin(): void {
    assert(this.#versions === undefined, 'one view of a table is frozen at a time');
    this.#versions = new Map();
  }

  end(): void {
    this.#versions = undefined;
  }

  /** True when the record, which is about to change, has to be kept. */
  wants(key: K): boolean {
    return this.#versions !== undefined && !this.#versions.has(key);
  }

  keep(key: K, version: V): void {
    this.#versions?.set(key, version);
  }

  /** The record's version of then; undefined when it has not changed. */
  get(key: K): V | undefined {
    return this.#versions?.get(key);
  }
}
