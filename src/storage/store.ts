import type { LogIndex } from '../core/ids.ts';
import type { Entry, HardState, SnapshotMeta } from '../raft/messages.ts';
import type { SnapshotReceived } from '../raft/ready.ts';

/** What a store holds when it is opened: enough to build Raft and the state machine again. */
export interface StoredState {
  readonly hardState: HardState;
  /** The newest whole snapshot, if any, with the number of its chunks; read them with `readChunk`. */
  readonly snapshot: { readonly meta: SnapshotMeta; readonly chunks: number } | undefined;
  /** The entries after the compaction point, without gaps. They may begin before the snapshot's index (kept for slow followers). */
  readonly entries: readonly Entry[];
  /** Index and term of the entry just before the first of `entries` (0, 0 at the start of time). */
  readonly compactedIndex: LogIndex;
  readonly compactedTerm: number;
}

/** One durable write: all of it or none of it, on stable storage before `done`. */
export interface SaveBatch {
  readonly hardState?: HardState | undefined;
  /** Replaces any stored suffix from the first entry's position on. */
  readonly entries?: readonly Entry[] | undefined;
  /**
   * A chunk of an arriving snapshot. Chunk 0 begins a new one and drops an unfinished one. The last chunk makes it current: the log, older than
   * it or in conflict with it, is dropped whole in the same write.
   */
  readonly snapshotChunk?: SnapshotReceived | undefined;
}

export type Done = (error: Error | undefined) => void;

/**
 * Raft's stable storage. At most one write (`save`, `saveSnapshot`, `compact`) is on its way at a time per caller contract of the driver, except that a local snapshot
 * may be written in the background while saves go on. `done` is called once, asynchronously. After an error the node must stop: memory and disk may disagree.
 */
export interface RaftStore {
  save(batch: SaveBatch, done: Done): void;
  /** Writes a snapshot of the local state machine, chunk by chunk, and makes it current. Saves may go on meanwhile. Replaces the older snapshot. */
  saveSnapshot(meta: SnapshotMeta, chunks: Iterable<Uint8Array>, done: Done): void;
  /** Forgets entries up to and including `index`, which a current snapshot covers and which ends an entry. */
  compact(index: LogIndex, term: number, done: Done): void;
  /** A chunk of the current snapshot and the number of its chunks; both `undefined` when `index` is not the current snapshot's or there is no such chunk. */
  readChunk(
    index: LogIndex,
    chunk: number,
    done: (error: Error | undefined, data: Uint8Array | undefined, chunks: number | undefined) => void,
  ): void;
  /** Bytes of entries since the compaction point, for the decision to take a snapshot. */
  readonly logBytes: number;
  close(): Promise<void>;
}
