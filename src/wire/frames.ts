import { unreachable } from '../core/assert.ts';
import { copyBytes, emptyBytes } from '../core/bytes.ts';
import { failure, failureCode, type Failure } from '../core/errors.ts';
import { agentId, nodeId, taskId, type AgentId, type LogIndex, type NodeId, type TaskId } from '../core/ids.ts';
import {
  type ConfigurationChange,
  decodeConfigurationChange,
  encodeConfigurationChange,
  leaveJoint,
} from '../raft/configuration-change.ts';
import {
  type Configuration,
  type Entry,
  maxEntriesPerMessage,
  messageTypes,
  type RaftMessage,
  type SnapshotMeta,
} from '../raft/messages.ts';
import { decodeGuarded, encodeGuarded, type GuardedEntry } from './guarded.ts';
import {
  maxCommandBytes,
  maxCommandsPerEntry,
  maxEntryBytes,
  maxErrorLength,
  maxFrameBytes,
  maxNameLength,
  maxTags,
  snapshotChunkBytes,
} from './limits.ts';
import { pack, unpack } from './pack.ts';
import { FieldReader } from './reader.ts';

/** Version of the frames between nodes. A node drops and counts what it doesn't speak. */
export const wireVersion = 3;

/** What an agent says of itself with a heartbeat; every field may be absent. */
export interface Report {
  readonly status?: 'available' | 'busy' | 'draining' | undefined;
  readonly load?: number | undefined;
  readonly latencyMs?: number | undefined;
  readonly successRate?: number | undefined;
}

/** What only the leader can answer, because it is kept in its memory and not in the log. Every question may be asked again. */
export type Question =
  | { readonly kind: 'beat'; readonly agent: AgentId; readonly generation: number; readonly report: Report }
  | { readonly kind: 'taskBeat'; readonly task: TaskId; readonly fence: number; readonly progress: number | undefined }
  /** "This agent has so many open slots at my node"; 0 withdraws them. Answered after a round of scheduling. */
  | {
      readonly kind: 'claim';
      readonly agent: AgentId;
      readonly generation: number;
      readonly slots: number;
      readonly types: readonly string[] | undefined;
    }
  /** Answered once the change is applied, and a joint configuration that leaves itself is left. */
  | { readonly kind: 'members'; readonly change: ConfigurationChange }
  /** Carry out what the members decided. Answered once it is applied; a repeat is told where it was. */
  | { readonly kind: 'enact'; readonly action: Pick<GuardedEntry, 'kind' | 'subject' | 'payload'>; readonly certificate: Uint8Array }
  /** "Leadership shall leave `from`", for `to` or for whoever is fit. */
  | { readonly kind: 'transfer'; readonly from: NodeId; readonly to: NodeId | undefined };

export type Reply =
  | { readonly kind: 'beat'; readonly ttlMs: number; readonly cancelled: readonly TaskId[] }
  | { readonly kind: 'taskBeat'; readonly leaseMs: number; readonly cancelRequested: boolean }
  /** The agent's tasks are known once `index` is applied. */
  | { readonly kind: 'claim'; readonly index: number }
  | { readonly kind: 'members'; readonly configuration: Configuration }
  | { readonly kind: 'transfer'; readonly leader: NodeId }
  | { readonly kind: 'enacted'; readonly index: LogIndex }
  | { readonly kind: 'failure'; readonly failure: Failure };

/** Where a node's log was, and the hash chain over it up to there, signed by the node (docs/byzantine.md). */
export interface SignedHead {
  readonly node: NodeId;
  readonly index: LogIndex;
  /** 32 bytes. */
  readonly chain: Uint8Array;
  /** Ed25519, 64 bytes. */
  readonly signature: Uint8Array;
}

export type Frame =
  | { readonly kind: 'raft'; readonly messages: readonly RaftMessage[] }
  /** Commands for the leader. There is no reply: the sender sees them applied, or sends them again. */
  | { readonly kind: 'forward'; readonly commands: readonly Uint8Array[] }
  | { readonly kind: 'ask'; readonly questions: readonly { readonly id: number; readonly question: Question }[] }
  | { readonly kind: 'reply'; readonly replies: readonly { readonly id: number; readonly reply: Reply }[] }
  /** The sender's own head, then those of nodes whose logs it found to differ from its own. */
  | { readonly kind: 'heads'; readonly heads: readonly SignedHead[] }
  /** "I am here": the link is alive in this direction. */
  | { readonly kind: 'ping' };

