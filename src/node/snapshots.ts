import type { LogIndex } from '../core/ids.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { RaftMessage, SnapshotMeta } from '../raft/messages.ts';
import type { Raft } from '../raft/raft.ts';
import type { SnapshotSend } from '../raft/ready.ts';
import type { RaftStore } from '../storage/store.ts';
import type { SnapshotRecord } from '../tasks/snapshot.ts';
import { ClusterState } from '../tasks/state.ts';
import { decodeSnapshot, encodeSnapshot } from '../wire/snapshot.ts';
import type { Applier } from './applier.ts';
import type { LogChain } from './log-chain.ts';
import type { ReplicaCounters, ReplicaOptions } from './replica-options.ts';

export interface SnapshotPorts {
  readonly options: Pick<ReplicaOptions, 'snapshotBytes' | 'chunkBytes' | 'electionTimeoutMs'>;
  readonly store: RaftStore;
  readonly raft: Pick<Raft, 'configuration' | 'status' | 'snapshotTaken' | 'compact' | 'reportSnapshot'>;
  readonly applier: Pick<Applier, 'state' | 'index' | 'term' | 'isUpToDate'>;
  readonly log: Pick<LogChain, 'head'>;
  readonly clock: Clock;
  readonly counters: ReplicaCounters;
  readonly logger: Logger;
  /** Runs the job soon; what it throws stops the node. */
  readonly defer: (job: () => void) => void;
  /** Runs the job now; what it throws stops the node. Not at all once the node has stopped. */
  readonly guard: (job: () => void) => void;
  readonly send: (send: SnapshotSend, message: RaftMessage) => void;
}

/** Records decoded at a time: a few milliseconds. */
const recordsPerSlice = 500;
/** A log this many times over its bound is cut although somebody still reads the snapshot that it follows: readers are slow, disks finite. */
const patience = 4;
/** Requests that wait for a fresh snapshot. */
const maxWaiting = 64;

/** The state machine of a snapshot's chunks; a new one when there is no snapshot. @throws RangeError if they are not ours. */
export const restoreState = (chunks: readonly Uint8Array[]): ClusterState =>
  chunks.length === 0 ? new ClusterState() : ClusterState.restore(decodeSnapshot(chunks));

/**
 * A replica's snapshots: taken, sent and installed a piece at a time, so that a state of any size never keeps a heartbeat waiting.
 *
 * Taking: the state is frozen in a few milliseconds, the store pulls one chunk after another between its other writes, and the log is cut when all of
 * them are durable. Sending: one chunk is on its way to a follower at a time. Installing: when the last chunk is durable Raft goes on from there at
 * once, while the state is read back a slice at a time and what is committed meanwhile waits (`Applier.hold`).
 */
export class Snapshots {
  readonly #ports: SnapshotPorts;
  #newest: SnapshotMeta | undefined;
  #isTaking = false;
  #size = 0;
  /** Nobody has read a chunk of the newest one since. */
  #readMs = -Infinity;
  #installing: { readonly meta: SnapshotMeta } | undefined;
  #waiting: { readonly index: LogIndex; readonly done: (meta: SnapshotMeta | undefined) => void }[] = [];

  constructor(ports: SnapshotPorts, newest: SnapshotMeta | undefined) {
    this.#ports = ports;
    this.#newest = newest;
  }

  get isInstalling(): boolean {
    return this.#installing !== undefined;
  }

