import { assert } from '../core/assert.ts';
import { copyBytes } from '../core/bytes.ts';
import type { LogIndex, Term } from '../core/ids.ts';
import type { Entry, HardState, SnapshotMeta } from '../raft/messages.ts';
import type { SnapshotReceived } from '../raft/ready.ts';
import type { Done, RaftStore, SaveBatch, StoredState } from './store.ts';
import { StoredLog } from './stored-log.ts';

/** What a disk holds, for a store to be opened from any number of times. */
export interface DiskImage {
  /** How often a store was opened on it. */
  readonly boot: number;
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
  readonly compactedIndex: LogIndex;
  readonly compactedTerm: Term;
  readonly snapshot: { readonly meta: SnapshotMeta; readonly chunks: readonly Uint8Array[] } | undefined;
}

/** Runs a job later, never at once: a write takes as long as this takes. Jobs may run in any order; writes still end in the order they began. */
export type Schedule = (job: () => void) => void;

interface Write {
  readonly apply: (disk: Disk) => void;
  readonly done: Done;
}

/** The platter: what has become durable. */
class Disk {
  hardState: HardState;
  log: StoredLog<Entry>;
  snapshot: DiskImage['snapshot'];
  logBytes = 0;

  constructor(image: DiskImage) {
    this.hardState = image.hardState;
    this.snapshot = image.snapshot;
    this.log = new StoredLog(image.compactedIndex, image.compactedTerm);
    for (const entry of image.entries) this.append(entry);
  }

  append(entry: Entry): void {
    this.log.append(entry);
    this.logBytes += entry.data.length;
  }

  forget(entries: readonly Entry[]): void {
    for (const entry of entries) this.logBytes -= entry.data.length;
  }
}

/** A new one. */
export const emptyDisk: DiskImage = {
  boot: 0,
  hardState: { currentTerm: 0, votedFor: undefined, commitIndex: 0, rejoining: 0 },
  entries: [],
  compactedIndex: 0,
  compactedTerm: 0,
  snapshot: undefined,
};

/**
 * The twin of the store on disk, for tests and the simulator: the same promises without a file. What is durable and what is still in flight are kept
 * apart, so that a crash loses what a crash may lose. It never calls `done` before the write is durable, nor out of order, nor after a crash.
 */
export class MemoryStore implements RaftStore {
  readonly #schedule: Schedule;
  readonly #disk: Disk;
  /** What Raft starts from. */
  readonly state: StoredState;
  /** 1 on a new disk, and one more with every opening. */
  readonly boot: number;
  /** Begun and not yet durable, oldest first. The driver has one write on its way, and a snapshot in the background one more. */
  #inFlight: Write[] = [];
  #arriving: { readonly meta: SnapshotMeta; readonly chunks: Uint8Array[] } | undefined;
  #savingSnapshot = false;
  #nextError: Error | undefined;
  #failure: Error | undefined;
  #gone = false;

  constructor(image: DiskImage, schedule: Schedule) {
    this.#schedule = schedule;
    this.#disk = new Disk(image);
    this.state = storedState(image);
    this.boot = image.boot + 1;
  }

  get logBytes(): number {
    return this.#disk.logBytes;
  }

  /** Writes that have begun and are not durable. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** What is durable now. Its entries are the store's own, not a copy: looked at between two events and not kept. */
  get durable(): DiskImage {
    const { hardState, snapshot, log } = this.#disk;
    return { boot: this.boot, hardState, entries: log.items, compactedIndex: log.baseIndex, compactedTerm: log.baseTerm, snapshot };
  }