const kinds = ['raft', 'forward', 'ask', 'reply', 'ping', 'heads'] as const;
/** Messages or commands of one frame. */
const maxItems = maxCommandsPerEntry;
/** Heads of one frame. */
export const maxHeads = 17;
const chainBytes = 32;
const signatureBytes = 64;
/** Questions of one frame: a new leader is asked everything that is open at a node, at once. */
const maxQuestions = 16_384;

/** `clusterTag`: the first bytes of the cluster's id; frames of another cluster are refused. */
export function encodeFrame(clusterTag: number, frame: Frame): Uint8Array {
  return pack([wireVersion, clusterTag, kinds.indexOf(frame.kind), ...frameFields(frame)]);
}

/** Reads a frame of anyone, or says in a word why not. Bytes that are kept are copied out of the lent frame. */
export function decodeFrame(clusterTag: number, bytes: Uint8Array): Frame | 'too_large' | 'malformed' | 'version' | 'cluster' {
  if (bytes.length > maxFrameBytes) return 'too_large';
  const reader = new FieldReader(unpack(bytes));
  const version = reader.int();
  if (version !== wireVersion) return version === 0 ? 'malformed' : 'version';
  if (reader.int() !== clusterTag) return 'cluster';
  const frame = readFrame(kinds[reader.int(0, kinds.length)], reader);
  return frame !== undefined && reader.ok ? frame : 'malformed';
}

function frameFields(frame: Frame): readonly unknown[] {
  switch (frame.kind) {
    case 'raft':
      return [frame.messages.map(messageFields)];
    case 'forward':
      return [frame.commands];
    case 'ask':
      return [frame.questions.map(({ id, question }) => [id, ...questionFields(question)])];
    case 'reply':
      return [frame.replies.map(({ id, reply }) => [id, ...replyFields(reply)])];
    case 'heads':
      return [frame.heads.map((head) => [head.node, head.index, head.chain, head.signature])];
    case 'ping':
      return [];
    default:
      return unreachable(frame);
  }
}

function readFrame(kind: Frame['kind'] | undefined, r: FieldReader): Frame | undefined {
  switch (kind) {
    case 'raft':
      return { kind, messages: r.list(maxItems, readMessage) };
    case 'forward':
      return { kind, commands: readCommands(r) };
    case 'ask':
      return { kind, questions: r.list(maxQuestions, (i) => ({ id: i.int(), question: readQuestion(i) })) };
    case 'reply':
      return { kind, replies: r.list(maxQuestions, (i) => ({ id: i.int(), reply: readReply(i) })) };
    case 'heads':
      return { kind, heads: r.list(maxHeads, readHead) };
    case 'ping':
      return { kind };
    case undefined:
      return undefined;
    default:
      return unreachable(kind);
  }
}

function readCommands(r: FieldReader): Uint8Array[] {
  const value = r.any();
  const isCommand = (item: unknown): item is Uint8Array => item instanceof Uint8Array && item.length <= maxCommandBytes;
  if (Array.isArray(value) && value.length <= maxItems && value.every(isCommand)) return value.map(copyBytes);
  r.reject();
  return [];
}

export const reportFields = (report: Report): readonly unknown[] => [
  report.status ?? null,
  report.load ?? null,
  report.latencyMs ?? null,
  report.successRate ?? null,
];

export function readReport(r: FieldReader): Report {
  return {
    status: r.optional(() => r.oneOf(['available', 'busy', 'draining'])),
    load: r.optional(() => r.number(0, 1e9)),
    latencyMs: r.optional(() => r.number(0, 1e9)),
    successRate: r.optional(() => r.number(0, 1)),
  };
}

const anyAgent = agentId('none');
const anyTask = taskId('none');
const anyNode = nodeId('none');
// A bad name is remembered by the reader and the frame is dropped: the stand-in never gets out.
const agent = (r: FieldReader) => r.name(agentId) ?? anyAgent;
const task = (r: FieldReader) => r.name(taskId) ?? anyTask;
const node = (r: FieldReader) => r.name(nodeId) ?? anyNode;

function readHead(r: FieldReader): SignedHead {
  return { node: node(r), index: r.int(1), chain: readFixed(r, chainBytes), signature: readFixed(r, signatureBytes) };
}

/** So many bytes, copied out of the frame. */
function readFixed(r: FieldReader, length: number): Uint8Array {
  const bytes = copyBytes(r.bytes(length));
  if (bytes.length !== length) r.reject();
  return bytes;
}

