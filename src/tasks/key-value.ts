import type { LogIndex } from '../core/ids.ts';
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

  /** For `apply` alone. */
  put(key: string, value: string, version: LogIndex): void {
    const before = this.#entries.get(key);
    if (before === undefined) {
      this.#order.add(key);
      this.#text += key.length + value.length;
    } else {
      this.#text += value.length - before.value.length;
    }
    this.#entries.set(key, { key, value, version });
  }

  /** For `apply` alone. */
  delete(entry: KeyEntry): void {
    this.#entries.delete(entry.key);
    this.#order.delete(entry.key);
    this.#text -= entry.key.length + entry.value.length;
  }
}