  save(batch: SaveBatch, done: Done): void {
    const chunk = batch.snapshotChunk;
    const data = chunk === undefined ? undefined : copyBytes(chunk.data);
    this.#write({
      apply: (disk) => {
        if (chunk !== undefined && data !== undefined) this.#receive(disk, chunk, data);
        if (batch.entries !== undefined) replaceSuffix(disk, batch.entries);
        if (batch.hardState !== undefined) disk.hardState = batch.hardState;
      },
      done,
    });
  }

  saveSnapshot(meta: SnapshotMeta, chunks: Iterable<Uint8Array>, done: Done): void {
    assert(!this.#savingSnapshot, 'one local snapshot is written at a time');
    this.#savingSnapshot = true;
    const written: Uint8Array[] = [];
    const iterator = chunks[Symbol.iterator]();
    const finish: Done = (error) => {
      this.#savingSnapshot = false;
      done(error);
    };
    const next: Done = (error) => {
      if (error !== undefined) return finish(error);
      const chunk = iterator.next();
      if (chunk.done !== true) {
        const data = copyBytes(chunk.value);
        this.#write({ apply: () => written.push(data), done: next });
      } else {
        this.#write({ apply: (disk) => makeCurrent(disk, meta, written), done: finish });
      }
    };
    this.#write({ apply: () => undefined, done: next });
  }

  compact(index: LogIndex, term: Term, done: Done): void {
    this.#write({
      apply: (disk) => {
        if (index <= disk.log.baseIndex) return;
        assert(disk.snapshot !== undefined && disk.snapshot.meta.index >= index, 'only what a current snapshot covers is forgotten');
        disk.forget(disk.log.compact(index, term));
      },
      done,
    });
  }

  readChunk(
    index: LogIndex,
    chunk: number,
    done: (error: Error | undefined, data: Uint8Array | undefined, chunks: number | undefined) => void,
  ): void {
    this.#schedule(() => {
      if (this.#gone) return;
      const snapshot = this.#disk.snapshot;
      const data = snapshot?.meta.index === index ? snapshot.chunks[chunk] : undefined;
      done(undefined, data, data === undefined ? undefined : snapshot?.chunks.length);
    });
  }

  /** Everything that began is durable afterwards, as on a disk that is given the time. */
  close(): Promise<void> {
    while (this.#inFlight.length > 0 && this.#failure === undefined) this.#completeOldest();
    this.#gone = true;
    return Promise.resolve();
  }

  /** The next write to end fails with `error`, and the store refuses every one after it. */
  failNextWrite(error: Error): void {
    this.#nextError = error;
  }

  /**
   * The power goes: nothing is ever called back again. Of the writes in flight the oldest `reached` (or all, if they are fewer) have got to the
   * disk, each whole; the others are lost. A write that failed counts as in flight: nobody knows what a failed write left behind.
   */
  crash(reached = 0): DiskImage {
    this.#gone = true;
    for (const write of this.#inFlight.splice(0, reached)) write.apply(this.#disk);
    this.#inFlight = [];
    const { durable } = this;
    return { ...durable, entries: durable.entries.slice() };
  }

  #write(write: Write): void {
    assert(!this.#gone, 'a closed store is not written');
    const failure = this.#failure;
    if (failure !== undefined) {
      this.#schedule(() => {
        if (!this.#gone) write.done(failure);
      });
      return;
    }
    this.#inFlight.push(write);
    this.#schedule(() => {
      if (!this.#gone) this.#completeOldest();
    });
  }

  #completeOldest(): void {
    const write = this.#inFlight[0];
    if (write === undefined) return;
    if (this.#failure !== undefined) return;
    if (this.#nextError !== undefined) {
      this.#failure = this.#nextError;
      for (const { done } of this.#inFlight.slice()) done(this.#failure);
      return;
    }
    this.#inFlight.shift();
    write.apply(this.#disk);
    write.done(undefined);
  }

  #receive(disk: Disk, received: SnapshotReceived, data: Uint8Array): void {
    if (received.chunk === 0) this.#arriving = { meta: received.snapshot, chunks: [] };
    const arriving = this.#arriving;
    const isNext =
      arriving?.meta.index === received.snapshot.index &&
      arriving.meta.term === received.snapshot.term &&
      arriving.chunks.length === received.chunk;
    assert(isNext, 'the chunks of a snapshot arrive in order');
    arriving.chunks.push(data);
    if (received.chunk + 1 < received.chunks) return;
    this.#arriving = undefined;
    const { index, term } = received.snapshot;
    assert(index > disk.log.baseIndex, 'an arriving snapshot is newer than what the log has forgotten');
    makeCurrent(disk, received.snapshot, arriving.chunks);
    disk.forget(disk.log.restart(index, term));
  }
}

/** An older snapshot than the current one, finished late, changes nothing. */
function makeCurrent(disk: Disk, meta: SnapshotMeta, chunks: readonly Uint8Array[]): void {
  if (disk.snapshot !== undefined && disk.snapshot.meta.index > meta.index) return;
  disk.snapshot = { meta, chunks };
}

function replaceSuffix(disk: Disk, entries: readonly Entry[]): void {
  const first = entries[0];
  if (first === undefined) return;
  disk.forget(disk.log.cutAfter(first.index - first.count));
  for (const entry of entries) disk.append(entry);
}

function storedState({ hardState, entries, compactedIndex, compactedTerm, snapshot }: DiskImage): StoredState {
  const held = snapshot === undefined ? undefined : { meta: snapshot.meta, chunks: snapshot.chunks.length };
  return { hardState, snapshot: held, entries, compactedIndex, compactedTerm };
}
