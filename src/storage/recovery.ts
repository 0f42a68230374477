import type { Entry } from '../raft/messages.ts';
import type { Operation } from './engine.ts';
import type { GuardSlot } from './guard.ts';
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
  decodeVote,
  type Head,
  type SnapshotRecord,
} from './records.ts';
import type { VoteRecord } from './vote-store.ts';

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
  readonly votes: readonly VoteRecord[];
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

/** A head and the checksum of its record. */
export interface StoredHead {
  readonly head: Head;
  readonly checksum: number;
}

/** The head in a record, if there is one. Throws Damage. */
export function readHead(record: Uint8Array | undefined): StoredHead | undefined {
  if (record === undefined) return undefined;
  const head = decodeHead(record);
  if (head === undefined) throw new Damage('the head record is not as it was written');
  return { head, checksum: checksumOf(record) };
}

/**
 * A write in flight when the power went may be in LevelDB, in the guard, in both or in neither, and each is as good as another: it was not
 * acknowledged. An acknowledged write was in both. So the two may differ by one write and not by more, and when LevelDB is behind, be it torn or
 * damaged, the guard makes up for it. Throws Damage.
 */
export function compare(stored: StoredHead | undefined, slots: readonly GuardSlot[]): Standing {
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

/** Checks everything that the head stands for: is told every record once, in the order of the keys, and remembers of it only what is needed. Throws Damage. */
export class Recovery {
  readonly #stored: StoredHead;
  readonly #snapshot: SnapshotRecord | undefined;
  readonly #log: LogReader;
  readonly #chunks: ChunkReader;
  readonly #garbage: Uint8Array[] = [];
  readonly #votes: VoteRecord[] = [];

  /** `snapshot`: the record under the key of the head's snapshot. */
  constructor(stored: StoredHead, snapshot: Uint8Array | undefined) {
    this.#stored = stored;
    this.#snapshot = readSnapshot(stored.head, snapshot);
    this.#log = new LogReader(stored.head);
    this.#chunks = new ChunkReader(stored.head, this.#snapshot);
  }

  take(key: Uint8Array, value: Uint8Array): void {
    const { snapshot } = this.#stored.head;
    const [kind = 0] = key;
    switch (kind) {
      case kinds.entry:
        if (!this.#log.take(key, value)) this.#garbage.push(key);
        break;
      case kinds.chunk:
        if (!this.#chunks.take(key, value)) this.#garbage.push(key);
        break;
      case kinds.snapshot:
        if (snapshot === undefined || !equalBytes(key, snapshotKey(snapshot.id))) this.#garbage.push(key);
        break;
      case kinds.vote:
        this.#votes.push(readVote(key.slice(1), value));
        break;
      default:
        if (!equalBytes(key, headKey) && !equalBytes(key, identityKey)) throw new Damage('there is a record under a key of no known kind');
    }
  }

  finish(): Recovered {
    this.#log.finish();
    this.#chunks.finish();
    const { head, checksum } = this.#stored;
    const { entries, places } = this.#log;
    return { head, headChecksum: checksum, snapshot: this.#snapshot, entries, places, votes: this.#votes, garbage: this.#garbage };
  }
}

function readVote(key: Uint8Array, record: Uint8Array): VoteRecord {
  const value = decodeVote(key, record);
  if (value === undefined) throw new Damage('a record of the votes is not as it was written');
  return { key, value };
}

function readSnapshot(head: Head, record: Uint8Array | undefined): SnapshotRecord | undefined {
  if (head.snapshot === undefined) return undefined;
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
