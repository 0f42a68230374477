import { expect } from 'chai';
import * as fc from 'fast-check';
import { agentId, nodeId, taskId } from '../../src/core/ids.ts';
import type { RaftMessage } from '../../src/raft/messages.ts';
import type { Command, CommandResult, SessionCommand } from '../../src/tasks/commands.ts';
import { decodeEntry, decodeSessionCommand, encodeEntry, encodeSessionCommand, readResult, resultFields } from '../../src/wire/commands.ts';
import { decodeFrame, encodeFrame, type Frame, maxHeads, type SignedHead, wireVersion } from '../../src/wire/frames.ts';
import { pack } from '../../src/wire/pack.ts';
import { decodeSnapshot, encodeSnapshot } from '../../src/wire/snapshot.ts';

const task = taskId('t1');
const agent = agentId('a1');
const node = nodeId('n1');

const commands: readonly Command[] = [
  { op: 'OpenSession', nonce: 'n' },
  { op: 'PutKey', key: 'k', value: 'v', ifVersion: undefined },
  { op: 'PutKey', key: 'k', value: 'ünï', ifVersion: 0 },
  { op: 'DeleteKey', key: 'k', ifVersion: 7 },
  { op: 'PutSecret', name: 's', value: 'v' },
  { op: 'DeleteSecret', name: 's' },
  {
    op: 'RegisterAgent',
    agent,
    capabilities: ['a', 'b'],
    swarms: [],
    concurrency: 4,
    weight: 1,
    labels: { zone: 'x' },
    ttlMs: 10_000,
    role: 'backup',
    group: undefined,
    node: 'node-1',
  },
  { op: 'DrainAgent', agent },
  { op: 'DeregisterAgent', agent },
  {
    op: 'SubmitTask',
    task,
    type: 'x',
    payload: '{"a":1}',
    digest: 'd',
    requires: ['a'],
    swarm: 's',
    priority: 9,
    maxAttempts: 3,
    leaseMs: 10_000,
    deadlineMs: undefined,
    delayMs: 0,
    backoff: { baseMs: 1, factor: 1.5, maxMs: 10 },
  },
  { op: 'CancelTask', task },
  { op: 'RetryTask', task },
  { op: 'PutMember', member: { nodeId: node, name: 'node-4', http: 'http://h:1', peer: 'h:2', promote: true } },
  { op: 'ForgetMember', node },
  { op: 'PutJoinToken', hash: 'h', ttlMs: 1000 },
  { op: 'JoinMember', tokenHash: 'h', member: { nodeId: node, name: 'node-4', http: 'http://h:1', peer: 'h:2', promote: true } },
  { op: 'StartTask', task, fence: 65_536 },
  { op: 'CheckpointTask', task, fence: 1, seq: 2, digest: 'd', ref: 'r' },
  { op: 'CompleteTask', task, fence: 1, result: 'null' },
  { op: 'FailTask', task, fence: 1, error: 'no', retryable: false },
  { op: 'ReleaseTask', task, fence: 1 },
  { op: 'CancelAck', task, fence: 1 },
  { op: 'AssignTasks', assignments: [{ task, agent, generation: 3 }] },
  { op: 'ExpireLeases', leases: [{ task, fence: 1 }] },
  { op: 'AgentsDown', agents: [{ agent, generation: 3 }] },
  { op: 'Tick' },
];

const named = (command: Command): SessionCommand => ({ session: 5, seq: 9, acked: 8, idempotencyKey: undefined, command });

