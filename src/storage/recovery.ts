import type { Entry } from '../raft/messages.ts';
import type { GuardSlot, Operation } from './guard.ts';
import { equalBytes } from '../core/bytes.ts';
import { chunkKey, entryIndex, headKey, identityKey, keyNumbers, kinds, snapshotKey } from './keys.ts';
import {
  chunkDigest,
  type ChainPoint,
  checksumOf,
  decodeChunk,
  decodeEntry,
  decodeHead,
  decodeSnapshot,
  type Head,
  type SnapshotRecord,
} from './records.ts';

/** What recovery needs of LevelDB. */
export interface Records {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Everything, in the order of the keys. */
  all(): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

/** Something is missing, or is not what was written. `message` says what in a few words, to stand in a sentence. */
export class Damage extends Error {
  override readonly name = 'Damage';
}

/** An entry's place in the log and the chain up to it, without its data. */
export interface Placed extends ChainPoint {
  readonly count: number;
  readonly bytes: number;
}

/** Everything a store holds, each record of it checked. */
export interface Recovered {
  readonly head: Head;
  readonly headChecksum: number;
  readonly snapshot: SnapshotRecord | undefined;
  readonly entries: readonly Entry[];
  readonly places: readonly Placed[];
  /** Left over: entries before the log's start, chunks of snapshots that are not current. */
  readonly garbage: readonly Uint8Array[];
}

/** How LevelDB and the guard stand to each other. */
export type Standing =
  /** Nothing was ever written. */
  | { readonly type: 'new' }
  /** LevelDB has the last write. `isGuarded` is false when the guard's slot for it is not whole. */
  | { readonly type: 'whole'; readonly isGuarded: boolean }
  /** LevelDB lacks the last write, but the guard has a copy of it. */
  | { readonly type: 'replay'; readonly operations: readonly Operation[] };

export async function readHead(records: Records): Promise<{ readonly head: Head; readonly checksum: number } | undefined> {
  const record = await records.get(headKey);
  if (record === undefined) return undefined;
  const head = decodeHead(record);
  if (head === undefined) throw new Damage('the head record is not as it was written');
  return { head, checksum: checksumOf(record) };
}

/**
 * A write in flight when the power went may be in LevelDB, in the guard, in both or in neither, and each is as good as another: it was not
 * acknowledged. An acknowledged write was in both. So the two may differ by one write and not by more, and when LevelDB is behind, be it torn or
 * damaged, the guard makes up for it.
 */
export function compare(stored: { readonly head: Head; readonly checksum: number } | undefined, slots: readonly GuardSlot[]): Standing {
  const sequence = stored?.head.sequence ?? 0;
  const checksum = stored?.checksum ?? 0;
  const [newest] = slots;
  const guarded = newest?.sequence ?? 0;
  if (sequence === 0 && guarded === 0) return { type: 'new' };
  if (guarded === sequence) {
    if (newest?.head !== checksum) throw new Damage('the database and the guard files are not of the same life');
    return { type: 'whole', isGuarded: true };
  }
  if (guarded === sequence + 1 && newest?.operations !== undefined && newest.previous === checksum) {
    return { type: 'replay', operations: newest.operations };
  }
  if (guarded > sequence) throw new Damage(`write ${guarded} was made and the database ends with write ${sequence}`);
  const isNext = guarded === sequence - 1 && (newest === undefined || stored?.head.previous === newest.head);
  if (!isNext) throw new Damage(`the database ends with write ${sequence} and the guard files with write ${guarded}`);
  return { type: 'whole', isGuarded: false };
}

/** Reads and checks everything that the head stands for. */
export async function readAll(records: Records): Promise<Recovered> {
  const found = await readHead(records);
  if (found === undefined) throw new Damage('the head record is missing');
  const { head, checksum } = found;
  const snapshot = await readSnapshot(records, head);
  const log = new LogReader(head);
  const chunks = new ChunkReader(head, snapshot);
  const garbage: Uint8Array[] = [];
  for await (const [key, value] of records.all()) {
    const [kind = 0] = key;
    switch (kind) {
      case kinds.entry:
        if (!log.take(key, value)) garbage.push(key);
        break;
      case kinds.chunk:
        if (!chunks.take(key, value)) garbage.push(key);
        break;
      case kinds.snapshot:
        if (head.snapshot === undefined || !equalBytes(key, snapshotKey(head.snapshot.id))) garbage.push(key);
        break;
      default:
        if (!equalBytes(key, headKey) && !equalBytes(key, identityKey)) throw new Damage('there is a record under a key of no known kind');
    }
  }
  log.finish();
  chunks.finish();
  return { head, headChecksum: checksum, snapshot, entries: log.entries, places: log.places, garbage };
}

async function readSnapshot(records: Records, head: Head): Promise<SnapshotRecord | undefined> {
  if (head.snapshot === undefined) return undefined;
  const record = await records.get(snapshotKey(head.snapshot.id));
  if (record === undefined) throw new Damage('the current snapshot is missing');
  const snapshot = checksumOf(record) === head.snapshot.checksum ? decodeSnapshot(record) : undefined;
  if (snapshot === undefined) throw new Damage('the record of the current snapshot is not as it was written');
  return snapshot;
}

/** Follows the chain from the head's base to its end. */
class LogReader {
  readonly entries: Entry[] = [];
  readonly places: Placed[] = [];
  readonly #head: Head;
  #at: ChainPoint;