function questionFields(question: Question): readonly unknown[] {
  switch (question.kind) {
    case 'beat':
      return ['beat', question.agent, question.generation, ...reportFields(question.report)];
    case 'taskBeat':
      return ['taskBeat', question.task, question.fence, question.progress ?? null];
    case 'claim':
      return ['claim', question.agent, question.generation, question.slots, question.types ?? null];
    case 'members':
      return ['members', encodeConfigurationChange(question.change)];
    case 'transfer':
      return ['transfer', question.from, question.to ?? null];
    case 'enact':
      return ['enact', encodeGuarded({ ts: 0, certificate: question.certificate, ...question.action })];
    default:
      return unreachable(question);
  }
}

function readQuestion(r: FieldReader): Question {
  const kind = r.oneOf(['beat', 'taskBeat', 'claim', 'members', 'transfer', 'enact']) ?? 'beat';
  switch (kind) {
    case 'beat':
      return { kind, agent: agent(r), generation: r.int(), report: readReport(r) };
    case 'taskBeat':
      return { kind, task: task(r), fence: r.int(), progress: r.optional(() => r.number(-1e9, 1e9)) };
    case 'claim':
      return {
        kind,
        agent: agent(r),
        generation: r.int(),
        slots: r.int(0, 10_000),
        types: r.optional(() => r.texts(maxTags, maxNameLength)),
      };
    case 'members':
      return { kind, change: readChange(r) };
    case 'transfer':
      return { kind, from: node(r), to: r.optional(() => node(r)) };
    case 'enact':
      return readEnact(r);
    default:
      return unreachable(kind);
  }
}

function readEnact(r: FieldReader): Question {
  const entry = decodeGuarded(r.bytes(maxEntryBytes));
  if (entry === undefined) r.reject();
  const { ts: _ts, certificate, ...action } = entry ?? { ts: 0, certificate: emptyBytes, kind: '', subject: '', payload: '' };
  return { kind: 'enact', action, certificate };
}

function readChange(r: FieldReader): ConfigurationChange {
  const change = decodeConfigurationChange(r.bytes(maxEntryBytes));
  if (change === undefined) r.reject();
  return change ?? leaveJoint;
}

function replyFields(reply: Reply): readonly unknown[] {
  switch (reply.kind) {
    case 'beat':
      return ['beat', reply.ttlMs, reply.cancelled];
    case 'taskBeat':
      return ['taskBeat', reply.leaseMs, reply.cancelRequested];
    case 'claim':
      return ['claim', reply.index];
    case 'members':
      return ['members', ...configurationFields(reply.configuration)];
    case 'transfer':
      return ['transfer', reply.leader];
    case 'enacted':
      return ['enacted', reply.index];
    case 'failure':
      return ['failure', reply.failure.code, reply.failure.detail, reply.failure.data ?? null];
    default:
      return unreachable(reply);
  }
}

function readReply(r: FieldReader): Reply {
  const kind = r.oneOf(['beat', 'taskBeat', 'claim', 'members', 'transfer', 'enacted', 'failure']) ?? 'claim';
  switch (kind) {
    case 'beat':
      return { kind, ttlMs: r.int(), cancelled: r.names(10_000, taskId) };
    case 'taskBeat':
      return { kind, leaseMs: r.int(), cancelRequested: r.boolean() };
    case 'claim':
      return { kind, index: r.int() };
    case 'members':
      return { kind, configuration: readConfiguration(r) };
    case 'transfer':
      return { kind, leader: node(r) };
    case 'enacted':
      return { kind, index: r.int() };
    case 'failure': {
      const code = failureCode(r.text(maxNameLength));
      const detail = r.text(maxErrorLength);
      const data = r.any();
      return { kind, failure: failure(code, detail, typeof data === 'object' && data !== null ? { ...data } : undefined) };
    }
    default:
      return unreachable(kind);
  }
}

const typeNumbers = new Map<RaftMessage['type'], number>(messageTypes.map((type, number) => [type, number]));
const entryKinds = ['noop', 'command', 'configuration', 'rejoin', 'guarded'] as const;

