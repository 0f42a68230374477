import type { GuardedAction } from '../byzantine/guard.ts';
import type { Clock } from '../core/clock.ts';
import type { LogIndex, NodeId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { Random } from '../core/random.ts';
import type { RaftOptions } from '../raft/config.ts';
import type { Configuration, Entry, RaftMessage, SnapshotMeta } from '../raft/messages.ts';
import type { Role } from '../raft/status.ts';
import type { Agent } from '../registry/agent.ts';
import type { RaftStore } from '../storage/store.ts';
import type { CommandResult, SessionCommand } from '../tasks/commands.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { ClusterState } from '../tasks/state.ts';
import type { Guard } from './guarding/guard.ts';
import type { NodeKeys } from './log-head.ts';

/** Ticks in one heartbeat interval: the grain of all timers of a replica. */
export const ticksPerHeartbeat = 5;

/** How much faster one node's clock may run than another's while leases are safe. Far more than clocks differ by; a lease that is renewed ten times as often loses nothing. */
const clockDriftBound = 1.5;

/** The first two ticks may be a late one and the one right after it; and a timer of Node is cut to whole milliseconds. */
const leaseMsOf = (heartbeatMs: number, electionTicks: number): number =>
  Math.floor(((electionTicks - 2) * Math.max(1, Math.trunc(heartbeatMs / ticksPerHeartbeat))) / clockDriftBound);

export interface ReplicaOptions {
  readonly id: NodeId;
  /** The voters of the founding configuration; whoever came or went later is in the log. */
  readonly members: readonly NodeId[];
  readonly clusterId: string;
  readonly clusterTag: number;
  readonly heartbeatMs: number;
  readonly electionTimeoutMs: number;
  /** Bytes of log after which the state is saved as a snapshot and the log is cut. More costs memory and a longer start; less costs disk writes. */
  readonly snapshotBytes: number;
  /** Bytes at which a chunk of a snapshot is closed; one larger record makes a longer one. Small enough to leave room for heartbeats between them. */
  readonly chunkBytes: number;
  /** Bytes of entries in one AppendEntries, beyond the first entry. More saves round trips to a slow follower; less lets heartbeats through sooner. */
  readonly appendBytes: number;
  /** How linearizable reads are confirmed: by a majority each time, or under a leader's lease, which trusts the clocks (docs/raft.md). */
  readonly readMode: 'safe' | 'lease';
  /** By what guarded entries are verified; without it there are none, and changes of the members need no certificate. */
  readonly guard?: Guard | undefined;
  /** How long a request waits for a leader and an answer when it doesn't say. */
  readonly requestTimeoutMs: number;
}

/** The world as a replica needs it. The daemon gives it libp2p, LevelDB and the machine's clocks; the simulator its own. */
export interface ReplicaPorts {
  send(to: NodeId, frame: Uint8Array): void;
  readonly store: RaftStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: NodeKeys;
  readonly logger: Logger;
  /** Runs the job soon, after what has already arrived: one turn serves all of it. */
  defer(job: () => void): void;
  /** The disk failed or an invariant broke: the node must stop. */
  onFatal(error: Error): void;
  /** False when this candidate can't lead, by what it says itself: its pre-vote is not heeded. */
  mayLead?(candidate: NodeId): boolean;
  /** How much of an election timeout this node lets better placed ones go first, from 0 to 1. */
  campaignDelay?(): number;
  /** Who is a member, or where, has changed. */
  onMembers?(): void;
  /** On a leader that wants a change of the voters: the members' certificate for it in base64, once there is one; until then it sees to it that they vote. */
  approvalOf?(action: GuardedAction): string | undefined;
  /** An agent was heard at this node. */
  onHeard?(agent: Agent): void;
  // For the simulator's checks.
  /** A configuration is in force. */
  onConfiguration?(index: LogIndex, configuration: Configuration): void;
  /** Told every entry as it is applied. */
  onApplied?(entry: Entry): void;
  /** Told every command of an entry, before the entry itself, with what came of it. */
  onCommand?(index: LogIndex, command: SessionCommand, result: CommandResult, effects: readonly StateEvent[]): void;
  /** Told every guarded entry, before the entry itself, with what came of it. */
  onGuarded?(entry: Entry, result: CommandResult): void;
  /** Told every message that Raft has taken, with the node's role before. */
  onStep?(from: NodeId, message: RaftMessage, roleBefore: Role): void;
  /** A snapshot of the leader is about to take the place of the state. */
  onInstalled?(meta: SnapshotMeta, state: ClusterState): void;
}

/** What is counted, for metrics. */
export interface ReplicaCounters {
  turns: number;
  framesDropped: number;
  commandsApplied: number;
  leaderChanges: number;
  snapshotsTaken: number;
  snapshotsInstalled: number;
  /** Results that came after their task had gone to another agent, and changed nothing. */
  lateResults: number;
  /** Messages of a leader that were dropped, for an entry in them that no certificate permits. */
  badGuards: number;
}

/** What a replica's Raft is told. */
export function raftOptions(
  { id, heartbeatMs, electionTimeoutMs, appendBytes, readMode }: ReplicaOptions,
  { random, campaignDelay }: Pick<ReplicaPorts, 'random' | 'campaignDelay'>,
): RaftOptions {
  const electionTicks = Math.round((electionTimeoutMs / heartbeatMs) * ticksPerHeartbeat);
  return {
    id,
    heartbeatTicks: ticksPerHeartbeat,
    electionTicks,
    preVote: true,
    checkQuorum: true,
    maxInflight: 256,
    maxInflightBytes: 32 * 1024 * 1024,
    maxSizePerMessage: appendBytes,
    maxUncommittedBytes: 128 * 1024 * 1024,
    leaseMs: readMode === 'lease' ? leaseMsOf(heartbeatMs, electionTicks) : 0,
    random,
    campaignDelay: () => Math.round((campaignDelay?.() ?? 0) * electionTicks),
  };
}
