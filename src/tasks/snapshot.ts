import { agentId, type LogIndex, nodeId, taskId } from '../core/ids.ts';
import type { Agent } from '../registry/agent.ts';
import type { Registry } from '../registry/registry.ts';
import type { CommandResult } from './commands.ts';
import { frozenEntries } from './frozen-entries.ts';
import type { Decision, Decisions } from './decisions.ts';
import type { EpochRecord, EpochTable } from './epochs.ts';
import type { FirstAnswer, IdempotencyKeys } from './idempotency.ts';
import type { KeyEntry, KeyValue } from './key-value.ts';
import type { StateLimits } from './limits.ts';
import type { MemberRecord, MemberTable } from './members.ts';
import type { Secret, Secrets } from './secrets.ts';
import type { Session, Sessions } from './sessions.ts';
import { Fields, readResult, type SnapshotRecord, type SnapshotValue, writeResult } from './snapshot-fields.ts';
import { historyItem, isHeld, signatureOf, type TaskRecord } from './task-record.ts';
import type { Orphan, PurgedTask, TaskTable } from './task-table.ts';

export type { SnapshotRecord } from './snapshot-fields.ts';

/** Raised whenever a record's fields change. A node reads only the format that it writes. */
const format = 2;
/** Results of a session in one record: keeps records small. */
const resultsPerRecord = 256;

const recordKinds = [
  'state',
  'key',
  'member',
  'token',
  'epoch',
  'decision',
  'forgotten',
  'secret',
  'agent',
  'purged',
  'orphan',
  'task',
  'session',
  'results',
  'idempotent',
  'end',
] as const;
type PartKind = Exclude<(typeof recordKinds)[number], 'state' | 'end'>;

interface Parts {
  readonly limits: StateLimits;
  readonly keys: KeyValue;
  readonly registry: Registry;
  readonly tasks: TaskTable;
  readonly sessions: Sessions;
  readonly idempotency: IdempotencyKeys;
  readonly members: MemberTable;
  readonly epochs: EpochTable;
  readonly decisions: Decisions;
  readonly secrets: Secrets;
}

/** A record as it counts in the hash of a state. */
export const lineOf = (record: SnapshotRecord): string => `${JSON.stringify(record)}\n`;

/** What a snapshot is written from: the tables themselves, or views of them that no longer change. */
interface View {
  readonly keys: Iterable<KeyEntry>;
  readonly members: Iterable<MemberRecord>;
  readonly tokens: Iterable<readonly [hash: string, endTs: number]>;
  readonly epochs: Iterable<EpochRecord>;
  readonly decisions: Iterable<Decision>;
  readonly forgotten: Iterable<readonly [proposer: number, proposerSeq: number]>;
  readonly secrets: Iterable<Secret>;
  readonly agents: Iterable<Agent>;
  readonly purged: Iterable<readonly [TaskRecord['id'], PurgedTask]>;
  readonly orphans: Iterable<Orphan>;
  readonly tasks: Iterable<TaskRecord>;
  readonly sessions: Iterable<Session>;
  readonly idempotency: Iterable<readonly [string, FirstAnswer]>;
}

interface Moment {
  readonly index: LogIndex;
  readonly ts: number;
}

/** A state as it was at one moment, while commands are applied to it. */
export interface FrozenState {
  /** To be gone through once, a few at a time. */
  readonly records: Iterable<SnapshotRecord>;
  /** Lets go of what was kept for it; the records must not be asked for any more. */
  release(): void;
}

/** The records of the tables, to be taken before they change. */
export function writeRecords(parts: Parts, at: Moment): Iterable<SnapshotRecord> {
  const { keys, members, registry, tasks, sessions, idempotency } = parts;
  const [tokens, agents] = [members.tokens(), registry.all()];
  const [purged, orphans] = [tasks.purgedIds(), tasks.orphans()];
  return write({ keys, members: members.all(), tokens, ...votesOf(parts), agents, purged, orphans, tasks, sessions, idempotency }, at);
}

/** What votes have made of the state: small, so it is copied. */
const votesOf = ({ epochs, decisions, secrets }: Parts) => ({
  epochs: [...epochs.all()],
  decisions: [...decisions.all()],
  forgotten: [...decisions.forgotten()],
  secrets: [...secrets.all()],
});

