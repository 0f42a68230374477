import { failure, failureCode } from '../core/errors.ts';
import { agentId, nodeId, taskId } from '../core/ids.ts';
import { unreachable } from '../core/assert.ts';
import type { Command, CommandResult, ResultValue, SessionCommand } from '../tasks/commands.ts';
import type { MemberRecord } from '../tasks/members.ts';
import { maxAssignmentsPerCommand, taskStates } from '../tasks/task.ts';
import {
  maxCommandBytes,
  maxCommandsPerEntry,
  maxErrorLength,
  maxKeyLength,
  maxNameLength,
  maxPayloadLength,
  maxResultLength,
  maxSecretLength,
  maxTags,
  maxValueLength,
} from './limits.ts';
import { pack, unpack } from './pack.ts';
import { FieldReader } from './reader.ts';

// A command is a msgpack array [session, seq, acked, idempotencyKey | null, op, ...fields]. The first node that sees it encodes it; log, wire and disk pass
// the same bytes on. The number of an op never changes its meaning: a new layout gets a new number.
const ops = {
  OpenSession: 1,
  PutKey: 2,
  DeleteKey: 3,
  RegisterAgent: 4,
  DrainAgent: 5,
  DeregisterAgent: 6,
  SubmitTask: 7,
  CancelTask: 8,
  RetryTask: 9,
  StartTask: 10,
  CheckpointTask: 11,
  CompleteTask: 12,
  FailTask: 13,
  ReleaseTask: 14,
  CancelAck: 15,
  AssignTasks: 16,
  ExpireLeases: 17,
  AgentsDown: 18,
  Tick: 19,
  PutMember: 20,
  ForgetMember: 21,
  PutJoinToken: 22,
  JoinMember: 23,
  PutSecret: 24,
  DeleteSecret: 25,
} as const satisfies Record<Command['op'], number>;

type Op = Command['op'];
const isOp = (name: string): name is Op => name in ops;
const opNames = new Map<unknown, Op>(
  Object.keys(ops)
    .filter(isOp)
    .map((name) => [ops[name], name]),
);

const digestLength = 64;
const maxLeases = 4096;
const dayMs = 86_400_000;

export function encodeSessionCommand(command: SessionCommand): Uint8Array {
  return pack([
    command.session,
    command.seq,
    command.acked,
    command.idempotencyKey ?? null,
    ops[command.command.op],
    ...fieldsOf(command.command),
  ]);
}

/** Reads a command of anyone; `undefined` when a field is missing, of another type or out of bounds. */
export function decodeSessionCommand(bytes: Uint8Array): SessionCommand | undefined {
  if (bytes.length > maxCommandBytes) return undefined;
  const reader = new FieldReader(unpack(bytes));
  const session = reader.int();
  const seq = reader.int();
  const acked = reader.int();
  const idempotencyKey = reader.optional(() => reader.text(512));
  const op = opNames.get(reader.peek());
  reader.int();
  if (op === undefined) return undefined;
  const command = readCommand(op, reader);
  return reader.ok ? { session, seq, acked, idempotencyKey, command } : undefined;
}

function fieldsOf(command: Command): readonly unknown[] {
  switch (command.op) {
    case 'OpenSession':
      return [command.nonce];
    case 'PutKey':
      return [command.key, command.value, command.ifVersion ?? null];
    case 'DeleteKey':
      return [command.key, command.ifVersion ?? null];
    case 'PutSecret':
      return [command.name, command.value];
    case 'DeleteSecret':
      return [command.name];
    case 'RegisterAgent':
      return agentFields(command);
    case 'DrainAgent':
    case 'DeregisterAgent':
      return [command.agent];
    case 'SubmitTask':
      return taskFields(command);
    case 'CancelTask':
    case 'RetryTask':
      return [command.task];
    case 'PutMember':
      return memberFields(command.member);
    case 'PutJoinToken':
      return [command.hash, command.ttlMs];
    case 'JoinMember':
      return [command.tokenHash, ...memberFields(command.member)];
    case 'ForgetMember':
      return [command.node];
    case 'StartTask':
    case 'ReleaseTask':
    case 'CancelAck':
      return [command.task, command.fence];
    case 'CheckpointTask':
      return [command.task, command.fence, command.seq, command.digest, command.ref];
    case 'CompleteTask':
      return [command.task, command.fence, command.result];
    case 'FailTask':
      return [command.task, command.fence, command.error, command.retryable];
    case 'AssignTasks':
      return [command.assignments.map(({ task, agent, generation }) => [task, agent, generation])];
    case 'ExpireLeases':
      return [command.leases.map(({ task, fence }) => [task, fence])];
    case 'AgentsDown':
      return [command.agents.map(({ agent, generation }) => [agent, generation])];
    case 'Tick':
      return [];
    default:
      return unreachable(command);
  }
}

