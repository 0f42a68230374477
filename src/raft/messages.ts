import type { LogIndex, NodeId, Term } from '../core/ids.ts';

/**
 * `noop`: a new leader's first entry (Raft §8). `configuration`: a change of the members. `command`: opaque bytes for the state machine.
 * `rejoin`: a member that lost its disk may vote again (see rejoin.ts). `guarded`: as `command`, of a kind that the driver checks before it acknowledges one.
 */
export type EntryKind = 'noop' | 'command' | 'configuration' | 'rejoin' | 'guarded';

/**
 * What the log holds. An entry carries `count` commands encoded together and covers the indices (index - count, index], so every command has an
 * index of its own while the log, the wire and the disk handle one record for a whole batch. The leader of `term` makes an entry once; it is never
 * split or joined afterwards, so all logs cut at the same places (Log Matching, §5.3, holds for the last indices of entries).
 */
export interface Entry {
  readonly term: Term;
  /** Index of the entry's last command. */
  readonly index: LogIndex;
  /** Commands in the entry, at least 1; 1 for every kind but `command`. */
  readonly count: number;
  readonly kind: EntryKind;
  /** Opaque to Raft. Owned by the log: never a slice of a larger buffer. */
  readonly data: Uint8Array;
}

/** Entries of one AppendEntries. Entries may be tiny, so their bytes alone don't bound their number; who receives more takes the message for malformed. */
export const maxEntriesPerMessage = 4096;

/** What must survive a crash besides the log (§5, figure 2). `commitIndex` is saved along with entries so that a configuration known to be committed stays known. */
export interface HardState {
  readonly currentTerm: Term;
  readonly votedFor: NodeId | undefined;
  readonly commitIndex: LogIndex;
  /** 0 on a whole node; else a random number that names this loss of the disk, until the others have taken the node in again (see rejoin.ts). */
  readonly rejoining: number;
}

/** Who votes. `outgoing` is not empty during joint consensus (§6): then both majorities are needed. */
export interface Configuration {
  readonly voters: readonly NodeId[];
  readonly outgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Voters of `outgoing` that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** The leader leaves the joint configuration by itself once it is applied. */
  readonly autoLeave: boolean;
}

/** Names a snapshot of the state machine: everything up to and including `index` (§7). */
export interface SnapshotMeta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: Configuration;
  /** The hash chain over the log up to `index`, 32 bytes: from here the driver goes on with it. Opaque to Raft. */
  readonly chain: Uint8Array;
}

export interface RequestVote {
  readonly type: 'RequestVote';
  readonly term: Term;
  /** A pre-vote asks "would you vote for me?" and changes nobody's term or vote (Raft thesis §9.6). */
  readonly preVote: boolean;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  /** The leader itself asked for this election (leadership transfer, thesis §3.10): voters set leader stickiness aside. */
  readonly transfer: boolean;
  /** The end of the last entry that the sender knows to be committed. */
  readonly commitIndex: LogIndex;
  readonly commitTerm: Term;
}

export interface RequestVoteResponse {
  readonly type: 'RequestVoteResponse';
  readonly term: Term;
  readonly preVote: boolean;
  readonly voteGranted: boolean;
  /** As in `RequestVote`. */
  readonly commitIndex: LogIndex;
  readonly commitTerm: Term;
}

export interface AppendEntries {
  readonly type: 'AppendEntries';
  readonly term: Term;
  readonly prevLogIndex: LogIndex;
  readonly prevLogTerm: Term;
  readonly leaderCommit: LogIndex;
  readonly entries: readonly Entry[];
}

export interface AppendEntriesResponse {
  readonly type: 'AppendEntriesResponse';
  readonly term: Term;
  readonly success: boolean;
  /** On success the last index known to match; on rejection the `prevLogIndex` that was refused. */
  readonly index: LogIndex;
  /** On rejection: the largest index at which the follower's log may still match, and its term there (fast back-up, §5.3). */
  readonly conflictIndex: LogIndex;
  readonly conflictTerm: Term;
  /** As in the sender's hard state: when it is not 0 the answer promises nothing and steers only the flow. */
  readonly rejoining: number;
}

/** The leader's sign of life (an empty AppendEntries in the paper). `context` is echoed, for ReadIndex (thesis §6.4); 0 when there is none. */
export interface Heartbeat {
  readonly type: 'Heartbeat';
  readonly term: Term;
  /** Never beyond what the follower is known to match. */
  readonly leaderCommit: LogIndex;
  readonly context: number;
}

export interface HeartbeatResponse {
  readonly type: 'HeartbeatResponse';
  readonly term: Term;
  readonly context: number;
  /** As in `AppendEntriesResponse`. */
  readonly rejoining: number;
  /** Milliseconds from the sending of the heartbeat within which the sender of this answer votes for nobody else (thesis §6.4.1); 0: it promises nothing. */
  readonly leaseMs: number;
}

/** One chunk of a snapshot (§7). Chunks go in order; the next leaves when the one before is on the follower's disk. */
export interface InstallSnapshot {
  readonly type: 'InstallSnapshot';
  readonly term: Term;
  readonly snapshot: SnapshotMeta;
  /** From 0. */
  readonly chunk: number;
  readonly chunks: number;
  readonly data: Uint8Array;
}

export interface InstallSnapshotResponse {
  readonly type: 'InstallSnapshotResponse';
  readonly term: Term;
  readonly index: LogIndex;
  /** The chunk wanted next; equal to the number of chunks when all have arrived. */
  readonly nextChunk: number;
}

/** The leader asks this node to campaign at once (thesis §3.10). */
export interface TimeoutNow {
  readonly type: 'TimeoutNow';
  readonly term: Term;
  /** As in `Heartbeat`: so that a change of the members that is in force for the leader comes into force here first. */
  readonly leaderCommit: LogIndex;
}

/** A follower asks its leader for an index that a linearizable read must wait for. */
export interface ReadIndex {
  readonly type: 'ReadIndex';
  readonly term: Term;
  readonly context: number;
}

export interface ReadIndexResponse {
  readonly type: 'ReadIndexResponse';
  readonly term: Term;
  readonly context: number;
  readonly index: LogIndex;
}

export type RaftMessage =
  | RequestVote
  | RequestVoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | Heartbeat
  | HeartbeatResponse
  | InstallSnapshot
  | InstallSnapshotResponse
  | TimeoutNow
  | ReadIndex
  | ReadIndexResponse;

/** What messages there are. The place of a type is its number on the wire. */
export const messageTypes = [
  'RequestVote',
  'RequestVoteResponse',
  'AppendEntries',
  'AppendEntriesResponse',
  'Heartbeat',
  'HeartbeatResponse',
  'InstallSnapshot',
  'InstallSnapshotResponse',
  'TimeoutNow',
  'ReadIndex',
  'ReadIndexResponse',
] as const satisfies readonly RaftMessage['type'][];

export interface Outgoing {
  readonly to: NodeId;
  readonly message: RaftMessage;
}
