import { assert } from '../core/assert.ts';
import { firstIndex } from '../core/first-index.ts';
import type { LogIndex, Term } from '../core/ids.ts';

/** Where an entry lies in the log: it covers the indices (index - count, index]. */
export interface Position {
  readonly term: Term;
  readonly index: LogIndex;
  readonly count: number;
}

/**
 * The entries a store holds, or what it remembers of them, in log order and without gaps. It knows which entries a write replaces and which a
 * compaction forgets, for the store on disk and for its twin in memory alike. Its length is bounded by the log, which snapshots and compaction keep short.
 */
export class StoredLog<Item extends Position> {
  #items: Item[] = [];
  #baseIndex: LogIndex;
  #baseTerm: Term;

  constructor(baseIndex: LogIndex, baseTerm: Term) {
    this.#baseIndex = baseIndex;
    this.#baseTerm = baseTerm;
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  get baseIndex(): LogIndex {
    return this.#baseIndex;
  }

  get baseTerm(): Term {
    return this.#baseTerm;
  }

  get last(): Item | undefined {
    return this.#items.at(-1);
  }

  get lastIndex(): LogIndex {
    return this.last?.index ?? this.#baseIndex;
  }

  /** The entry that ends exactly at `index`. */
  endingAt(index: LogIndex): Item | undefined {
    const item = this.#items[this.#firstAfter(index) - 1];
    return item?.index === index ? item : undefined;
  }

  /** Removes every entry that ends after `index` and returns them. What stays must end at `index`: entries are never split. */
  cutAfter(index: LogIndex): readonly Item[] {
    const removed = this.#items.splice(this.#firstAfter(index));
    assert(this.lastIndex === index, 'a write begins where a stored entry ends');
    return removed;
  }

  append(item: Item): void {
    assert(item.count >= 1 && item.index - item.count === this.lastIndex, 'entries follow each other without a gap');
    assert(item.term >= (this.last?.term ?? this.#baseTerm), 'terms never fall along the log');
    this.#items.push(item);
  }

  /** Forgets the entries up to and including the one that ends at `index`, and returns them. */
  compact(index: LogIndex, term: Term): readonly Item[] {
    const end = this.endingAt(index);
    assert(end !== undefined && end.term === term, 'the log is compacted at the end of an entry');
    const removed = this.#items.splice(0, this.#firstAfter(index));
    this.#baseIndex = index;
    this.#baseTerm = term;
    return removed;
  }

  /** Forgets everything: the log now begins after a snapshot that ends at `index`. Returns what it held. */
  restart(index: LogIndex, term: Term): readonly Item[] {
    const removed = this.#items;
    this.#items = [];
    this.#baseIndex = index;
    this.#baseTerm = term;
    return removed;
  }

  /** Place of the first entry that ends after `index`. */
  #firstAfter(index: LogIndex): number {
    return firstIndex(this.#items.length, (at) => (this.#items[at]?.index ?? 0) > index);
  }
}
