import type { AgentId, LogIndex, NodeId, TaskId, Term } from '../../src/core/ids.ts';
import type { Consistency } from '../../src/node/service.ts';
import type { Configuration, Entry, RaftMessage, SnapshotMeta } from '../../src/raft/messages.ts';
import type { Role } from '../../src/raft/status.ts';
import type { SaveBatch, StoredState } from '../../src/storage/store.ts';
import type { CommandResult, SessionCommand } from '../../src/tasks/commands.ts';
import type { StateEvent } from '../../src/tasks/events.ts';
import type { KeyEntry } from '../../src/tasks/key-value.ts';
import type { ClusterState } from '../../src/tasks/state.ts';
import type { AgreedLog } from './agreed-log.ts';
import type { Disk } from './disk.ts';

/** What is looked at of a running node. */
export interface ReplicaView {
  readonly raft: {
    readonly role: Role;
    readonly term: Term;
    readonly commitIndex: LogIndex;
    readonly configuration: Configuration;
    termAt(index: LogIndex): Term | undefined;
    status(): { readonly lastIndex: LogIndex; readonly votedFor?: NodeId | undefined };
  };
  readonly appliedIndex: LogIndex;
  readonly state: { hash(): string };
  readonly divergence: {
    readonly log: { readonly head: { readonly index: LogIndex; readonly chain: Uint8Array } };
    readonly differing: readonly NodeId[];
  };
}

/** A node that is up, as the invariants see it. */
export interface NodeView {
  readonly id: NodeId;
  readonly disk: Disk;
  readonly replica: ReplicaView;
  /** All that were in force on it since the turn began, oldest first. */
  readonly configurations: readonly Configuration[];
}

/** What all invariants may look at: it is kept for them, before they are told. */
export interface Facts {
  readonly agreed: AgreedLog;
  /** Of every node, up or down. */
  readonly disks: ReadonlyMap<NodeId, Disk>;
  /** Nodes whose log somebody has rewritten, at some time. */
  readonly rewritten: ReadonlySet<NodeId>;
}

/** One command, carried out on a node. `isFirst`: no node had come so far before. */
export interface Deed {
  readonly index: LogIndex;
  readonly command: SessionCommand;
  readonly result: CommandResult;
  readonly effects: readonly StateEvent[];
  readonly isFirst: boolean;
}

/** What a client read of a key. */
export interface KeyRead {
  readonly consistency: Consistency;
  readonly key: string;
  readonly found: KeyEntry | undefined;
  /** The moment of the log that the node named. */
  readonly index: LogIndex;
  /** The newest index that had been acknowledged to anybody when the read began. */
  readonly after: LogIndex;
}

/**
 * Something that holds at every moment of every run. It is told what happens, in the order in which it does, and throws a `Violation` at the first thing
 * that contradicts it. It looks only at what has just changed.
 */
export interface Invariant {
  /** What a violation is reported under. */
  readonly name: string;

  // Nodes.
  /** A process starts, with what it found on its disk. `disk` still says what must be there. */
  onStart?(node: NodeId, disk: Disk, found: StoredState): void;
  /** A write is given to the store; `disk` doesn't have it yet. */
  onSaving?(node: NodeView, batch: SaveBatch): void;
  onElected?(node: NodeView): void;
  /** The node has taken a message. */
  onMessage?(node: NodeView, from: NodeId, message: RaftMessage): void;
  /** The node has taken a vote or an acknowledgement. */
  onStep?(node: NodeView, from: NodeId, message: RaftMessage): void;
  /** The node's commit index has moved to here. */
  onCommitted?(node: NodeView, index: LogIndex): void;
  onCommand?(node: NodeView, deed: Deed): void;
  /** A guarded entry was carried out, or not, before the node is told of the entry itself. */
  onGuarded?(node: NodeView, entry: Entry, result: CommandResult): void;
  onApplied?(node: NodeView, entry: Entry, isFirst: boolean): void;
  /** The configuration entry at this index is in force; entries before it may still wait to be applied. `isFirst`: nowhere before. */
  onConfiguration?(node: NodeView, index: LogIndex, configuration: Configuration, isFirst: boolean): void;
  /** The node begins to write a snapshot of its state as it is now. */
  onSnapshotTaken?(node: NodeView, meta: SnapshotMeta): void;
  /** The snapshot is durable. `print`: of its bytes. */
  onSnapshotWritten?(node: NodeView, meta: SnapshotMeta, print: number): void;
  /** A snapshot of the leader is about to take the place of the node's state. */
  onSnapshotInstalled?(node: NodeView, meta: SnapshotMeta, state: { hash(): string }): void;
  /** The node takes the frames of a peer for lost, so long after the last one reached it (whether or not it had the time to read it). `isTorn`: its connection was gone, and those who probed the peer heard nothing. */
  onLinkLost?(node: NodeView, peer: NodeId, quietMs: number, isTorn: boolean): void;
  /** A leader says that a split is healed: all voters have the same log up to here. `voters`: those that are up. */
  onHealed?(node: NodeView, index: LogIndex, voters: readonly NodeView[]): void;
  /** An event in which the node did something is over. */
  afterTurn?(node: NodeView): void;

  // Clients.
  /** A write was acknowledged at this index of the log. */
  onAcknowledged?(index: LogIndex): void;
  onRead?(read: KeyRead): void;
  onSubmitted?(task: TaskId): void;
  onClaimed?(agent: AgentId, task: TaskId, fence: number): void;
  onCompleted?(task: TaskId, result: string): void;

  /** Faults are over, and this node has applied all that is committed. */
  onWhole?(state: ClusterState): void;
  /** The run is over. */
  atEnd?(): void;
}