  constructor(head: Head) {
    this.#head = head;
    this.#at = head.base;
  }

  /** False for an entry before the log's start: compacted, and not yet deleted. */
  take(key: Uint8Array, record: Uint8Array): boolean {
    const index = entryIndex(key);
    if (index !== undefined && index <= this.#head.base.index) return false;
    if (index === undefined || index > this.#head.last.index)
      throw new Damage(`there is an entry beyond the end of the log at index ${this.#head.last.index}`);
    const entry = decodeEntry(record, this.#at.chain);
    if (entry?.index !== index || entry.index - entry.count !== this.#at.index) {
      throw new Damage(`the entry after index ${this.#at.index} is missing or not as it was written`);
    }
    const { term, count, data } = entry;
    this.#at = { index, term, chain: checksumOf(record) };
    this.entries.push(entry);
    this.places.push({ ...this.#at, count, bytes: data.length });
    return true;
  }

  finish(): void {
    const { index, chain } = this.#head.last;
    if (this.#at.index !== index || this.#at.chain !== chain) {
      throw new Damage(`the log ends at index ${this.#at.index} and was written up to index ${index}`);
    }
  }
}

/** Counts and checks the chunks of the current snapshot. */
class ChunkReader {
  readonly #head: Head;
  readonly #snapshot: SnapshotRecord | undefined;
  #next = 0;
  #digest = 0;

  constructor(head: Head, snapshot: SnapshotRecord | undefined) {
    this.#head = head;
    this.#snapshot = snapshot;
  }

  /** False for a chunk of another snapshot: replaced, or not finished. */
  take(key: Uint8Array, record: Uint8Array): boolean {
    const id = this.#head.snapshot?.id;
    const [boot, number] = keyNumbers(key) ?? [];
    if (id === undefined || boot !== id.boot || number !== id.number) return false;
    if (!equalBytes(key, chunkKey(id, this.#next)) || decodeChunk(this.#next, record) === undefined) this.#refuse();
    this.#digest = chunkDigest(this.#digest, record);
    this.#next++;
    return true;
  }

  finish(): void {
    if (this.#snapshot !== undefined && (this.#next !== this.#snapshot.chunks || this.#digest !== this.#snapshot.digest)) this.#refuse();
  }

  #refuse(): never {
    throw new Damage(`chunk ${this.#next} of the current snapshot is missing or not as it was written`);
  }
}
