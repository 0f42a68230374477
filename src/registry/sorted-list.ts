import { assert, defined } from '../core/assert.ts';
import { firstIndex } from '../core/first-index.ts';

/** Items in one chunk before it is halved: an insertion moves at most this many references, a few hundred nanoseconds. */
const maxChunk = 512;

/**
 * Items kept in order under a total order, as chunks of at most 512: adding, deleting and seeking cost two binary searches and one short move, also
 * with a million items. Two items that compare as 0 are the same item. What the order reads of an item must not change while the item is in the list.
 * Not to be changed while it is iterated, unless it is the frozen view that is iterated.
 */
export class SortedList<T> {
  readonly #compare: (a: T, b: T) => number;
  /** None is empty. Bounded by what the owner adds. */
  readonly #chunks: T[][] = [];
  #size = 0;
  /** Chunks that the frozen view shares: copied before they change. */
  #shared: Set<T[]> | undefined;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  first(): T | undefined {
    return this.#chunks[0]?.[0];
  }

  add(item: T): void {
    this.#size += 1;
    if (this.#chunks.length === 0) {
      this.#chunks.push([item]);
      return;
    }
    const at = Math.min(this.#chunkOf(item), this.#chunks.length - 1);
    const chunk = this.#owned(at);
    const position = this.#positionIn(chunk, item);
    const there = chunk[position];
    assert(there === undefined || this.#compare(there, item) !== 0, 'an item is in a sorted list once');
    if (position === chunk.length) chunk.push(item);
    else chunk.splice(position, 0, item);
    if (chunk.length > maxChunk) this.#split(at, chunk, position === chunk.length - 1);
  }

  /** True if the item was there. */
  delete(item: T): boolean {
    const at = this.#chunkOf(item);
    const found = this.#chunks[at];
    if (found === undefined) return false;
    const position = this.#positionIn(found, item);
    const there = found[position];
    if (there === undefined || this.#compare(there, item) !== 0) return false;
    const chunk = this.#owned(at);
    if (position === 0) chunk.shift();
    else if (position === chunk.length - 1) chunk.pop();
    else chunk.splice(position, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
    this.#size -= 1;
    return true;
  }

  [Symbol.iterator](): Generator<T, void, undefined> {
    return this.from(() => false);
  }

  /** The items that are in the list now, whatever is added and deleted before `thaw`. Costs one reference for each chunk. One view at a time. */
  freeze(): Iterable<T> {
    assert(this.#shared === undefined, 'one view of a list is frozen at a time');
    const chunks = [...this.#chunks];
    this.#shared = new Set(chunks);
    return flattened(chunks);
  }

  /** Nobody looks at the frozen view any more. */
  thaw(): void {
    this.#shared = undefined;
  }

  /** The items in order, without the leading ones for which `isBefore` holds. */
  *from(isBefore: (item: T) => boolean): Generator<T, void, undefined> {
    let at = this.#firstChunk((chunk) => !isBefore(defined(chunk.at(-1), 'no chunk is empty')));
    let position = firstIndex(this.#chunks[at]?.length ?? 0, (i) => !isBefore(this.#item(at, i)));
    for (; at < this.#chunks.length; at++) {
      const chunk = defined(this.#chunks[at], 'a chunk within bounds');
      for (; position < chunk.length; position++) yield this.#item(at, position);
      position = 0;
    }
  }

  /** The chunk that holds the item, if it is there: the first one that does not end before it. */
  #chunkOf(item: T): number {
    return this.#firstChunk((chunk) => this.#compare(defined(chunk.at(-1), 'no chunk is empty'), item) >= 0);
  }

  /** The chunk, to be changed. */
  #owned(at: number): T[] {
    const chunk = defined(this.#chunks[at], 'a chunk within bounds');
    if (this.#shared?.delete(chunk) !== true) return chunk;
    const copy = [...chunk];
    this.#chunks[at] = copy;
    return copy;
  }

  #firstChunk(holds: (chunk: T[]) => boolean): number {
    return firstIndex(this.#chunks.length, (i) => holds(defined(this.#chunks[i], 'a chunk within bounds')));
  }

  #positionIn(chunk: T[], item: T): number {
    return firstIndex(chunk.length, (i) => this.#compare(defined(chunk[i], 'an item within bounds'), item) >= 0);
  }

  #item(chunk: number, position: number): T {
    return defined(this.#chunks[chunk]?.[position], 'an item within bounds');
  }

  /** Items that come in order fill each chunk: only the new last item moves on. Otherwise both halves keep room. */
  #split(at: number, chunk: T[], atItsEnd: boolean): void {
    const rest = chunk.splice(atItsEnd ? chunk.length - 1 : chunk.length >> 1);
    this.#chunks.splice(at + 1, 0, rest);
  }
}

function* flattened<T>(chunks: readonly (readonly T[])[]): Generator<T, void, undefined> {
  for (const chunk of chunks) yield* chunk;
}