  /** Takes a snapshot when the log has grown enough, or when somebody waits for one. */
  maybeTake(): void {
    const { store, applier } = this.#ports;
    if (this.#isTaking || !applier.isUpToDate || applier.index === 0) return;
    if (this.#waiting.length > 0 ? applier.index > (this.#newest?.index ?? 0) : this.#isDue(store.logBytes)) this.#take();
  }

  /** Calls back once there is a durable snapshot of `index` or later, with its place; undefined when too many wait. Its chunks are then the store's to read. */
  fresh(index: LogIndex, done: (meta: SnapshotMeta | undefined) => void): void {
    if (this.#newest !== undefined && this.#newest.index >= index) return done(this.#newest);
    if (this.#waiting.length >= maxWaiting) return done(undefined);
    this.#waiting.push({ index, done });
    return this.maybeTake();
  }

  /** A chunk of the newest snapshot was read: who reads it on wants the next one to wait a little. */
  noteRead(): void {
    this.#readMs = this.#ports.clock.monotonicMs();
  }

  stop(): void {
    for (const { done } of this.#waiting.splice(0)) done(undefined);
  }

  send(send: SnapshotSend): void {
    const { to, term, snapshot, chunk } = send;
    this.noteRead();
    this.#readChunk(snapshot.index, chunk, (data, chunks) => {
      // Without data it was replaced by a newer one meanwhile: the leader begins again with that.
      if (data === undefined || chunks === undefined) this.#ports.raft.reportSnapshot(to, false);
      else this.#ports.send(send, { type: 'InstallSnapshot', term, snapshot, chunk, chunks, data });
    });
  }

  /** The last chunk of the leader's snapshot is durable; `done` is given the state that it holds. A newer one makes an end of this. */
  install(meta: SnapshotMeta, chunks: number, done: (state: ClusterState) => void): void {
    const job = { meta };
    this.#installing = job;
    const state = ClusterState.restoring();
    let chunk = 0;
    const next = (): void => {
      if (chunk < chunks) return this.#readChunk(meta.index, chunk, onChunk);
      this.#installing = undefined;
      this.#newest = meta;
      this.#ports.counters.snapshotsInstalled++;
      done(state.finish());
      return this.#answer();
    };
    const onChunk = (data: Uint8Array | undefined): void => {
      // Gone from the store: a newer snapshot is current there, and this node is about to hear of it.
      if (this.#installing !== job || data === undefined) return;
      chunk++;
      takeSome(decodeSnapshot([data]));
    };
    const takeSome = (records: Generator<SnapshotRecord, void, undefined>): void => {
      if (this.#installing !== job) return;
      for (let taken = 0; taken < recordsPerSlice; taken++) {
        const record = records.next();
        if (record.done === true) return next();
        state.take(record.value);
      }
      this.#ports.defer(() => takeSome(records));
    };
    next();
  }

  #isDue(logBytes: number): boolean {
    const bound = Math.max(this.#ports.options.snapshotBytes, this.#size);
    if (logBytes < bound) return false;
    const isRead = this.#ports.clock.monotonicMs() - this.#readMs < this.#ports.options.electionTimeoutMs;
    return !isRead || logBytes >= patience * bound;
  }

  #take(): void {
    const { applier, log, raft, store, guard, options } = this.#ports;
    this.#isTaking = true;
    const { index, term } = applier;
    const meta: SnapshotMeta = { index, term, configuration: raft.configuration, chain: log.head.chain };
    const frozen = applier.state.freeze();
    let bytes = 0;
    const measured = function* (): Generator<Uint8Array> {
      for (const chunk of encodeSnapshot(frozen.records, options.chunkBytes)) {
        bytes += chunk.length;
        yield chunk;
      }
    };
    store.saveSnapshot(meta, measured(), (error) => {
      frozen.release();
      guard(() => {
        if (error !== undefined) throw error;
        this.#size = bytes;
        this.#cutLog(meta);
      });
    });
  }

  #cutLog(meta: SnapshotMeta): void {
    const { raft, store, guard, counters, options, logger } = this.#ports;
    counters.snapshotsTaken++;
    // A snapshot from the leader may have come in between, and be newer.
    if (meta.index < raft.status().firstIndex) {
      this.#isTaking = false;
      return this.#answer();
    }
    raft.snapshotTaken(meta);
    this.#newest = meta;
    // Followers a little behind are served from the log, not with a snapshot.
    const gone = raft.compact(meta.index, options.snapshotBytes / 4);
    logger.info({ index: meta.index, bytes: this.#size, logFrom: gone.index + 1 }, 'snapshot taken');
    store.compact(gone.index, gone.term, (error) =>
      guard(() => {
        if (error !== undefined) throw error;
        this.#isTaking = false;
        this.#answer();
      }),
    );
    return undefined;
  }

  #answer(): void {
    const newest = this.#newest;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ index }) => newest === undefined || index > newest.index);
    for (const { index, done } of waiting) if (newest !== undefined && index <= newest.index) done(newest);
    if (this.#waiting.length > 0) this.maybeTake();
  }

  #readChunk(index: LogIndex, chunk: number, done: (data: Uint8Array | undefined, chunks: number | undefined) => void): void {
    this.#ports.store.readChunk(index, chunk, (error, data, chunks) =>
      this.#ports.guard(() => {
        if (error !== undefined) throw error;
        done(data, chunks);
      }),
    );
  }
}
