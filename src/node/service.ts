import type { Failure } from '../core/errors.ts';
import type { AgentId, LogIndex, NodeId, TaskId, Term } from '../core/ids.ts';
import type { ConfigurationChange } from '../raft/configuration-change.ts';
import type { Configuration } from '../raft/messages.ts';
import type { Agent } from '../registry/agent.ts';
import type { LogChainStatus } from './divergence.ts';
import type { ToldEvent } from './event-log.ts';
import type { BadGuard } from './guarding/door.ts';
import type { Guard } from './guarding/guard.ts';
import type { Genesis, MemberStatus } from './genesis.ts';
import type { AgentEvidence } from './liveness.ts';
import type { PartitionStatus } from './partition/partition-views.ts';
import type { PartitionState } from '../partition/partition-state.ts';
import type { Command, CommandResult, SessionCommand } from '../tasks/commands.ts';
import type { ClusterState } from '../tasks/state.ts';
import type { Task } from '../tasks/task.ts';
import type { OpenedVote, VoteRequest, VoteService } from './votes/vote-service.ts';

export type { ConfigurationChange, MemberChange } from '../raft/configuration-change.ts';

/** `linearizable`: reflects every write acknowledged before the read began. `leader`: the leader's own state. `local`: this node's, however old. */
export type Consistency = 'linearizable' | 'leader' | 'local';

/** The moment of the log that an answer speaks of. */
export interface ReadPoint {
  readonly index: LogIndex;
  readonly term: Term;
  /** How long ago this node last heard from a leader (0 on the leader). */
  readonly ageMs: number;
}

export interface NodeStatus {
  readonly nodeId: NodeId;
  readonly name: string;
  readonly clusterId: string;
  readonly version: string;
  readonly role: 'leader' | 'follower' | 'candidate' | 'learner';
  readonly term: Term;
  readonly leader: { readonly nodeId: NodeId; readonly http: string } | null;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly members: readonly MemberStatus[];
  /** This node was a member and is none any more: it can decide nothing, and should be stopped. */
  readonly removed: boolean;
  readonly partition: { readonly state: PartitionState; readonly reachable: readonly string[] };
  readonly durability: 'sync';
  readonly logChain: LogChainStatus;
}

/** What an agent reports of itself with a heartbeat: volatile, advisory. */
export interface AgentReport {
  readonly status?: 'available' | 'busy' | 'draining' | undefined;
  readonly load?: number | undefined;
  readonly latencyMs?: number | undefined;
  readonly successRate?: number | undefined;
}

export type EffectiveStatus = 'available' | 'busy' | 'draining' | 'suspect' | 'down';

/** The log's facts about an agent joined with what it last reported. */
export interface AgentView {
  readonly agent: Agent;
  readonly status: EffectiveStatus;
  /** Age of the newest heartbeat known to this node; undefined when none is. */
  readonly lastSeenMs: number | undefined;
  /** Name of the node that heard it; undefined when only the log has spoken of the agent. */
  readonly heardBy: string | undefined;
  readonly report: AgentReport;
  /** Age of the report; undefined when there is none. */
  readonly reportedMs: number | undefined;
  /** Why it is suspect or down, with nodes by name; undefined when it is neither, or this node can't know. */
  readonly evidence: EvidenceView | undefined;
}

export interface EvidenceView extends Omit<AgentEvidence, 'noticedBy' | 'atMs'> {
  readonly noticedBy: string | undefined;
  /** How long ago it was noticed. */
  readonly ageMs: number;
}

export interface AgentQuery {
  readonly all: readonly string[];
  readonly any: readonly string[];
  readonly none: readonly string[];
  readonly swarm: string | undefined;
  readonly status: EffectiveStatus | undefined;
}

/** A page of a listing; `cursor` asks for the next one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor: string | undefined;
}

export interface ClaimRequest {
  readonly agent: AgentId;
  readonly generation: number;
  /** 1..256. */
  readonly max: number;
  /** 0..30000. */
  readonly waitMs: number;
  readonly types: readonly string[] | undefined;
}

export interface ClaimedTask {
  readonly taskId: TaskId;
  readonly type: string;
  /** JSON text. */
  readonly payload: string;
  readonly attempt: number;
  readonly fence: number;
  readonly leaseMs: number;
  readonly deadlineMs: number | undefined;
}

export interface HeartbeatAnswer {
  readonly ttlMs: number;
  readonly commands: readonly unknown[];
}

export interface TaskHeartbeatAnswer {
  readonly leaseMs: number;
  readonly cancelRequested: boolean;
}

export interface Health {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

/** A snapshot on its way out, as the bytes of a snapshot file. Breaks off when the node stops or replaces the snapshot: such a file lacks its end. */
export interface SnapshotDownload {
  readonly index: LogIndex;
  readonly term: Term;
  readonly file: AsyncIterable<Uint8Array>;
}

export interface RequestOptions {
  /** Bound on the whole request; the node's default when absent. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

/**
 * What a node offers to its front doors (HTTP, stream). Every method takes requests on every node and forwards to the leader by itself. Expected
 * failures come as values or as `QuorateError`s; methods that return promises reject only with `QuorateError`.
 */
export interface NodeService {
  status(): NodeStatus;
  /** As in `status`, at no cost. Who leads may not be known by its address yet. */
  readonly leader: NodeId | undefined;
  /** The founding record, for a node that joins. */
  genesis(): Genesis;
  /** Ready when a leader is known, this node has applied what was committed when it started, and the disk works. */
  readiness(): Health;
  readonly partition: {
    /** Who hears whom, as this node sees it. */
    status(): PartitionStatus;
    /** Splits that this node has seen since its start, as JSON; the newest last, and at most `limit` of them. */
    history(limit?: number): readonly Record<string, unknown>[];
  };
  /** Prometheus text. */
  metrics(): Promise<string>;

