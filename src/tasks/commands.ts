import type { Failure } from '../core/errors.ts';
import type { AgentId, LogIndex, NodeId, TaskId } from '../core/ids.ts';
import type { Registration } from '../registry/agent.ts';
import type { MemberRecord } from './members.ts';
import type { Backoff, TaskState } from './task.ts';

/** JSON text of a payload, a result or a label map: opaque to the state machine, so it is never parsed again on the way. */
export type JsonText = string;

// Commands of clients and operators.

/** Registers a client session (Raft thesis §6.3). The nonce, 128 random bits as text, makes a repeat return the first session. */
export interface OpenSession {
  readonly op: 'OpenSession';
  readonly nonce: string;
}

/** Writes a key. `ifVersion` 0 means "only if absent". */
export interface PutKey {
  readonly op: 'PutKey';
  readonly key: string;
  readonly value: string;
  readonly ifVersion: LogIndex | undefined;
}

/** Stores a value that is handed out only after a vote. */
export interface PutSecret {
  readonly op: 'PutSecret';
  readonly name: string;
  readonly value: string;
}

export interface DeleteSecret {
  readonly op: 'DeleteSecret';
  readonly name: string;
}

export interface DeleteKey {
  readonly op: 'DeleteKey';
  readonly key: string;
  readonly ifVersion: LogIndex | undefined;
}

/** Makes the agent known, or known anew: its generation rises and what the older generation held is requeued. */
export interface RegisterAgent extends Registration {
  readonly op: 'RegisterAgent';
}

/** No new assignments; what it holds it may finish. */
export interface DrainAgent {
  readonly op: 'DrainAgent';
  readonly agent: AgentId;
}

/** Removes the agent; its running tasks are requeued. */
export interface DeregisterAgent {
  readonly op: 'DeregisterAgent';
  readonly agent: AgentId;
}

export interface SubmitTask {
  readonly op: 'SubmitTask';
  readonly task: TaskId;
  readonly type: string;
  readonly payload: JsonText;
  /** SHA-256 (hex) of the canonical request body: tells a repeat from another body under the same id. */
  readonly digest: string;
  readonly requires: readonly string[];
  readonly swarm: string | undefined;
  /** 0..9, 9 first. */
  readonly priority: number;
  readonly maxAttempts: number;
  readonly leaseMs: number;
  /** Milliseconds from submission to the deadline, or none. */
  readonly deadlineMs: number | undefined;
  readonly delayMs: number;
  readonly backoff: Backoff;
}

export interface CancelTask {
  readonly op: 'CancelTask';
  readonly task: TaskId;
}

/** Revives a dead, expired or cancelled task. */
export interface RetryTask {
  readonly op: 'RetryTask';
  readonly task: TaskId;
}

/** Where a node that the genesis doesn't name can be reached. Membership itself is a Raft configuration entry. */
export interface PutMember {
  readonly op: 'PutMember';
  readonly member: MemberRecord;
}

/** Lets one node join. Only the token's hash is in the log, so that whoever reads the log can't use it. */
export interface PutJoinToken {
  readonly op: 'PutJoinToken';
  /** SHA-256 (hex). */
  readonly hash: string;
  readonly ttlMs: number;
}

/** Uses up a token and makes the node's addresses known. A repeat by the same node is welcome. */
export interface JoinMember {
  readonly op: 'JoinMember';
  readonly tokenHash: string;
  readonly member: MemberRecord;
}

/** The node has left for good. */
export interface ForgetMember {
  readonly op: 'ForgetMember';
  readonly node: NodeId;
}

// Commands of the agent that holds a task. Each names the fence it was given.

export interface StartTask {
  readonly op: 'StartTask';
  readonly task: TaskId;
  readonly fence: LogIndex;
}

export interface CheckpointTask {
  readonly op: 'CheckpointTask';
  readonly task: TaskId;
  readonly fence: LogIndex;
  readonly seq: number;
  readonly digest: string;
  readonly ref: string;
}

export interface CompleteTask {
  readonly op: 'CompleteTask';
  readonly task: TaskId;
  readonly fence: LogIndex;
  readonly result: JsonText;
}

export interface FailTask {
  readonly op: 'FailTask';
  readonly task: TaskId;
  readonly fence: LogIndex;
  readonly error: string;
  readonly retryable: boolean;
}

/** Gives a task back without a penalty (a draining agent). */
export interface ReleaseTask {
  readonly op: 'ReleaseTask';
  readonly task: TaskId;
  readonly fence: LogIndex;
}

/** The agent has stopped working on a task that is being cancelled. */
export interface CancelAck {
  readonly op: 'CancelAck';
  readonly task: TaskId;
  readonly fence: LogIndex;
}

// Commands of the leader. They carry its decisions, made from volatile knowledge; `apply` checks every guard again.

export interface Assignment {
  readonly task: TaskId;
  readonly agent: AgentId;
  readonly generation: number;
}

/** A bad pair is skipped alone. The fence of pair `k` is `index * 2^16 + k` (see `fenceOf`). */
export interface AssignTasks {
  readonly op: 'AssignTasks';
  readonly assignments: readonly Assignment[];
}

export interface ExpireLeases {
  readonly op: 'ExpireLeases';
  readonly leases: readonly { readonly task: TaskId; readonly fence: LogIndex }[];
}

/** The leader has not heard from these agents for their time to live. */
export interface AgentsDown {
  readonly op: 'AgentsDown';
  readonly agents: readonly { readonly agent: AgentId; readonly generation: number }[];
}

/** Time has passed: moves everything that is due at the entry's time (retries, deadlines, retention, sessions), boundedly many at once. */
export interface Tick {
  readonly op: 'Tick';
}

export type Command =
  | OpenSession
  | PutKey
  | DeleteKey
  | PutSecret
  | DeleteSecret
  | RegisterAgent
  | DrainAgent
  | DeregisterAgent
  | SubmitTask
  | CancelTask
  | RetryTask
  | PutMember
  | ForgetMember
  | PutJoinToken
  | JoinMember
  | StartTask
  | CheckpointTask
  | CompleteTask
  | FailTask
  | ReleaseTask
  | CancelAck
  | AssignTasks
  | ExpireLeases
  | AgentsDown
  | Tick;

/**
 * A command as the log holds it. `session` 0: the leader's own commands, guarded by fences and generations, and never repeated. `acked`: the client
 * has the answers of all its commands with `seq` <= `acked`, which may be forgotten.
 */
export interface SessionCommand {
  readonly session: number;
  /** From 1, rising by 1 for each command of the session. */
  readonly seq: number;
  readonly acked: number;
  /** A key given by an HTTP client: a repeat under the same key returns the first answer, whatever session it comes in. */
  readonly idempotencyKey: string | undefined;
  readonly command: Command;
}

/** What a command answers; kept in its session until acknowledged, so it must stay small. */
export type CommandResult =
  | { readonly ok: true; readonly index: LogIndex; readonly value: ResultValue }
  | { readonly ok: false; readonly index: LogIndex; readonly failure: Failure };

export type ResultValue =
  | { readonly kind: 'session'; readonly session: number }
  | { readonly kind: 'key'; readonly version: LogIndex }
  | { readonly kind: 'agent'; readonly generation: number }
  | {
      readonly kind: 'task';
      readonly task: TaskId;
      readonly state: TaskState /** False when an existing record was returned. */;
      readonly created: boolean;
    }
  /** Where it was carried out: a repeat is told the first time. */
  | { readonly kind: 'decision'; readonly index: LogIndex }
  | { readonly kind: 'none' };