/**
 * The same records, at leisure. The large tables keep former versions of what changes meanwhile; the small ones, whose records don't change, are
 * copied. That takes a few milliseconds with a million keys and tasks.
 */
export function freezeRecords(parts: Parts, at: Moment): FrozenState {
  const { keys, members, registry, tasks, sessions, idempotency } = parts;
  const view: View = {
    keys: keys.freeze(),
    members: members.all(),
    tokens: [...members.tokens()],
    ...votesOf(parts),
    agents: registry.freeze(),
    purged: frozenEntries(tasks.purgedIds()),
    orphans: [...tasks.orphans()],
    tasks: tasks.freeze(),
    sessions: sessions.freeze(),
    idempotency: idempotency.freeze(),
  };
  return {
    records: write(view, at),
    release() {
      for (const table of [keys, registry, tasks, sessions]) table.thaw();
    },
  };
}

/**
 * Everything that the log made, and nothing that can be derived from it. Keys, agents and tasks stand in an order of their own; sessions, idempotency keys
 * and purged ids in the order that decides which of them goes first. So two nodes with the same state write the same records, and a restored node goes on
 * exactly as one that was never stopped.
 */
function* write(view: View, at: Moment): Generator<SnapshotRecord, void, undefined> {
  let count = 0;
  for (const record of body(view, at)) {
    count += 1;
    yield record;
  }
  yield ['end', count];
}

function* body(view: View, at: Moment): Generator<SnapshotRecord, void, undefined> {
  yield ['state', format, at.index, at.ts];
  for (const { key, value, version } of view.keys) yield ['key', key, value, version];
  for (const { nodeId: id, name, http, peer, promote } of view.members) yield ['member', id, name, http, peer, promote];
  for (const [hash, endTs] of view.tokens) yield ['token', hash, endTs];
  for (const { configuration, certificate } of view.epochs) yield ['epoch', configuration, certificate ?? null];
  for (const decision of view.decisions) yield writeDecision(decision);
  for (const [proposer, proposerSeq] of view.forgotten) yield ['forgotten', proposer, proposerSeq];
  for (const { name, value, version, unlockedUntilTs } of view.secrets) yield ['secret', name, value, version, unlockedUntilTs ?? null];
  for (const agent of view.agents) yield writeAgent(agent);
  for (const [id, { digest, state, ts }] of view.purged) yield ['purged', id, digest, state, ts];
  for (const { task, fence, index, ts, result } of view.orphans) yield ['orphan', task, fence, index, ts, result];
  for (const task of view.tasks) yield writeTask(task);
  for (const session of view.sessions) yield* writeSession(session);
  for (const [key, first] of view.idempotency) yield ['idempotent', key, first.fingerprint, first.ts, writeResult(first.result)];
}

function* writeSession({ id, nonce, lastTs, acked, results }: Session): Generator<SnapshotRecord, void, undefined> {
  // Copied before the first of its records leaves: the session may change between two of them.
  const all = [...results];
  yield ['session', id, nonce, lastTs, acked];
  for (let from = 0; from < all.length; from += resultsPerRecord) {
    const some = all.slice(from, from + resultsPerRecord);
    yield ['results', id, some.map(([seq, result]): SnapshotValue => [seq, writeResult(result)])];
  }
}

const writeDecision = (decision: Decision): SnapshotRecord => {
  const { proposal, kind, subject, payloadDigest, epoch, proposer, proposerSeq, index, ts } = decision;
  return ['decision', proposal, kind, subject, payloadDigest, epoch, proposer, proposerSeq, index, ts];
};

const readDecision = (fields: Fields): Decision => ({
  proposal: fields.text(),
  kind: fields.text(),
  subject: fields.text(),
  payloadDigest: fields.text(),
  epoch: fields.number(),
  proposer: fields.number(),
  proposerSeq: fields.number(),
  index: fields.number(),
  ts: fields.number(),
});

/** Of the old members of a cluster: what a new one with other members must not believe. */
const ofMembers: ReadonlySet<unknown> = new Set(['member', 'token', 'epoch', 'decision', 'forgotten']);

