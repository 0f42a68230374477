import { expect } from 'chai';
import { taskId } from '../../src/core/ids.ts';
import type { SnapshotRecord } from '../../src/tasks/snapshot.ts';
import { ClusterState } from '../../src/tasks/state.ts';
import { a1, Log, registration, submission, t1, t2, t3 } from './support.ts';

/** A state with something of everything. */
function full(): Log {
  const log = new Log();
  log.must(registration({ capabilities: ['x'], swarms: ['red'], labels: { b: '2', a: '1' }, role: 'primary', group: 'g', weight: 3 }));
  const session = log.openSession();
  log.applyIn(session, 1, 0, { op: 'PutKey', key: 'b', value: 'é', ifVersion: undefined });
  log.applyIn(session, 3, 0, { op: 'PutKey', key: 'a', value: '', ifVersion: undefined });
  log.applyIn(session, 2, 0, { op: 'DeleteKey', key: 'a', ifVersion: 9_999 });
  log.applyIn(
    session,
    4,
    0,
    submission({ requires: ['x'], swarm: 'red', deadlineMs: 60_000, backoff: { baseMs: 10, factor: 1.7, maxMs: 99 } }),
    'key',
  );
  log.must(submission({ task: t2, delayMs: 5_000 }));
  log.must(submission({ task: t3 }));
  const fence = log.assign();
  log.must({ op: 'CheckpointTask', task: t1, fence, seq: 1, digest: 'd', ref: 'r' });
  log.must({ op: 'FailTask', task: t3, fence: log.assign(t3), error: 'no', retryable: false });
  log.refusal({ op: 'CompleteTask', task: t3, fence: log.task(t3).fence, result: '"late"' });
  log.must(submission({ task: taskId('t4') }));
  log.must({ op: 'CancelTask', task: taskId('t4') });
  log.later(3_600_000);
  log.must(submission({ task: taskId('t5') }));
  log.must({ op: 'Tick' });
  return log;
}

const copy = (records: Iterable<SnapshotRecord>): SnapshotRecord[] => JSON.parse(JSON.stringify([...records])) as SnapshotRecord[];

describe('tasks: snapshot', () => {
  it('is plain data, from which the same state comes back: records, hash and all that is derived', () => {
    const { state } = full();

    const restored = ClusterState.restore(copy(state.snapshot()));

    expect(copy(restored.snapshot())).to.deep.equal(copy(state.snapshot()));
    expect(restored.hash()).to.equal(state.hash());
    expect([restored.ts, restored.index, restored.nextDueTs()]).to.deep.equal([state.ts, state.index, state.nextDueTs()]);
    expect([...restored.registry.all()]).to.deep.equal([...state.registry.all()]);
    expect([...restored.tasks]).to.deep.equal([...state.tasks]);
    expect(restored.tasks.counts()).to.deep.equal(state.tasks.counts());
    expect(Array.from(restored.tasks.assignedTo(a1), ({ id }) => id)).to.deep.equal(Array.from(state.tasks.assignedTo(a1), ({ id }) => id));
    expect([restored.keys.text, restored.sessions.results, restored.idempotency.size]).to.deep.equal([
      state.keys.text,
      state.sessions.results,
      state.idempotency.size,
    ]);
  });

  it('holds sessions and idempotency keys: a repeat is recognised by a restored node', () => {
    const log = new Log();
    const session = log.openSession();
    const first = log.applyIn(session, 1, 0, submission(), 'key');
    const failed = log.applyIn(session, 2, 0, { op: 'DeleteKey', key: 'k', ifVersion: 3 });

    log.state = ClusterState.restore(copy(log.state.snapshot()));

    expect(log.openSession()).to.equal(session);
    expect(log.applyIn(session, 1, 0, submission(), 'key')).to.deep.equal(first);
    expect(log.applyIn(session, 2, 0, { op: 'DeleteKey', key: 'k', ifVersion: 3 })).to.deep.equal(failed);
    expect(log.apply(submission({ task: t2, digest: 'digest of t1' }), 'key')).to.deep.equal(first);
    expect(log.state.tasks.size).to.equal(1);
  });

  it('is frozen at one moment: what is applied later does not show in it', () => {
    const log = full();
    const before = copy(log.state.snapshot());

    const { records } = log.state.freeze();
    log.must({ op: 'DeregisterAgent', agent: a1 });
    log.must({ op: 'PutKey', key: 'b', value: 'changed', ifVersion: undefined });
    log.later(1_000_000);
    log.tick();

    expect(copy(records)).to.deep.equal(before);
  });

  it('can be frozen again once the one before is released, and not before', () => {
    const log = full();

    const first = log.state.freeze();
    expect(() => log.state.freeze()).to.throw('frozen at a time');
    log.must({ op: 'PutKey', key: 'b', value: 'changed', ifVersion: undefined });
    first.release();
    const second = log.state.freeze();
    log.must({ op: 'PutKey', key: 'b', value: 'changed again', ifVersion: undefined });

    expect(copy(second.records)).to.deep.include(['key', 'b', 'changed', log.state.index - 1]);
  });

  it('splits the results of a busy session into small records', () => {
    const log = new Log();
    const session = log.openSession();
    for (let seq = 1; seq <= 600; seq++) log.applyIn(session, seq, 0, { op: 'PutKey', key: 'k', value: '', ifVersion: undefined });

    const kinds = [...log.state.snapshot()].map(([kind]) => kind);
    const restored = ClusterState.restore(copy(log.state.snapshot()));

    expect(kinds.filter((kind) => kind === 'results')).to.have.length(3);
    expect(restored.sessions.results).to.equal(600);
  });

  it('an empty state makes a snapshot too', () => {
    const state = new ClusterState();

    expect(ClusterState.restore(copy(state.snapshot())).hash()).to.equal(state.hash());
  });

  it('refuses what it did not make', () => {
    const records = copy(full().state.snapshot());
    const wrong: readonly SnapshotRecord[][] = [
      [],
      records.slice(1),
      records.slice(0, -1),
      [...records.slice(0, 1), ...records.slice(2)],
      [...records, ['key', 'k', 'v', 1]],
      [
        ['state', 99, 1, 1],
        ['end', 1],
      ],
      [['state', 1, 1, 1], ['surprise'], ['end', 2]],
      [
        ['state', 1, 1, 1],
        ['key', 'k', 'v'],
        ['end', 2],
      ],
      [
        ['state', 1, 1, 1],
        ['key', 'k', 7, 1],
        ['end', 2],
      ],
      [
        ['state', 1, 1, 1],
        ['results', 1, []],
        ['end', 2],
      ],
    ];

    for (const [i, each] of wrong.entries()) expect(() => ClusterState.restore(each), `case ${i}`).to.throw(RangeError);
  });
});

