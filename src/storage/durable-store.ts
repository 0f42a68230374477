import { assert } from '../core/assert.ts';
import type { LogIndex, Term } from '../core/ids.ts';
import type { Entry, SnapshotMeta } from '../raft/messages.ts';
import type { SnapshotReceived } from '../raft/ready.ts';
import type { Engine, Operation } from './engine.ts';
import { encodeSlot, slotOf } from './guard.ts';
import { chunkKey, entryKey, headKey, type SnapshotId, snapshotKey, voteKey } from './keys.ts';
import {
  checksumOf,
  chunkDigest,
  decodeChunk,
  encodeChunk,
  encodeEntry,
  encodeHead,
  encodeSnapshot,
  encodeVote,
  type Head,
  type SnapshotRecord,
} from './records.ts';
import type { Placed, Recovered } from './recovery.ts';
import { damaged, StorageError } from './storage-error.ts';
import type { Done, RaftStore, SaveBatch } from './store.ts';
import { StoredLog } from './stored-log.ts';
import type { VoteChange, VoteStore } from './vote-store.ts';

/** Writes that wait for the one on its way. The driver has at most a save, a compaction and a step of a snapshot; more is a driver run wild. */
const maxWaitingWrites = 256;
/** A local snapshot goes to disk in pieces of about this size, so that a save never waits for more than one of them. */
const snapshotPieceBytes = 512 * 1024;
/** Keys deleted at a time, for the same reason. */
const discardedKeys = 1000;

interface Job {
  /** Calls back later, never from within. */
  readonly run: (ended: Done) => void;
  readonly done: Done;
}

/** A snapshot on its way to disk, under an id of its own, apart from the current one. */
interface Staging {
  readonly id: SnapshotId;
  readonly meta: SnapshotMeta;
  chunks: number;
  digest: number;
}

/** One write in the making. */
interface Draft {
  head: Head;
  readonly operations: Operation[];
  /** Keys that mean nothing once the write is durable. */
  readonly garbage: Uint8Array[];
}

/**
 * Raft's stable storage on an engine, and that of the votes. Every write carries a new head, goes to the database and to the guard at the same time, and is done when both have
 * synced it. Writes go one after the other; a snapshot goes in small pieces between them. After the first error nothing is written any more, because
 * nobody knows what a failed sync left on the disk.
 */
export class DurableStore implements RaftStore, VoteStore {
  readonly #directory: string;
  readonly #engine: Engine;
  readonly #log: StoredLog<Placed>;
  #head: Head;
  #headChecksum: number;
  #snapshot: { readonly id: SnapshotId; readonly index: LogIndex; readonly chunks: number } | undefined;
  #logBytes = 0;
  #stagings = 0;
  #arriving: Staging | undefined;
  #isSavingSnapshot = false;
  readonly #waiting: Job[] = [];
  #isWriting = false;
  #failure: Error | undefined;
  #isClosing = false;

  constructor(directory: string, engine: Engine, { head, headChecksum, snapshot, places }: Recovered) {
    this.#directory = directory;
    this.#engine = engine;
    this.#head = head;
    this.#headChecksum = headChecksum;
    if (head.snapshot !== undefined && snapshot !== undefined) {
      this.#snapshot = { id: head.snapshot.id, index: snapshot.meta.index, chunks: snapshot.chunks };
    }
    this.#log = new StoredLog(head.base.index, head.base.term);
    for (const place of places) this.#append(place);
  }

  get logBytes(): number {
    return this.#logBytes;
  }

  save(batch: SaveBatch, done: Done): void {
    this.#enqueue((ended) => this.#save(batch, ended), done);
  }