function messageFields(m: RaftMessage): readonly unknown[] {
  const head = [typeNumbers.get(m.type), m.term];
  switch (m.type) {
    case 'RequestVote':
      return [...head, m.preVote, m.lastLogIndex, m.lastLogTerm, m.transfer, m.commitIndex, m.commitTerm];
    case 'RequestVoteResponse':
      return [...head, m.preVote, m.voteGranted, m.commitIndex, m.commitTerm];
    case 'AppendEntries':
      return [
        ...head,
        m.prevLogIndex,
        m.prevLogTerm,
        m.leaderCommit,
        m.entries.map((e) => [e.term, e.index, e.count, entryKinds.indexOf(e.kind), e.data]),
      ];
    case 'AppendEntriesResponse':
      return [...head, m.success, m.index, m.conflictIndex, m.conflictTerm, m.rejoining];
    case 'Heartbeat':
      return [...head, m.leaderCommit, m.context];
    case 'HeartbeatResponse':
      return [...head, m.context, m.rejoining, m.leaseMs];
    case 'ReadIndex':
      return [...head, m.context];
    case 'InstallSnapshot':
      return [...head, snapshotFields(m.snapshot), m.chunk, m.chunks, m.data];
    case 'InstallSnapshotResponse':
      return [...head, m.index, m.nextChunk];
    case 'TimeoutNow':
      return [...head, m.leaderCommit];
    case 'ReadIndexResponse':
      return [...head, m.context, m.index];
    default:
      return unreachable(m);
  }
}

function readMessage(r: FieldReader): RaftMessage {
  const type = messageTypes[r.int(0, messageTypes.length - 1)] ?? 'TimeoutNow';
  const term = r.int();
  switch (type) {
    case 'RequestVote':
      return {
        type,
        term,
        preVote: r.boolean(),
        lastLogIndex: r.int(),
        lastLogTerm: r.int(),
        transfer: r.boolean(),
        commitIndex: r.int(),
        commitTerm: r.int(),
      };
    case 'RequestVoteResponse':
      return { type, term, preVote: r.boolean(), voteGranted: r.boolean(), commitIndex: r.int(), commitTerm: r.int() };
    case 'AppendEntries':
      return {
        type,
        term,
        prevLogIndex: r.int(),
        prevLogTerm: r.int(),
        leaderCommit: r.int(),
        entries: r.list(maxEntriesPerMessage, readEntry),
      };
    case 'AppendEntriesResponse':
      return { type, term, success: r.boolean(), index: r.int(), conflictIndex: r.int(), conflictTerm: r.int(), rejoining: r.int() };
    case 'Heartbeat':
      return { type, term, leaderCommit: r.int(), context: r.int() };
    case 'HeartbeatResponse':
      return { type, term, context: r.int(), rejoining: r.int(), leaseMs: r.int() };
    case 'ReadIndex':
      return { type, term, context: r.int() };
    case 'InstallSnapshot':
      return { type, term, snapshot: readSnapshot(r), chunk: r.int(), chunks: r.int(1), data: copyBytes(r.bytes(8 * snapshotChunkBytes)) };
    case 'InstallSnapshotResponse':
      return { type, term, index: r.int(), nextChunk: r.int() };
    case 'TimeoutNow':
      return { type, term, leaderCommit: r.int() };
    case 'ReadIndexResponse':
      return { type, term, context: r.int(), index: r.int() };
    default:
      return unreachable(type);
  }
}

function readEntry(r: FieldReader): Entry {
  const term = r.int();
  const index = r.int(1);
  const count = r.int(1, maxCommandsPerEntry);
  const kind = entryKinds[r.int(0, entryKinds.length - 1)] ?? 'noop';
  // Copied: the log keeps it, and the frame's buffer is only lent.
  const data = copyBytes(r.bytes(maxEntryBytes + maxCommandBytes));
  if (count > index) r.reject();
  return { term, index, count, kind, data };
}

function configurationFields({ voters, outgoing, learners, learnersNext, autoLeave }: Configuration): readonly unknown[] {
  return [voters, outgoing, learners, learnersNext, autoLeave];
}

function readConfiguration(r: FieldReader): Configuration {
  const ids = () => r.names(1024, nodeId);
  return { voters: ids(), outgoing: ids(), learners: ids(), learnersNext: ids(), autoLeave: r.boolean() };
}

const snapshotFields = (meta: SnapshotMeta): readonly unknown[] => [
  meta.index,
  meta.term,
  ...configurationFields(meta.configuration),
  meta.chain,
];

function readSnapshot(r: FieldReader): SnapshotMeta {
  const fields = new FieldReader(r.any());
  const index = fields.int(1);
  const term = fields.int(1);
  const configuration = readConfiguration(fields);
  const chain = readFixed(fields, chainBytes);
  if (!fields.ok) r.reject();
  return { index, term, configuration, chain };
}
