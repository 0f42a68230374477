import type { LogIndex, NodeId, Term } from '../core/ids.ts';
import type { Entry, HardState, Outgoing, SnapshotMeta } from './messages.ts';

/** A linearizable read may be answered once `index` is applied. */
export interface ReadState {
  readonly context: number;
  readonly index: LogIndex;
}

/** One chunk that the driver reads from its store and sends to a follower as `InstallSnapshot`. The core never holds snapshot bytes. */
export interface SnapshotSend {
  readonly to: NodeId;
  readonly term: Term;
  readonly snapshot: SnapshotMeta;
  readonly chunk: number;
}

/** One chunk that arrived in order. With the last one the snapshot replaces log and state. */
export interface SnapshotReceived {
  readonly snapshot: SnapshotMeta;
  readonly chunk: number;
  readonly chunks: number;
  readonly data: Uint8Array;
}

/**
 * Outstanding work, handed over whole. The driver, in this order: sends `messages`; applies `committedEntries`; makes `hardState`, `entries` and
 * `snapshotChunk` durable in one write; sends `messagesAfterSave` (one addressed to this node itself is stepped like any other).
 */
export interface Ready {
  /** Set when it changed in a way that must be durable, or when entries are saved along with a newer commit index. */
  readonly hardState: HardState | undefined;
  /** To append. A stored suffix from the first one's position on is replaced. */
  readonly entries: readonly Entry[];
  /** May leave while the disk works: a leader's AppendEntries and heartbeats (Raft thesis §10.2.1). */
  readonly messages: readonly Outgoing[];
  /** Votes and acknowledgements: only once `hardState`, `entries` and `snapshotChunk` are on disk. */
  readonly messagesAfterSave: readonly Outgoing[];
  /** Known to be on a majority, in order, each exactly once. */
  readonly committedEntries: readonly Entry[];
  readonly snapshotChunk: SnapshotReceived | undefined;
  readonly snapshotSends: readonly SnapshotSend[];
  readonly readStates: readonly ReadState[];
  /** Contexts of reads that this node can't serve (no leader, or leadership lost meanwhile): the caller asks again. */
  readonly readsRefused: readonly number[];
}