/** The same state for a cluster that goes on from it with other members: without the old ones' addresses, tokens and decisions. */
export function* forNewCluster(records: Iterable<SnapshotRecord>): Generator<SnapshotRecord, void, undefined> {
  let count = 0;
  for (const record of records) {
    const [kind] = record;
    if (ofMembers.has(kind)) continue;
    yield kind === 'end' ? ['end', count] : record;
    count += 1;
  }
}

/** Fills an empty state, record by record. */
export class RecordReader {
  readonly #parts: Parts;
  readonly #begin: (index: LogIndex, ts: number) => void;
  #count = 0;
  #hasEnded = false;
  /** The results of a session follow it, and it joins the table only with all of them. */
  #session: Session | undefined;

  /** `begin` is told the snapshot's index and time before the rest. */
  constructor(parts: Parts, begin: (index: LogIndex, ts: number) => void) {
    this.#parts = parts;
    this.#begin = begin;
  }

  /** @throws RangeError if it is not the record that has to come next. */
  take(record: SnapshotRecord): void {
    const fields = new Fields(record);
    const kind = fields.word(recordKinds);
    if (this.#hasEnded || (kind === 'state') !== (this.#count === 0))
      throw new RangeError(`a snapshot has one beginning and one end, not ${kind} there`);
    if (kind === 'results') {
      readResults(fields, this.#session);
    } else {
      if (this.#session !== undefined) this.#parts.sessions.restore(this.#session);
      this.#session = kind === 'session' ? readSession(fields) : undefined;
    }
    if (kind === 'state') readHeader(fields, this.#begin);
    else if (kind === 'end') this.#hasEnded = fields.number() === this.#count;
    else readPart(this.#parts, kind, fields);
    this.#count += 1;
  }

  /** @throws RangeError if records are missing. */
  finish(): void {
    if (!this.#hasEnded) throw new RangeError('the snapshot is not whole');
  }
}

function readHeader(fields: Fields, begin: (index: LogIndex, ts: number) => void): void {
  const found = fields.number();
  if (found !== format) throw new RangeError(`the snapshot has format ${found}; this version reads format ${format}`);
  begin(fields.number(), fields.number());
}

function readPart(parts: Parts, kind: PartKind, fields: Fields): void {
  const { limits, keys, registry, tasks, idempotency, members, epochs, decisions, secrets } = parts;
  switch (kind) {
    case 'key':
      keys.put(fields.text(), fields.text(), fields.number());
      break;
    case 'member':
      members.put({
        nodeId: nodeId(fields.text()),
        name: fields.text(),
        http: fields.text(),
        peer: fields.text(),
        promote: fields.boolean(),
      });
      break;
    case 'token':
      members.putToken(fields.text(), fields.number());
      break;
    case 'epoch':
      epochs.add({ configuration: fields.text(), certificate: fields.maybe(text) });
      break;
    case 'decision':
      decisions.restore(readDecision(fields));
      break;
    case 'forgotten':
      decisions.forget(fields.number(), fields.number());
      break;
    case 'secret':
      secrets.put({ name: fields.text(), value: fields.text(), version: fields.number(), unlockedUntilTs: fields.maybe(number) });
      break;
    case 'agent':
      registry.restore(readAgent(fields));
      break;
    case 'purged':
      tasks.restorePurged(taskId(fields.text()), { digest: fields.text(), state: fields.taskState(), ts: fields.number() });
      break;
    case 'orphan': {
      const orphan = {
        task: taskId(fields.text()),
        fence: fields.number(),
        index: fields.number(),
        ts: fields.number(),
        result: fields.text(),
      };
      tasks.addOrphan(orphan, limits);
      break;
    }
    case 'task': {
      const task = readTask(fields);
      tasks.add(task);
      // An agent's load is not in its record: it is what the tasks say (T5).
      if (isHeld(task.state) && task.agent !== undefined) registry.changeLoad(task.agent, 1);
      break;
    }
    case 'idempotent':
      idempotency.restore(fields.text(), {
        fingerprint: fields.text(),
        ts: fields.number(),
        result: readResult(new Fields(fields.list())),
      });
      break;
    case 'session':
    case 'results':
      break;
  }
}

function writeAgent(agent: Agent): SnapshotRecord {
  return [
    'agent',
    agent.id,
    agent.generation,
    agent.capabilities,
    agent.swarms,
    agent.concurrency,
    agent.weight,
    Object.entries(agent.labels),
    agent.ttlMs,
    agent.role ?? null,
    agent.group ?? null,
    agent.node,
    agent.state,
    agent.registeredIndex,
  ];
}

// Fields are read in the order in which they stand in an object literal, which is the order of evaluation.

function readAgent(fields: Fields): Agent {
  return {
    id: agentId(fields.text()),
    generation: fields.number(),
    capabilities: fields.texts(),
    swarms: fields.texts(),
    concurrency: fields.number(),
    weight: fields.number(),
    labels: Object.fromEntries(fields.each((label): [string, string] => [label.text(), label.text()])),
    ttlMs: fields.number(),
    role: fields.maybe((each) => each.word(['primary', 'backup'])),
    group: fields.maybe((each) => each.text()),
    node: fields.text(),
    state: fields.word(['up', 'draining', 'down']),
    registeredIndex: fields.number(),
    load: 0,
  };
}

function writeTask(task: TaskRecord): SnapshotRecord {
  const { backoff, checkpoint } = task;
  return [
    'task',
    task.id,
    task.type,
    task.payload,
    task.digest,
    task.requires,
    task.swarm ?? null,
    task.priority,
    task.maxAttempts,
    task.leaseMs,
    task.deadlineTs ?? null,
    [backoff.baseMs, backoff.factor, backoff.maxMs],
    task.state,
    task.attempt,
    task.releases,
    task.fence,
    task.agent ?? null,
    task.generation,
    checkpoint === undefined ? null : [checkpoint.seq, checkpoint.digest, checkpoint.ref],
    task.result ?? null,
    task.error ?? null,
    task.createdIndex,
    task.createdTs,
    task.notBeforeTs,
    task.endedTs ?? null,
    task.cancelReason ?? null,
    task.excluded,
    task.history.map((item) => [item.index, item.state, item.agent ?? null, item.reason ?? null]),
    task.deadlineMs ?? null,
    task.exclusionEndsTs,
  ];
}

function readTask(fields: Fields): TaskRecord {
  const task = {
    id: taskId(fields.text()),
    type: fields.text(),
    payload: fields.text(),
    digest: fields.text(),
    requires: fields.texts(),
    swarm: fields.maybe(text),
    priority: fields.number(),
    maxAttempts: fields.number(),
    leaseMs: fields.number(),
    deadlineTs: fields.maybe(number),
    backoff: readBackoff(new Fields(fields.list())),
    state: fields.taskState(),
    attempt: fields.number(),
    releases: fields.number(),
    fence: fields.number(),
    agent: fields.maybe(agent),
    generation: fields.number(),
    checkpoint: fields.maybe(readCheckpoint),
    result: fields.maybe(text),
    error: fields.maybe(text),
    createdIndex: fields.number(),
    createdTs: fields.number(),
    notBeforeTs: fields.number(),
    endedTs: fields.maybe(number),
    cancelReason: fields.maybe(cancelReason),
    excluded: fields.texts().map(agentId),
    history: fields.each((item) => historyItem(item.number(), item.taskState(), item.maybe(agent), item.maybe(text))),
    deadlineMs: fields.maybe(number),
    exclusionEndsTs: fields.number(),
  };
  return { ...task, signature: signatureOf(task) };
}

const text = (fields: Fields): string => fields.text();
const number = (fields: Fields): number => fields.number();
const cancelReason = (fields: Fields): 'client' | 'deadline' => fields.word(['client', 'deadline']);
const agent = (fields: Fields): Agent['id'] => agentId(fields.text());

const readBackoff = (fields: Fields): TaskRecord['backoff'] => ({
  baseMs: fields.number(),
  factor: fields.number(),
  maxMs: fields.number(),
});

function readCheckpoint(fields: Fields): TaskRecord['checkpoint'] {
  const inner = new Fields(fields.list());
  return { seq: inner.number(), digest: inner.text(), ref: inner.text() };
}

const readSession = (fields: Fields): Session => ({
  id: fields.number(),
  nonce: fields.text(),
  lastTs: fields.number(),
  acked: fields.number(),
  results: new Map<number, CommandResult>(),
});

function readResults(fields: Fields, session: Session | undefined): void {
  if (session === undefined || fields.number() !== session.id) throw new RangeError('results follow their session');
  fields.each((item) => session.results.set(item.number(), readResult(new Fields(item.list()))));
}
