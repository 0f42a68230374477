import { agentId, type LogIndex, nodeId, taskId } from '../core/ids.ts';
import type { Agent } from '../registry/agent.ts';
import type { Registry } from '../registry/registry.ts';
import type { CommandResult } from './commands.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import type { KeyValue } from './key-value.ts';
import type { StateLimits } from './limits.ts';
import type { MemberTable } from './members.ts';
import type { Session, Sessions } from './sessions.ts';
import { Fields, readResult, type SnapshotRecord, type SnapshotValue, writeResult } from './snapshot-fields.ts';
import { historyItem, isHeld, signatureOf, type TaskRecord } from './task-record.ts';
import type { TaskTable } from './task-table.ts';

export type { SnapshotRecord } from './snapshot-fields.ts';

/** Raised whenever a record's fields change. A node reads only the format that it writes. */
const format = 2;
/** Results of a session in one record: keeps records small. */
const resultsPerRecord = 256;

interface Parts {
  readonly limits: StateLimits;
  readonly keys: KeyValue;
  readonly registry: Registry;
  readonly tasks: TaskTable;
  readonly sessions: Sessions;
  readonly idempotency: IdempotencyKeys;
  readonly members: MemberTable;
}

/**
 * Everything that the log made, and nothing that can be derived from it. Keys, agents and tasks stand in an order of their own; sessions, idempotency keys
 * and purged ids in the order that decides which of them goes first. So two nodes with the same state write the same records, and a restored node goes on
 * exactly as one that was never stopped. Copied at once: the table goes on changing while the records are on their way to the disk.
 */
export function writeRecords(parts: Parts, at: { readonly index: LogIndex; readonly ts: number }): readonly SnapshotRecord[] {
  const { keys, registry, tasks, sessions, idempotency, members } = parts;
  const records: SnapshotRecord[] = [['state', format, at.index, at.ts]];
  for (const { key, value, version } of keys.list('', undefined, Infinity)) records.push(['key', key, value, version]);
  for (const { nodeId: id, name, http, peer, promote } of members.all()) records.push(['member', id, name, http, peer, promote]);
  for (const [hash, endTs] of members.tokens()) records.push(['token', hash, endTs]);
  for (const agent of registry.all()) records.push(writeAgent(agent));
  for (const [id, { digest, state, ts }] of tasks.purgedIds()) records.push(['purged', id, digest, state, ts]);
  for (const { task, fence, index, ts, result } of tasks.orphans()) records.push(['orphan', task, fence, index, ts, result]);
  for (const task of tasks) records.push(writeTask(task));
  for (const session of sessions) {
    records.push(['session', session.id, session.nonce, session.lastTs, session.acked]);
    const results = Array.from(session.results, ([seq, result]): SnapshotValue => [seq, writeResult(result)]);
    for (let from = 0; from < results.length; from += resultsPerRecord) {
      records.push(['results', session.id, results.slice(from, from + resultsPerRecord)]);
    }
  }
  for (const [key, first] of idempotency) records.push(['idempotent', key, first.fingerprint, first.ts, writeResult(first.result)]);
  records.push(['end', records.length]);
  return records;
}

/** Fills an empty state. `begin` is told the snapshot's index and time before the rest. */
export function readRecords(parts: Parts, records: Iterable<SnapshotRecord>, begin: (index: LogIndex, ts: number) => void): void {
  let count = 0;
  let hasEnded = false;
  // The results of a session follow it, and it joins the table only with all of them.
  let session: Session | undefined;
  for (const record of records) {
    const fields = new Fields(record);
    const kind = fields.word([
      'state',
      'key',
      'member',
      'token',
      'agent',
      'purged',
      'orphan',
      'task',
      'session',
      'results',
      'idempotent',
      'end',
    ]);
    if (hasEnded || (kind === 'state') !== (count === 0))
      throw new RangeError(`a snapshot has one beginning and one end, not ${kind} there`);
    if (kind === 'results') {
      readResults(fields, session);
    } else {
      if (session !== undefined) parts.sessions.restore(session);
      session = kind === 'session' ? readSession(fields) : undefined;
    }
    if (kind === 'state') readHeader(fields, begin);
    else if (kind === 'end') hasEnded = fields.number() === count;
    else readPart(parts, kind, fields);
    count += 1;
  }
  if (!hasEnded) throw new RangeError('the snapshot is not whole');
}

function readHeader(fields: Fields, begin: (index: LogIndex, ts: number) => void): void {
  const found = fields.number();
  if (found !== format) throw new RangeError(`the snapshot has format ${found}; this version reads format ${format}`);
  begin(fields.number(), fields.number());
}

function readPart(
  parts: Parts,
  kind: 'key' | 'member' | 'token' | 'agent' | 'purged' | 'orphan' | 'task' | 'session' | 'results' | 'idempotent',
  fields: Fields,
): void {
  const { limits, keys, registry, tasks, idempotency, members } = parts;
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