  /** Proposes under this node's own session: exactly once, whatever leader changes happen meanwhile. */
  submit(command: Command, options?: RequestOptions & { readonly idempotencyKey?: string | undefined }): Promise<CommandResult>;
  /** Many at once, answered in order. */
  submitAll(commands: readonly Command[], options?: RequestOptions): Promise<readonly CommandResult[]>;
  /**
   * Proposes a command of a client's own session (the stream's fast path): `done` is called once. A repeat of (session, seq) is answered from the session. `bytes` is the
   * command as `encodeSessionCommand` of `wire` makes it: the log holds these very bytes.
   */
  submitEncoded(command: SessionCommand, bytes: Uint8Array, done: (answer: Answer<CommandResult>) => void): void;

  /** Resolves when `state()` may be read with that consistency. Rejects with no_quorum, no_leader or timeout. */
  readPoint(consistency: Consistency, options?: RequestOptions): Promise<ReadPoint>;
  /** The state machine, to be read (never changed) synchronously after a `readPoint`. A new object after a snapshot was installed: don't keep it. */
  state(): ClusterState;
  agent(id: AgentId): AgentView | undefined;
  agents(query: AgentQuery, limit: number, cursor: string | undefined): Page<AgentView>;

  /** A connection over which the agent spoke closed without goodbye. */
  onConnectionLost(agent: AgentId, generation: number): void;
  heartbeat(agent: AgentId, generation: number, report: AgentReport, options?: RequestOptions): Promise<HeartbeatAnswer>;
  taskHeartbeat(task: TaskId, fence: number, progress: number | undefined, options?: RequestOptions): Promise<TaskHeartbeatAnswer>;
  /** Resolves once the change is applied, and a joint configuration that leaves itself is left. Asked again, it finds itself made. `context`: base64 of the certificate that permits it, where one is needed. */
  changeMembers(change: ConfigurationChange, options?: RequestOptions): Promise<Configuration>;
  /**
   * Has what the members approved carried out by the log, once; resolves with the index of the entry that did. `subject`: which item, where there are several;
   * `payload`: the text that was voted on.
   */
  enact(
    certificate: Uint8Array,
    what: { readonly subject: string | undefined; readonly payload: string },
    options?: RequestOptions,
  ): Promise<LogIndex>;
  /** What this node has verified of the epochs. */
  readonly guard: Pick<Guard, 'current' | 'founding' | 'isGuarded'>;
  /** What leaders tried to have acknowledged here without the certificate that it takes, oldest first. */
  readonly badGuards: readonly BadGuard[];
  /** Resolves with the new leader. */
  transferLeadership(to: NodeId | undefined, options?: RequestOptions): Promise<NodeId>;
  /** The state at a linearizable point: it holds every write acknowledged before the request. */
  snapshot(options?: RequestOptions): Promise<SnapshotDownload>;
  /** The Byzantine votes as this node knows them; undefined at a node that is no member of the epoch. */
  readonly votes: VoteService | undefined;
  /** Resolves once the vote is durable at this node. */
  openVote(request: VoteRequest, options?: RequestOptions & { readonly idempotencyKey?: string | undefined }): Promise<OpenedVote>;
  /** Gives this node's one ballot; resolves once it is durable. */
  castBallot(id: string, option: string, options?: RequestOptions): Promise<void>;
  /** Resolves once the vote has a certificate here, or after `waitMs`. */
  waitForVote(id: string, waitMs: number, signal?: AbortSignal): Promise<void>;
  /** Waits up to `waitMs` for work; empty when there is none. An aborted claim gives up its place. */
  claim(request: ClaimRequest, options?: RequestOptions): Promise<readonly ClaimedTask[]>;

  /** Resolves with the task once it is terminal, or as it stands after `waitMs`; undefined if unknown. */
  waitForTask(task: TaskId, waitMs: number, signal?: AbortSignal): Promise<Task | undefined>;
  /** Resolves once the key's version is greater than `version` (deleted: undefined), or after `waitMs`. */
  waitForKey(key: string, version: LogIndex, waitMs: number, signal?: AbortSignal): Promise<void>;

  /** Events after `index`, oldest first, as far as this node still has them; `complete` is false when older ones are gone. */
  eventsAfter(index: LogIndex): { readonly events: readonly ToldEvent[]; readonly complete: boolean };
  /** This node was a member and is none any more. */
  readonly isRemoved: boolean;
  /** Calls `listener` when this node finds that it was removed, before it fails what waits for it. */
  onRemoved(listener: () => void): void;
  /** Calls `listener` with each batch of new events, in order, until the returned function is called. */
  subscribe(listener: (events: readonly ToldEvent[]) => void): () => void;
}