const messages: readonly RaftMessage[] = [
  { type: 'RequestVote', term: 2, preVote: true, lastLogIndex: 3, lastLogTerm: 1, transfer: false, commitIndex: 0, commitTerm: 0 },
  { type: 'RequestVoteResponse', term: 2, preVote: false, voteGranted: true, commitIndex: 0, commitTerm: 0 },
  {
    type: 'AppendEntries',
    term: 2,
    prevLogIndex: 3,
    prevLogTerm: 1,
    leaderCommit: 2,
    entries: [{ term: 2, index: 6, count: 3, kind: 'command', data: new Uint8Array([1, 2, 3]) }],
  },
  { type: 'AppendEntriesResponse', term: 2, success: false, index: 3, conflictIndex: 2, conflictTerm: 1, rejoining: 2 ** 47 },
  { type: 'Heartbeat', term: 2, leaderCommit: 2, context: 4 },
  { type: 'HeartbeatResponse', term: 2, context: 4, rejoining: 4711, leaseMs: 640 },
  {
    type: 'InstallSnapshot',
    term: 2,
    snapshot: {
      index: 9,
      term: 2,
      configuration: { voters: [node], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
      chain: new Uint8Array(32),
    },
    chunk: 0,
    chunks: 2,
    data: new Uint8Array([9]),
  },
  { type: 'InstallSnapshotResponse', term: 2, index: 9, nextChunk: 1 },
  { type: 'TimeoutNow', term: 2, leaderCommit: 7 },
  { type: 'ReadIndex', term: 2, context: 1 },
  { type: 'ReadIndexResponse', term: 2, context: 1, index: 6 },
];

const head: SignedHead = { node, index: 1024, chain: new Uint8Array(32).fill(1), signature: new Uint8Array(64).fill(2) };

const frames: readonly Frame[] = [
  { kind: 'heads', heads: [head, head] },
  { kind: 'raft', messages },
  { kind: 'forward', commands: [new Uint8Array([1]), new Uint8Array([2, 3])] },
  {
    kind: 'ask',
    questions: [
      {
        id: 1,
        question: { kind: 'beat', agent, generation: 1, report: { status: 'busy', load: 0.5, latencyMs: undefined, successRate: 1 } },
      },
      { id: 2, question: { kind: 'taskBeat', task, fence: 1, progress: undefined } },
      { id: 3, question: { kind: 'claim', agent, generation: 1, slots: 2, types: ['x'] } },
      { id: 4, question: { kind: 'members', change: { transition: 'auto', changes: [{ type: 'remove', node }], context: '' } } },
      { id: 5, question: { kind: 'transfer', from: node, to: undefined } },
    ],
  },
  {
    kind: 'reply',
    replies: [
      { id: 1, reply: { kind: 'beat', ttlMs: 10, cancelled: [task] } },
      { id: 2, reply: { kind: 'taskBeat', leaseMs: 10, cancelRequested: true } },
      { id: 3, reply: { kind: 'claim', index: 8 } },
      {
        id: 5,
        reply: {
          kind: 'members',
          configuration: { voters: [node], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
        },
      },
      { id: 6, reply: { kind: 'transfer', leader: node } },
      { id: 4, reply: { kind: 'failure', failure: { code: 'stale_fence', detail: 'd', data: { fence: 3 } } } },
    ],
  },
  { kind: 'ping' },
];

describe('wire: commands in the log', () => {
  for (const command of commands) {
    it(`brings ${command.op} back as it was`, () => {
      expect(decodeSessionCommand(encodeSessionCommand(named(command)))).to.deep.equal(named(command));
    });
  }

  it('brings a batch back in order, with its stamp', () => {
    const entry = decodeEntry(
      encodeEntry(
        1_700_000_000_000,
        commands.map((command) => encodeSessionCommand(named(command))),
      ),
    );

    expect(entry).to.deep.equal({ ts: 1_700_000_000_000, commands: commands.map(named) });
  });

  it('refuses a command with a field missing, left over, of another type or out of bounds', () => {
    expect(decodeSessionCommand(pack([1, 1, 0, null, 2, 'k']))).to.equal(undefined);
    expect(decodeSessionCommand(pack([1, 1, 0, null, 2, 'k', 'v', null, 1]))).to.equal(undefined);
    expect(decodeSessionCommand(pack([1, 1, 0, null, 2, 'k', 7, null]))).to.equal(undefined);
    expect(decodeSessionCommand(pack([1, 1, 0, null, 2, 'k'.repeat(1025), 'v', null]))).to.equal(undefined);
    expect(decodeSessionCommand(pack([1, 1, 0, null, 10, 'no name', 1]))).to.equal(undefined);
    expect(decodeSessionCommand(pack([1, -1, 0, null, 19]))).to.equal(undefined);
    expect(decodeSessionCommand(pack([1, 1, 0, null, 99]))).to.equal(undefined);
  });

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeSessionCommand(bytes);
        decodeEntry(bytes);
        return typeof decodeFrame(1, bytes) === 'string';
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws on a command with one byte changed, and what it yields is a command', () => {
    const originals = commands.map((command) => encodeSessionCommand(named(command)));
    fc.assert(
      fc.property(fc.nat(originals.length - 1), fc.nat(), fc.nat(255), (which, at, byte) => {
        const bytes = new Uint8Array(originals[which] ?? []);
        bytes[at % bytes.length] = byte;
        const decoded = decodeSessionCommand(bytes);
        return decoded === undefined || commands.some(({ op }) => op === decoded.command.op);
      }),
      { numRuns: 3000 },
    );
  });

  it('brings answers back as they were', () => {
    const results: CommandResult[] = [
      { ok: true, index: 3, value: { kind: 'session', session: 3 } },
      { ok: true, index: 3, value: { kind: 'key', version: 3 } },
      { ok: true, index: 3, value: { kind: 'task', task, state: 'pending', created: true } },
      { ok: true, index: 3, value: { kind: 'none' } },
      { ok: false, index: 3, failure: { code: 'version_mismatch', detail: 'd', data: { version: 2 } } },
      { ok: false, index: 3, failure: { code: 'not_found', detail: 'd' } },
    ];

    expect(results.map((result) => readResult(resultFields(result)))).to.deep.equal(results);
  });
});

