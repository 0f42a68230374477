import { defined } from '../core/assert.ts';
import type { LogIndex } from '../core/ids.ts';
import { Former } from '../registry/former.ts';
import { SortedList } from '../registry/sorted-list.ts';

/** A key as it is now. Never changed in place: a write makes a new one. */
export interface KeyEntry {
  readonly key: string;
  readonly value: string;
  /** Index of the entry that wrote it. */
  readonly version: LogIndex;
}

/**
 * The keys, by name and in order (of UTF-16 code units). A write to a known key costs one map operation; a new or deleted key also a move in the ordered
 * list. Bounded by `apply`'s limits on keys and on their text.
 */
export class KeyValue {
  readonly #entries = new Map<string, KeyEntry>();
  readonly #order = new SortedList<string>((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  readonly #former = new Former<string, KeyEntry>();
  #text = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** Code units of all keys and values. */
  get text(): number {
    return this.#text;
  }

  get(key: string): KeyEntry | undefined {
    return this.#entries.get(key);
  }

  /** At most `limit` entries whose key starts with `prefix`, in order, after `afterKey`. */
  list(prefix: string, afterKey: string | undefined, limit: number): KeyEntry[] {
    const page: KeyEntry[] = [];
    for (const key of this.#order.from((each) => each < prefix || (afterKey !== undefined && each <= afterKey))) {
      // In this order all keys with the prefix stand together, at and after the prefix itself.
      if (page.length >= limit || !key.startsWith(prefix)) break;
      const entry = this.#entries.get(key);
      if (entry !== undefined) page.push(entry);
    }
    return page;
  }

  /** Every entry, in order. */
  *[Symbol.iterator](): Generator<KeyEntry, void, undefined> {
    for (const key of this.#order) yield this.#entry(key);
  }

  /** The entries that are here now, in order, whatever is applied before `thaw`. One view at a time. */
  freeze(): Iterable<KeyEntry> {
    return this.#former.freeze(this.#order.freeze(), (key) => this.#entry(key));
  }

  thaw(): void {
    this.#order.thaw();
    this.#former.thaw();
  }

  #entry(key: string): KeyEntry {
    return defined(this.#entries.get(key), 'a key in the order has its entry');
  }

  /** For `apply` alone. */
  put(key: string, value: string, version: LogIndex): void {
    const before = this.#entries.get(key);
    if (before === undefined) {
      this.#order.add(key);
      this.#text += key.length + value.length;
    } else {
      this.#text += value.length - before.value.length;
      this.#former.keep(key, () => before);
    }
    this.#entries.set(key, { key, value, version });
  }

  /** For `apply` alone. */
  delete(entry: KeyEntry): void {
    this.#former.keep(entry.key, () => entry);
    this.#entries.delete(entry.key);
    this.#order.delete(entry.key);
    this.#text -= entry.key.length + entry.value.length;
  }
}
