import type { SeededRandom } from '../../src/core/random.ts';
import { type DiskImage, emptyDisk, MemoryStore } from '../../src/storage/memory-store.ts';
import { rewriteOne } from './rewriting.ts';
import type { Durable, OpenedDisk, SimulatedDisk } from './simulated-disk.ts';
import type { Timing } from './virtual-engine.ts';

/** A disk with the store's twin in memory: quick, and without the production store's records. */
export class MemoryDisk implements SimulatedDisk {
  readonly #random: SeededRandom;
  #image: DiskImage = emptyDisk;
  #store: MemoryStore | undefined;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get durable(): Durable {
    const { hardState, entries, compactedIndex } = this.#store?.durable ?? this.#image;
    return { hardState, lastIndex: entries.at(-1)?.index ?? compactedIndex, isWhole: hardState.rejoining === 0 };
  }

  termAt(index: number): number | undefined {
    const { entries, compactedIndex, compactedTerm } = this.#store?.durable ?? this.#image;
    return index === compactedIndex ? compactedTerm : entries.findLast((entry) => entry.index === index)?.term;
  }

  open({ later }: Timing, ready: (opened: OpenedDisk) => void): void {
    const store = new MemoryStore(this.#image, later);
    this.#store = store;
    ready({ store, state: store.state, chunks: this.#image.snapshot?.chunks ?? [] });
  }

  failNextWrite(error: Error): void {
    this.#store?.failNextWrite(error);
  }

  crash(): void {
    if (this.#store === undefined) return;
    this.#image = this.#store.crash(this.#random.below(this.#store.inFlight + 1));
    this.#store = undefined;
  }

  lose(): void {
    const rejoining = 1 + this.#random.below(2 ** 31);
    this.#image = { ...emptyDisk, boot: this.#image.boot, hardState: { ...emptyDisk.hardState, rejoining } };
  }

  /** There are no records that could be damaged: all is lost. */
  flip(): void {
    this.lose();
  }

  rewrite(random: SeededRandom): boolean {
    const suffix = rewriteOne(this.#image, random);
    if (suffix === undefined) return false;
    this.#image = { ...this.#image, entries: [...this.#image.entries.slice(0, -suffix.length), ...suffix] };
    return true;
  }
}