describe('wire: frames between nodes', () => {
  for (const frame of frames) {
    it(`brings a ${frame.kind} frame back as it was`, () => {
      expect(decodeFrame(7, encodeFrame(7, frame))).to.deep.equal(frame);
    });
  }

  it('tells frames of another cluster and of another version apart from malformed ones', () => {
    expect(decodeFrame(8, encodeFrame(7, { kind: 'ping' }))).to.equal('cluster');
    expect(decodeFrame(7, pack([wireVersion - 1, 7, 5]))).to.equal('version');
    expect(decodeFrame(7, pack([wireVersion, 7, 99]))).to.equal('malformed');
    expect(decodeFrame(7, pack([wireVersion, 7, 5, 'more']))).to.equal('malformed');
    expect(decodeFrame(7, new Uint8Array(9 * 1024 * 1024))).to.equal('too_large');
  });

  it('refuses a head or a snapshot whose chain or signature is too short, and too many heads', () => {
    const [snapshot] = messages.filter(({ type }) => type === 'InstallSnapshot');
    const short = new Uint8Array(31);
    const broken: readonly Frame[] = [
      { kind: 'heads', heads: [{ ...head, chain: short }] },
      { kind: 'heads', heads: [{ ...head, signature: short }] },
      { kind: 'heads', heads: [{ ...head, index: 0 }] },
      { kind: 'heads', heads: Array.from({ length: maxHeads + 1 }, () => head) },
      {
        kind: 'raft',
        messages: snapshot?.type === 'InstallSnapshot' ? [{ ...snapshot, snapshot: { ...snapshot.snapshot, chain: short } }] : [],
      },
    ];

    for (const frame of broken) expect(decodeFrame(1, encodeFrame(1, frame))).to.equal('malformed');
  });

  it('copies what is kept out of the lent bytes', () => {
    const bytes = new Uint8Array(encodeFrame(7, { kind: 'raft', messages }));
    const frame = decodeFrame(7, bytes);
    bytes.fill(0);

    expect(frame).to.deep.equal({ kind: 'raft', messages });
  });

  it('never throws on a frame with one byte changed', () => {
    const originals = frames.map((frame) => encodeFrame(7, frame));
    fc.assert(
      fc.property(fc.nat(originals.length - 1), fc.nat(), fc.nat(255), (which, at, byte) => {
        const bytes = new Uint8Array(originals[which] ?? []);
        bytes[at % bytes.length] = byte;
        const decoded = decodeFrame(7, bytes);
        return typeof decoded === 'string' || frames.some(({ kind }) => kind === decoded.kind);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('wire: snapshots', () => {
  it('packs records into chunks and brings them back in order', () => {
    const records = Array.from({ length: 5000 }, (_, i) => ['key', `k${i}`, 'v'.repeat(200)]);
    const chunks = [...encodeSnapshot(records, 256 * 1024)];

    expect(chunks.length).to.be.greaterThan(3);
    expect([...decodeSnapshot(chunks)]).to.deep.equal(records);
  });

  it('refuses a chunk that was cut or has more', () => {
    const [chunk = new Uint8Array()] = encodeSnapshot([['a'], ['b']], 256 * 1024);

    expect(() => [...decodeSnapshot([chunk.subarray(0, chunk.length - 1)])]).to.throw(RangeError);
    expect(() => [...decodeSnapshot([new Uint8Array([...chunk, 0])])]).to.throw(RangeError);
  });
});
