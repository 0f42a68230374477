import { firstIndex } from '../../src/core/first-index.ts';
import type { LogIndex, Term } from '../../src/core/ids.ts';
import type { Configuration, Entry } from '../../src/raft/messages.ts';

/** An entry as whoever applied it first knew it. */
export interface Agreed {
  readonly index: LogIndex;
  readonly term: Term;
  readonly count: number;
  readonly print: number;
  /** The term that node was in: it is the one in which the entry was committed, or a later one. */
  readonly appliedIn: Term;
}

/** The log as the nodes apply it: each entry from the first node that did. It sees more than any node can. */
export class AgreedLog {
  readonly #entries: Agreed[] = [];
  readonly #places = new Map<LogIndex, number>();
  /** From which index on each configuration is in force. */
  readonly #configurations: { readonly from: LogIndex; readonly configuration: Configuration }[];

  #changeIndex: LogIndex = 0;

  constructor(founding: Configuration) {
    this.#configurations = [{ from: 0, configuration: founding }];
  }

  /** Entries. */
  get size(): number {
    return this.#entries.length;
  }

  get lastIndex(): LogIndex {
    return this.#entries.at(-1)?.index ?? 0;
  }

  /** The newest that came into force anywhere, and the one before, which may still be in force elsewhere. */
  get newestConfigurations(): readonly Configuration[] {
    return this.#configurations.slice(-2).map(({ configuration }) => configuration);
  }

  /** The newest configuration entry that is in force anywhere. */
  get changeIndex(): LogIndex {
    return this.#changeIndex;
  }

  get configurationChanges(): number {
    return this.#configurations.length - 1;
  }

  /** The entry that ends at the index. */
  at(index: LogIndex): Agreed | undefined {
    const place = this.#places.get(index);
    return place === undefined ? undefined : this.#entries[place];
  }

  /** The entry that covers the index. */
  covering(index: LogIndex): Agreed | undefined {
    return this.#entries[firstIndex(this.#entries.length, (at) => (this.#entries[at]?.index ?? 0) >= index)];
  }

  /** Where the entry before the one that ends at the index ends. */
  endBefore(index: LogIndex): LogIndex {
    return this.#entries[(this.#places.get(index) ?? 0) - 1]?.index ?? 0;
  }

  /** The newest entry that was committed in an earlier term. Entries of one are often committed in another. */
  lastBelow(term: Term): Agreed | undefined {
    return this.#entries.findLast((entry) => entry.appliedIn < term);
  }

  /** In force once the index is applied. */
  configurationAt(index: LogIndex): Configuration {
    for (let at = this.#configurations.length - 1; at > 0; at--) {
      const found = this.#configurations[at];
      if (found !== undefined && found.from <= index) return found.configuration;
    }
    const [founding] = this.#configurations;
    if (founding === undefined) throw new RangeError('there is always a founding configuration');
    return founding.configuration;
  }

  /** A configuration entry is in force on a node. False when it was on another before, or changed nothing. */
  change(index: LogIndex, configuration: Configuration): boolean {
    if (index <= this.#changeIndex) return false;
    this.#changeIndex = index;
    // A change that no longer fitted changes nothing.
    if (JSON.stringify(configuration) === JSON.stringify(this.#configurations.at(-1)?.configuration)) return false;
    this.#configurations.push({ from: index, configuration });
    return true;
  }

  /** False when somebody applied as far before. */
  add({ index, term, count, data }: Entry, appliedIn: Term): boolean {
    if (index <= this.lastIndex) return false;
    this.#places.set(index, this.#entries.length);
    this.#entries.push({ index, term, count, print: fingerprint(data, count), appliedIn });
    return true;
  }
}

/** FNV-1a over the bytes. */
export function fingerprint(bytes: Uint8Array, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash >>> 0;
}