const agentFields = (command: Extract<Command, { readonly op: 'RegisterAgent' }>): readonly unknown[] => [
  command.agent,
  command.capabilities,
  command.swarms,
  command.concurrency,
  command.weight,
  command.labels,
  command.ttlMs,
  command.role ?? null,
  command.group ?? null,
  command.node,
];

const taskFields = (command: Extract<Command, { readonly op: 'SubmitTask' }>): readonly unknown[] => [
  command.task,
  command.type,
  command.payload,
  command.digest,
  command.requires,
  command.swarm ?? null,
  command.priority,
  command.maxAttempts,
  command.leaseMs,
  command.deadlineMs ?? null,
  command.delayMs,
  command.backoff.baseMs,
  command.backoff.factor,
  command.backoff.maxMs,
];

const anyTask = taskId('none');
const anyAgent = agentId('none');
const anyNode = nodeId('none');

// When a field is bad the reader remembers it and the command is dropped, so a stand-in name never gets out.
const task = (reader: FieldReader) => reader.name(taskId) ?? anyTask;
const agent = (reader: FieldReader) => reader.name(agentId) ?? anyAgent;
const node = (reader: FieldReader) => reader.name(nodeId) ?? anyNode;

function readCommand(op: Op, r: FieldReader): Command {
  switch (op) {
    case 'OpenSession':
      return { op, nonce: r.text(maxNameLength) };
    case 'PutKey':
      return { op, key: r.text(maxKeyLength), value: r.text(maxValueLength), ifVersion: r.optional(() => r.int()) };
    case 'DeleteKey':
      return { op, key: r.text(maxKeyLength), ifVersion: r.optional(() => r.int()) };
    case 'PutSecret':
      return { op, name: r.text(maxNameLength), value: r.text(maxSecretLength) };
    case 'DeleteSecret':
      return { op, name: r.text(maxNameLength) };
    case 'RegisterAgent':
      return readRegistration(r);
    case 'DrainAgent':
    case 'DeregisterAgent':
      return { op, agent: agent(r) };
    case 'SubmitTask':
      return readSubmission(r);
    case 'CancelTask':
    case 'RetryTask':
      return { op, task: task(r) };
    case 'PutMember':
      return { op, member: readMember(r) };
    case 'PutJoinToken':
      return { op, hash: r.text(digestLength), ttlMs: r.int(1, 365 * dayMs) };
    case 'JoinMember':
      return { op, tokenHash: r.text(digestLength), member: readMember(r) };
    case 'ForgetMember':
      return { op, node: node(r) };
    case 'StartTask':
    case 'ReleaseTask':
    case 'CancelAck':
      return { op, task: task(r), fence: r.int() };
    case 'CheckpointTask':
      return { op, task: task(r), fence: r.int(), seq: r.int(), digest: r.text(digestLength), ref: r.text(maxKeyLength) };
    case 'CompleteTask':
      return { op, task: task(r), fence: r.int(), result: r.text(maxResultLength) };
    case 'FailTask':
      return { op, task: task(r), fence: r.int(), error: r.text(maxErrorLength), retryable: r.boolean() };
    case 'AssignTasks':
      return { op, assignments: r.list(maxAssignmentsPerCommand, (i) => ({ task: task(i), agent: agent(i), generation: i.int() })) };
    case 'ExpireLeases':
      return { op, leases: r.list(maxLeases, (i) => ({ task: task(i), fence: i.int() })) };
    case 'AgentsDown':
      return { op, agents: r.list(maxLeases, (i) => ({ agent: agent(i), generation: i.int() })) };
    case 'Tick':
      return { op };
    default:
      return unreachable(op);
  }
}

const memberFields = ({ nodeId: id, name, http, peer, promote }: MemberRecord): readonly unknown[] => [id, name, http, peer, promote];

function readMember(r: FieldReader): MemberRecord {
  return { nodeId: node(r), name: r.text(maxNameLength), http: r.text(maxKeyLength), peer: r.text(maxKeyLength), promote: r.boolean() };
}

function readRegistration(r: FieldReader): Command {
  return {
    op: 'RegisterAgent',
    agent: agent(r),
    capabilities: r.texts(maxTags, maxNameLength),
    swarms: r.texts(maxTags, maxNameLength),
    concurrency: r.int(1, 10_000),
    weight: r.int(1, 1_000_000),
    labels: r.labels(maxTags, maxKeyLength),
    ttlMs: r.int(1000, 300_000),
    role: r.optional(() => r.oneOf(['primary', 'backup'])),
    group: r.optional(() => r.text(maxNameLength)),
    node: r.text(maxNameLength),
  };
}

