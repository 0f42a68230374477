import { ByteReader, encode } from '../../byzantine/bytes.ts';
import type { VoteChange, VoteRecord } from '../../storage/vote-store.ts';

/** A page's key is this letter and its number in six bytes, big endian; no record's own key begins so. */
const pageLetter = 'j'.charCodeAt(0);
const pageKeyBytes = 7;
const maxKeyBytes = 254;
const maxValueBytes = 2 ** 32 - 1;
/** Pages may take this much, or so many times what is alive in them, before what is alive in the oldest is written anew. */
const idleBytes = 1024 * 1024;
const idleShare = 4;

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Where it was written last. */
  page: number;
}

interface Page {
  readonly names: readonly string[];
  readonly bytes: number;
  /** Entries that were not written or deleted anew since. */
  alive: number;
}

/**
 * Keeps records that are soon written anew or deleted: all those of one write become one record of the store, a page, which is deleted once nothing in it is
 * alive and no page before it is left. Of a vote's twelve changes between proposal and certificate none is an operation of its own for the database. Pages go in
 * the order they came, so the deletion of a record never outlives the record. A record that lives long is copied when the pages grow out of proportion.
 */
export class Journal {
  readonly #isShortLived: (key: Uint8Array) => boolean;
  readonly #entries = new Map<string, Entry>();
  /** Oldest first. */
  readonly #pages = new Map<number, Page>();
  #pageBytes = 0;
  #aliveBytes = 0;
  #next = 0;

  /** @throws Error when a page is not one that this program writes. */
  constructor(stored: readonly VoteRecord[], isShortLived: (key: Uint8Array) => boolean) {
    this.#isShortLived = isShortLived;
    const pages = stored.filter(({ key }) => isPageKey(key)).toSorted((a, b) => numberIn(a.key) - numberIn(b.key));
    for (const { key, value } of pages) this.#take(numberIn(key), readPage(value), value.length);
  }

  /** The records that are kept here. */
  *records(): Iterable<VoteRecord> {
    for (const { key, value } of this.#entries.values()) yield { key, value };
  }

  /** What the store has to do for the changes; those of records that live long are left as they are. */
  pack(changes: readonly VoteChange[]): readonly VoteChange[] {
    const packed = changes.filter(({ key }) => !this.#isShortLived(key));
    const latest = new Map<string, VoteChange>();
    for (const change of changes) if (this.#isShortLived(change.key)) latest.set(nameOf(change.key), change);
    for (const [name, { value }] of latest) if (value === undefined && !this.#entries.has(name)) latest.delete(name);
    if (latest.size === 0) return packed;
    for (const [name, entry] of this.#overdue()) if (!latest.has(name)) latest.set(name, entry);
    const number = this.#next;
    const page = encode([...latest.values()], (writer, all) => {
      for (const { key, value } of all) {
        writer.bytes8(key).flag(value !== undefined);
        if (value !== undefined) writer.bytes32(value);
      }
    });
    this.#take(number, latest, page.length);
    return [...packed, { key: pageKey(number), value: page }, ...this.#dropped(number)];
  }

  /** What is alive in the oldest page, if it has to be written anew. */
  #overdue(): readonly (readonly [string, Entry])[] {
    if (this.#pageBytes <= Math.max(idleBytes, idleShare * this.#aliveBytes)) return [];
    const [oldest] = this.#pages;
    if (oldest === undefined) return [];
    return oldest[1].names.flatMap((name) => {
      const entry = this.#entries.get(name);
      return entry?.page === oldest[0] ? [[name, entry] as const] : [];
    });
  }

  #take(number: number, changes: ReadonlyMap<string, VoteChange>, bytes: number): void {
    for (const [name, { key, value }] of changes) {
      const before = this.#entries.get(name);
      const page = before && this.#pages.get(before.page);
      if (page !== undefined) page.alive--;
      if (before !== undefined) this.#aliveBytes -= sizeOf(before);
      // Deleted first: the order of the entries is that of their pages.
      this.#entries.delete(name);
      if (value === undefined) continue;
      this.#entries.set(name, { key, value, page: number });
      this.#aliveBytes += key.length + value.length;
    }
    const names = [...changes].flatMap(([name, { value }]) => (value === undefined ? [] : [name]));
    this.#pages.set(number, { names, bytes, alive: names.length });
    this.#pageBytes += bytes;
    this.#next = number + 1;
  }

  /** Deletes the oldest pages that nothing is alive in. */
  #dropped(newest: number): readonly VoteChange[] {
    const dropped: VoteChange[] = [];
    for (const [number, { alive, bytes }] of this.#pages) {
      if (alive > 0 || number === newest) break;
      this.#pages.delete(number);
      this.#pageBytes -= bytes;
      dropped.push({ key: pageKey(number), value: undefined });
    }
    return dropped;
  }
}

/** A string of a character a byte, for a map. */
const nameOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');

const sizeOf = ({ key, value }: Entry): number => key.length + value.length;

const isPageKey = (key: Uint8Array): boolean => key[0] === pageLetter && key.length === pageKeyBytes;

function pageKey(number: number): Uint8Array {
  const key = new Uint8Array(pageKeyBytes);
  key[0] = pageLetter;
  const view = new DataView(key.buffer);
  view.setUint16(1, Math.floor(number / 2 ** 32));
  view.setUint32(3, number % 2 ** 32);
  return key;
}

function numberIn(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint16(1) * 2 ** 32 + view.getUint32(3);
}

function readPage(bytes: Uint8Array): ReadonlyMap<string, VoteChange> {
  const changes = new Map<string, VoteChange>();
  const reader = new ByteReader(bytes);
  while (reader.ok && !reader.done) {
    const key = reader.bytes8(maxKeyBytes);
    changes.set(nameOf(key), { key, value: reader.flag() ? reader.bytes32(maxValueBytes) : undefined });
  }
  if (!reader.ok) throw new Error('a stored page of the votes is not one that this program writes');
  return changes;
}