describe('tasks: state', () => {
  it('applies an entry once and in order, or stops', () => {
    const log = full();

    expect(() =>
      log.state.apply(log.index, log.ts, { session: 0, seq: 0, acked: 0, idempotencyKey: undefined, command: { op: 'Tick' } }, []),
    ).to.throw();
  });

  it('its time never goes back', () => {
    const log = full();
    const { ts } = log.state;

    log.ts -= 5_000;
    log.must(submission({ task: taskId('late') }));

    expect(log.state.ts).to.equal(ts);
    expect(log.task(taskId('late')).createdTs).to.equal(ts);
  });

  it('lists tasks by creation, filtered, page by page', () => {
    const log = new Log();
    for (let i = 0; i < 10; i++) log.must(submission({ task: taskId(`t${i}`), type: i % 2 === 0 ? 'even' : 'odd' }));
    for (const name of ['t2', 't3', 't8']) log.must({ op: 'CancelTask', task: taskId(name) });
    const filter = { state: undefined, type: undefined, agent: undefined };

    const first = log.state.tasks.list(filter, 0, 4);
    const rest = log.state.tasks.list(filter, first.next ?? 0, 99);
    const evenPending = log.state.tasks.list({ ...filter, state: 'pending', type: 'even' }, 0, 99);

    expect([...first.items, ...rest.items].map(({ id }) => id)).to.deep.equal(Array.from({ length: 10 }, (_, i) => `t${i}`));
    expect([first.next, rest.next]).to.deep.equal([4, undefined]);
    expect(evenPending.items.map(({ id }) => id)).to.deep.equal(['t0', 't4', 't6']);
  });
});

describe('tasks: agents', () => {
  it('a generation is the index of its registration, and what the older one held is requeued', () => {
    const log = new Log();
    log.must(registration());
    log.must(submission());
    log.assign();

    const value = log.must(registration({ concurrency: 9 }));

    expect(value).to.deep.equal({ kind: 'agent', generation: log.index });
    expect(log.task()).to.include({ state: 'pending', agent: undefined });
    expect(log.state.registry.get(a1)).to.include({ load: 0, concurrency: 9, state: 'up' });
  });

  it('a draining agent finishes what it holds; one that left leaves nothing behind', () => {
    const log = new Log();
    log.must(registration());
    log.must(submission());
    const fence = log.assign();

    log.must({ op: 'DrainAgent', agent: a1 });
    log.must({ op: 'DrainAgent', agent: a1 });
    log.must({ op: 'StartTask', task: t1, fence });
    const state = log.task().state;
    log.must({ op: 'DeregisterAgent', agent: a1 });

    expect(state).to.equal('running');
    expect(log.task().state).to.equal('pending');
    expect(log.state.registry.get(a1)).to.equal(undefined);
    expect(log.events.flatMap((event) => (event.kind === 'agent' ? [event.state] : []))).to.deep.equal(['up', 'draining', 'gone']);
  });

  it('says when an agent is unknown, down, or one too many; a lost one makes room', () => {
    const log = new Log({ maxAgents: 1 });
    const unknown = [log.refusal({ op: 'DrainAgent', agent: a1 }), log.refusal({ op: 'DeregisterAgent', agent: a1 })];
    log.must(registration());
    const other = registration({ agent: 'other' as typeof a1 });

    const tooMany = log.refusal(other);
    log.must({ op: 'AgentsDown', agents: [{ agent: a1, generation: 3 }] });
    const down = log.refusal({ op: 'DrainAgent', agent: a1 });
    log.must(other);

    expect(unknown).to.deep.equal(['unknown_agent', 'unknown_agent']);
    expect([tooMany, down]).to.deep.equal(['overloaded', 'wrong_state']);
    expect(Array.from(log.state.registry.all(), ({ id }) => id)).to.deep.equal(['other']);
  });
});