function readSubmission(r: FieldReader): Command {
  return {
    op: 'SubmitTask',
    task: task(r),
    type: r.text(maxNameLength),
    payload: r.text(maxPayloadLength),
    digest: r.text(digestLength),
    requires: r.texts(maxTags, maxNameLength),
    swarm: r.optional(() => r.text(maxNameLength)),
    priority: r.int(0, 9),
    maxAttempts: r.int(1, 1000),
    leaseMs: r.int(100, dayMs),
    deadlineMs: r.optional(() => r.int(1, 365 * dayMs)),
    delayMs: r.int(0, 365 * dayMs),
    backoff: { baseMs: r.int(0, dayMs), factor: r.number(1, 100), maxMs: r.int(0, dayMs) },
  };
}

// A log entry's data: f64 time stamp | u32 count | count x (u32 length | command).
const batchHeaderBytes = 12;

/** Joins encoded commands into the data of one log entry, stamped with the leader's time. */
export function encodeEntry(ts: number, commands: readonly Uint8Array[]): Uint8Array {
  let length = batchHeaderBytes;
  for (const command of commands) length += 4 + command.length;
  const data = new Uint8Array(length);
  const view = new DataView(data.buffer);
  view.setFloat64(0, ts, true);
  view.setUint32(8, commands.length, true);
  let offset = batchHeaderBytes;
  for (const command of commands) {
    view.setUint32(offset, command.length, true);
    data.set(command, offset + 4);
    offset += 4 + command.length;
  }
  return data;
}

export interface DecodedEntry {
  readonly ts: number;
  /** `undefined` in place of a command that can't be read: it changes nothing, on every node alike. */
  readonly commands: readonly (SessionCommand | undefined)[];
}

/** Reads an entry's data. The log holds only what a leader of ours made, so anything malformed is `undefined` and changes nothing. */
export function decodeEntry(data: Uint8Array): DecodedEntry | undefined {
  if (data.length < batchHeaderBytes) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const ts = view.getFloat64(0, true);
  const count = view.getUint32(8, true);
  if (!Number.isSafeInteger(ts) || ts < 0 || count > maxCommandsPerEntry) return undefined;
  const commands: (SessionCommand | undefined)[] = [];
  let offset = batchHeaderBytes;
  for (let i = 0; i < count; i++) {
    if (offset + 4 > data.length) return undefined;
    const length = view.getUint32(offset, true);
    offset += 4;
    if (offset + length > data.length) return undefined;
    commands.push(decodeSessionCommand(data.subarray(offset, offset + length)));
    offset += length;
  }
  return offset === data.length ? { ts, commands } : undefined;
}

/** A command's answer as plain fields, for the stream and for snapshots. */
export function resultFields(result: CommandResult): readonly unknown[] {
  return result.ok
    ? [result.index, 1, ...valueFields(result.value)]
    : [result.index, 0, result.failure.code, result.failure.detail, result.failure.data ?? null];
}

function valueFields(value: ResultValue): readonly unknown[] {
  switch (value.kind) {
    case 'session':
      return ['session', value.session];
    case 'key':
      return ['key', value.version];
    case 'agent':
      return ['agent', value.generation];
    case 'task':
      return ['task', value.task, value.state, value.created];
    case 'decision':
      return ['decision', value.index];
    case 'none':
      return ['none'];
    default:
      return unreachable(value);
  }
}

/** The answer that `resultFields` made; `undefined` when it is malformed. */
export function readResult(fields: unknown): CommandResult | undefined {
  const reader = new FieldReader(fields);
  const index = reader.int();
  const ok = reader.int(0, 1) === 1;
  if (!ok) {
    const code = failureCode(reader.text(maxNameLength));
    const detail = reader.text(maxErrorLength);
    const data: unknown = reader.peek();
    reader.optional(() => reader.any());
    return reader.ok ? { ok, index, failure: failure(code, detail, isRecord(data) ? data : undefined) } : undefined;
  }
  const value = readValue(reader);
  return value !== undefined && reader.ok ? { ok, index, value } : undefined;
}

function readValue(reader: FieldReader): ResultValue | undefined {
  const kind = reader.oneOf(['session', 'key', 'agent', 'task', 'decision', 'none']);
  switch (kind) {
    case 'session':
      return { kind, session: reader.int() };
    case 'key':
      return { kind, version: reader.int() };
    case 'agent':
      return { kind, generation: reader.int() };
    case 'task':
      return { kind, task: task(reader), state: reader.oneOf(taskStates) ?? 'pending', created: reader.boolean() };
    case 'decision':
      return { kind, index: reader.int() };
    case 'none':
      return { kind };
    case undefined:
      return undefined;
    default:
      return unreachable(kind);
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