  saveVotes(changes: readonly VoteChange[], done: Done): void {
    this.#enqueue((ended) => {
      const operations = changes.map(({ key, value }): Operation => {
        return value === undefined ? { type: 'del', key: voteKey(key) } : { type: 'put', key: voteKey(key), value: encodeVote(key, value) };
      });
      this.#commit({ head: this.#head, operations, garbage: [] }, [], ended);
    }, done);
  }

  saveSnapshot(meta: SnapshotMeta, chunks: Iterable<Uint8Array>, done: Done): void {
    assert(!this.#isSavingSnapshot, 'one local snapshot is written at a time');
    this.#isSavingSnapshot = true;
    const staging = this.#stage(meta);
    const iterator = chunks[Symbol.iterator]();
    const finish: Done = (error) => {
      this.#isSavingSnapshot = false;
      done(error);
    };
    const step: Done = (error) => {
      if (error !== undefined) return finish(error);
      if (this.#isClosing) return finish(new StorageError('io', 'the store was closed before the snapshot was written'));
      const { piece, isLast } = nextPiece(staging, iterator);
      this.#enqueue((ended) => this.#write(piece, ended), isLast ? last : step);
    };
    const last: Done = (error) => {
      if (error !== undefined || this.#isClosing) return step(error);
      this.#enqueue((ended) => this.#finishLocal(staging, ended), finish);
    };
    step(undefined);
  }

  compact(index: LogIndex, term: Term, done: Done): void {
    this.#enqueue((ended) => {
      // A snapshot that arrived meanwhile has dropped more.
      if (index <= this.#head.base.index) return this.#end(ended);
      assert(this.#snapshot !== undefined && this.#snapshot.index >= index, 'only what a current snapshot covers is forgotten');
      const chain = this.#log.endingAt(index)?.chain ?? 0;
      const removed = this.#log.compact(index, term);
      this.#forget(removed);
      const head = { ...this.#head, base: { index, term, chain } };
      this.#commit({ head, operations: [], garbage: removed.map((place) => entryKey(place.index)) }, [], ended);
    }, done);
  }

  readChunk(
    index: LogIndex,
    chunk: number,
    done: (error: Error | undefined, data: Uint8Array | undefined, chunks: number | undefined) => void,
  ): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || snapshot.index !== index || chunk >= snapshot.chunks) {
      this.#engine.defer(() => done(undefined, undefined, undefined));
      return;
    }
    this.#engine.get(chunkKey(snapshot.id, chunk), (error, record) => {
      if (error !== undefined) return done(this.#storageError('a read from', error), undefined, undefined);
      const data = record === undefined ? undefined : decodeChunk(chunk, record);
      const isReplaced = this.#snapshot !== snapshot;
      if (data === undefined && !isReplaced) {
        const found = `chunk ${chunk} of the snapshot at index ${index} is missing or changed`;
        return done(damaged(this.#directory, found), undefined, undefined);
      }
      done(undefined, data, data === undefined ? undefined : snapshot.chunks);
    });
  }

  /** Ends what has begun; a snapshot half written is given up. */
  close(): Promise<void> {
    if (this.#isClosing) return Promise.resolve();
    const drained = new Promise<void>((resolve) => {
      this.#enqueue(
        (ended) => this.#end(ended),
        () => resolve(),
      );
    });
    this.#isClosing = true;
    return drained.then(() => this.#engine.close());
  }

  #enqueue(run: Job['run'], done: Done): void {
    assert(!this.#isClosing, 'a closed store is not written');
    assert(this.#waiting.length < maxWaitingWrites, 'the driver waits for its writes');
    this.#waiting.push({ run, done });
    if (!this.#isWriting) this.#writeNext();
  }

  #writeNext(): void {
    const job = this.#waiting.shift();
    this.#isWriting = job !== undefined;
    if (job === undefined) return;
    const ended: Done = (error) => {
      if (error !== undefined) this.#failure ??= this.#storageError('a write to', error);
      const failure = this.#failure;
      // First: the disk doesn't wait for who waits for it.
      this.#writeNext();
      job.done(failure);
    };
    if (this.#failure === undefined) job.run(ended);
    else this.#end(ended);
  }

  /** Ends a job that had nothing to write. */
  #end(ended: Done): void {
    this.#engine.defer(() => ended(undefined));
  }

  #save({ hardState, entries, snapshotChunk }: SaveBatch, ended: Done): void {
    const draft: Draft = { head: this.#head, operations: [], garbage: [] };
    const finish = (chunk: readonly Operation[]): void => {
      if (entries !== undefined && entries.length > 0) this.#replaceSuffix(entries, draft);
      if (hardState !== undefined) draft.head = { ...draft.head, hardState };
      if (draft.head !== this.#head) this.#commit(draft, chunk, ended);
      else if (chunk.length > 0) this.#write(chunk, ended);
      else this.#end(ended);
    };
    if (snapshotChunk === undefined) return finish([]);
    const staging = this.#receive(snapshotChunk, draft);
    const chunk = [stageChunk(staging, snapshotChunk.data)];
    if (snapshotChunk.chunk + 1 < snapshotChunk.chunks) return finish(chunk);
    // The guard repeats the write that makes a snapshot current, but not its chunks: they must be there before.
    this.#write(chunk, (error) => {
      if (error !== undefined) return ended(error);
      this.#install(staging, draft);
      finish([]);
    });
  }

  #replaceSuffix(entries: readonly Entry[], draft: Draft): void {
    const first = entries[0];
    if (first === undefined) return;
    const removed = this.#log.cutAfter(first.index - first.count);
    this.#forget(removed);
    // In the same batch: an entry that came back after a crash would stand in the middle of its successors.
    for (const place of removed) draft.operations.push({ type: 'del', key: entryKey(place.index) });
    for (const entry of entries) {
      const value = encodeEntry(entry, this.#log.last?.chain ?? draft.head.base.chain);
      draft.operations.push({ type: 'put', key: entryKey(entry.index), value });
      this.#append({ index: entry.index, term: entry.term, count: entry.count, bytes: entry.data.length, chain: checksumOf(value) });
    }
    draft.head = { ...draft.head };
  }

  #receive(received: SnapshotReceived, draft: Draft): Staging {
    const { index, term } = received.snapshot;
    if (received.chunk === 0) {
      if (this.#arriving !== undefined) draft.garbage.push(...chunkKeys(this.#arriving));
      this.#arriving = this.#stage(received.snapshot);
    }
    const staging = this.#arriving;
    const isNext = staging?.meta.index === index && staging.meta.term === term && staging.chunks === received.chunk;
    assert(isNext, 'the chunks of a snapshot arrive in order');
    return staging;
  }

  /** The arriving snapshot takes the place of the log, which is older or in conflict with it (§7). */
  #install(staging: Staging, draft: Draft): void {
    const { index, term } = staging.meta;
    assert(index > draft.head.base.index, 'an arriving snapshot is newer than what the log has forgotten');
    this.#arriving = undefined;
    this.#makeCurrent(staging, draft);
    const removed = this.#log.restart(index, term);
    this.#forget(removed);
    for (const place of removed) {
      if (place.index > index) draft.operations.push({ type: 'del', key: entryKey(place.index) });
      else draft.garbage.push(entryKey(place.index));
    }
    draft.head = { ...draft.head, base: { index, term, chain: 0 } };
  }

  #finishLocal(staging: Staging, ended: Done): void {
    // A newer one has arrived from the leader meanwhile.
    if (this.#snapshot !== undefined && this.#snapshot.index > staging.meta.index) {
      this.#discard(chunkKeys(staging));
      return this.#end(ended);
    }
    const draft: Draft = { head: this.#head, operations: [], garbage: [] };
    this.#makeCurrent(staging, draft);
    this.#commit(draft, [], ended);
  }

  #makeCurrent({ id, meta, chunks, digest }: Staging, draft: Draft): void {
    if (this.#snapshot !== undefined) draft.garbage.push(...chunkKeys(this.#snapshot), snapshotKey(this.#snapshot.id));
    const record: SnapshotRecord = { meta, chunks, digest };
    const value = encodeSnapshot(record);
    draft.operations.push({ type: 'put', key: snapshotKey(id), value });
    draft.head = { ...draft.head, snapshot: { id, checksum: checksumOf(value) } };
    this.#snapshot = { id, index: meta.index, chunks };
  }

  /** The one way to change what the store stands for. `staged` is not repeated in the guard: it means nothing yet. */
  #commit({ head, operations, garbage }: Draft, staged: readonly Operation[], ended: Done): void {
    const previous = this.#headChecksum;
    const last = this.#log.last ?? head.base;
    const next: Head = {
      ...head,
      sequence: this.#head.sequence + 1,
      previous,
      last: { index: last.index, term: last.term, chain: last.chain },
    };
    const value = encodeHead(next);
    this.#head = next;
    this.#headChecksum = checksumOf(value);
    operations.push({ type: 'put', key: headKey, value });
    const slot = { sequence: next.sequence, previous, head: this.#headChecksum, operations };
    let copies = 0;
    let failure: Error | undefined;
    const onCopy: Done = (error) => {
      failure ??= error;
      if (++copies < 2) return;
      if (failure === undefined) this.#discard(garbage);
      ended(failure);
    };
    this.#write([...operations, ...staged], onCopy);
    this.#engine.writeSlot(slotOf(slot.sequence), encodeSlot(slot), onCopy);
  }

  #write(operations: readonly Operation[], done: Done): void {
    this.#engine.write(operations, { sync: true }, done);
  }

  /** Deletes in the background, some keys at a time; what a crash leaves over is found and deleted at the next opening. */
  #discard(keys: readonly Uint8Array[]): void {
    const first = keys[0];
    const last = keys.at(-1);
    if (first === undefined || last === undefined) return;
    const step = (from: number): void => {
      if (this.#isClosing || this.#failure !== undefined) return;
      // Without this the database may keep what was deleted for as long as nothing is written near it.
      if (from >= keys.length) return this.#engine.reclaim(first, last);
      const some = keys.slice(from, from + discardedKeys).map((key): Operation => ({ type: 'del', key }));
      // Not synced: what a crash brings back is deleted again.
      this.#enqueue(
        (ended) => this.#engine.write(some, { sync: false }, ended),
        () => step(from + discardedKeys),
      );
    };
    step(0);
  }

  #stage(meta: SnapshotMeta): Staging {
    return { id: { boot: this.#head.boot, number: this.#stagings++ }, meta, chunks: 0, digest: 0 };
  }

  #append(place: Placed): void {
    this.#log.append(place);
    this.#logBytes += place.bytes;
  }

  #forget(places: readonly Placed[]): void {
    for (const place of places) this.#logBytes -= place.bytes;
  }

  #storageError(what: string, error: unknown): StorageError {
    if (error instanceof StorageError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new StorageError(
      'io',
      `${what} the data directory ${this.#directory} failed (${reason}): free or repair the disk, then start the node again.`,
      {
        cause: error,
      },
    );
  }
}

function stageChunk(staging: Staging, data: Uint8Array): Operation {
  const value = encodeChunk(staging.chunks, data);
  const key = chunkKey(staging.id, staging.chunks);
  staging.chunks++;
  staging.digest = chunkDigest(staging.digest, value);
  return { type: 'put', key, value };
}

function nextPiece(staging: Staging, iterator: Iterator<Uint8Array>): { readonly piece: readonly Operation[]; readonly isLast: boolean } {
  const piece: Operation[] = [];
  for (let bytes = 0; bytes < snapshotPieceBytes; ) {
    const next = iterator.next();
    if (next.done === true) return { piece, isLast: true };
    piece.push(stageChunk(staging, next.value));
    bytes += next.value.length;
  }
  return { piece, isLast: false };
}

const chunkKeys = ({ id, chunks }: { readonly id: SnapshotId; readonly chunks: number }): readonly Uint8Array[] =>
  Array.from({ length: chunks }, (_, chunk) => chunkKey(id, chunk));
