import { expect } from 'chai';
import type { CommandResult, PutKey } from '../../src/tasks/commands.ts';
import { Log, registration, submission, t1, t2 } from './support.ts';

const put = (key: string, value: string): PutKey => ({ op: 'PutKey', key, value, ifVersion: undefined });
const code = (result: CommandResult): string | undefined => (result.ok ? undefined : result.failure.code);

describe('tasks: sessions (Raft thesis 6.3)', () => {
  it('the index of its entry names a session, and a repeated nonce finds it', () => {
    const log = new Log();
    log.must(put('k', '1'));

    const first = log.openSession('x');
    const other = log.openSession('y');
    const again = log.openSession('x');

    expect([first, other, again]).to.deep.equal([2, 3, 2]);
    expect(log.state.sessions.size).to.equal(2);
  });

  it('a command that comes twice is executed once and answered alike', () => {
    const log = new Log();
    const session = log.openSession();

    const first = log.applyIn(session, 1, 0, put('k', '1'));
    log.must(put('k', '2'));
    const again = log.applyIn(session, 1, 0, put('k', '1'));

    expect(again).to.equal(first);
    expect(log.state.keys.get('k')?.value).to.equal('2');
    expect(log.events).to.have.length(2);
  });

  it('a refusal is remembered like a success', () => {
    const log = new Log();
    const session = log.openSession();

    const first = log.applyIn(session, 1, 0, { op: 'DeleteKey', key: 'k', ifVersion: undefined });
    log.must(put('k', '1'));
    const again = log.applyIn(session, 1, 0, { op: 'DeleteKey', key: 'k', ifVersion: undefined });

    expect(code(first)).to.equal('not_found');
    expect(again).to.equal(first);
    expect(log.state.keys.get('k')?.value).to.equal('1');
  });

  it('commands of one session may arrive in any order', () => {
    const log = new Log();
    const session = log.openSession();

    for (const seq of [3, 1, 2, 3, 1, 4, 2]) log.applyIn(session, seq, 0, put(`k${seq}`, String(log.index)));

    expect(log.state.keys.list('', undefined, 10).map(({ key, version }) => [key, version])).to.deep.equal([
      ['k1', 3],
      ['k2', 4],
      ['k3', 2],
      ['k4', 7],
    ]);
  });

  it('what the client has acknowledged is forgotten, and never executed again', () => {
    const log = new Log();
    const session = log.openSession();
    for (let seq = 1; seq <= 5; seq++) log.applyIn(session, seq, 0, put('k', String(seq)));

    log.applyIn(session, 6, 4, put('k', '6'));
    const acknowledged = log.applyIn(session, 3, 0, put('k', 'again'));
    const known = log.applyIn(session, 5, 2, put('k', 'again'));

    expect(log.state.sessions.results).to.equal(2);
    expect(code(acknowledged)).to.equal('session_expired');
    expect(known.ok && known.index).to.equal(6);
    expect(log.state.keys.get('k')?.value).to.equal('6');
  });

  it('a number that was skipped and then acknowledged is never executed', () => {
    const log = new Log();
    const session = log.openSession();

    log.applyIn(session, 1_000_000_000, 999_999_999, put('k', 'new'));
    const late = log.applyIn(session, 7, 0, put('k', 'old'));

    expect(code(late)).to.equal('session_expired');
    expect(log.state.keys.get('k')?.value).to.equal('new');
  });

  it('a client cannot acknowledge the command it is asking for', () => {
    const log = new Log();
    const session = log.openSession();

    const result = log.applyIn(session, 1, 99, put('k', '1'));
    const again = log.applyIn(session, 1, 99, put('k', '1'));

    expect(result.ok).to.equal(true);
    expect(again).to.equal(result);
  });

  it('refuses numbers that are none', () => {
    const log = new Log();
    const session = log.openSession();

    const codes = [0, -1, 0.5, Number.NaN, 2 ** 53].map((seq) => code(log.applyIn(session, seq, 0, put('k', '1'))));

    expect(codes).to.deep.equal(codes.map(() => 'invalid_argument'));
    expect(log.state.keys.size).to.equal(0);
  });

  it('an unknown session executes nothing', () => {
    const log = new Log();

    const result = log.applyIn(42, 1, 0, put('k', '1'));

    expect(code(result)).to.equal('session_expired');
    expect(log.state.keys.size).to.equal(0);
  });

  it('a session without room refuses, remembers that it refused, and goes on once there is room', () => {
    const log = new Log({ maxSessionResults: 2 });
    const session = log.openSession();
    for (let seq = 1; seq <= 2; seq++) log.applyIn(session, seq, 0, put(`k${seq}`, ''));

    const refused = log.applyIn(session, 3, 0, put('k3', ''));
    const next = log.applyIn(session, 4, 2, put('k4', ''));
    const copy = log.applyIn(session, 3, 2, put('k3', ''));

    expect([code(refused), code(next)]).to.deep.equal(['overloaded', undefined]);
    expect(copy).to.equal(refused);
    expect(log.state.keys.get('k3')).to.equal(undefined);
  });

  it('a session without room even for refusals ends', () => {
    const log = new Log({ maxSessionResults: 2 });
    const session = log.openSession();

    const codes = [1, 2, 3, 4, 5, 6].map((seq) => code(log.applyIn(session, seq, 0, put(`k${seq}`, ''))));

    expect(codes).to.deep.equal([undefined, undefined, 'overloaded', 'overloaded', 'session_expired', 'session_expired']);
    expect([log.state.sessions.size, log.state.sessions.results]).to.deep.equal([0, 0]);
  });

  it('expires with a Tick after an hour without use, by the time of the log', () => {
    const log = new Log();
    const session = log.openSession();
    log.later(3_000_000);
    log.applyIn(session, 1, 0, put('k', '1'));

    log.later(3_599_999);
    log.tick();
    const before = log.state.sessions.has(session);
    const due = log.state.nextDueTs() ?? 0;
    log.later(1);
    log.tick();

    expect(before).to.equal(true);
    expect(due - log.ts).to.be.within(0, 10_000);
    expect(log.state.sessions.has(session)).to.equal(false);
    expect(code(log.applyIn(session, 1, 0, put('k', '1')))).to.equal('session_expired');
  });

  it('the least recently used session makes room', () => {
    const log = new Log({ maxSessions: 2 });
    const x = log.openSession('x');
    const y = log.openSession('y');
    log.later(1_000);
    log.applyIn(x, 1, 0, put('k', '1'));

    const z = log.openSession('z');

    expect([x, y, z].map((session) => log.state.sessions.has(session))).to.deep.equal([true, false, true]);
  });

  it('the results of all sessions have a bound, kept at the cost of the least recently used one', () => {
    const log = new Log({ maxResults: 3 });
    const x = log.openSession('x');
    const y = log.openSession('y');
    for (let seq = 1; seq <= 2; seq++) log.applyIn(x, seq, 0, put('k', ''));
    for (let seq = 1; seq <= 2; seq++) log.applyIn(y, seq, 0, put('k', ''));

    expect([x, y].map((session) => log.state.sessions.has(session))).to.deep.equal([false, true]);
    expect(log.state.sessions.results).to.equal(2);
  });
});

describe('tasks: idempotency keys', () => {
  it('a key gives the first answer, whatever session and node it comes from', () => {
    const log = new Log();
    const x = log.openSession('x');
    const y = log.openSession('y');
    const body = submission({ digest: 'body' });

    const first = log.applyIn(x, 1, 0, body, 'key');
    const again = log.applyIn(y, 1, 0, { ...body, task: t2 }, 'key');

    expect(again).to.equal(first);
    expect(log.state.tasks.get(t2)).to.equal(undefined);
    expect(log.applyIn(y, 1, 0, { ...body, task: t2 }, 'key')).to.equal(first);
  });

  it('a key that was used for another request is a conflict', () => {
    const log = new Log();
    log.apply(put('k', '1'), 'key');

    const otherContent = log.apply(put('k', '2'), 'key');
    const otherCommand = log.apply(submission(), 'key');

    expect([code(otherContent), code(otherCommand)]).to.deep.equal(['idempotency_conflict', 'idempotency_conflict']);
    expect(log.state.keys.get('k')?.value).to.equal('1');
    expect(log.state.tasks.size).to.equal(0);
  });

  it('the node that took a registration, and the order of its labels, make no other request of it', () => {
    const log = new Log();

    const first = log.apply(registration({ node: 'n1', labels: { a: '1', b: '2' } }), 'key');
    const again = log.apply(registration({ node: 'n2', labels: { b: '2', a: '1' } }), 'key');

    expect(again).to.equal(first);
  });

  it('a refusal is the answer too, but for a want of room', () => {
    const log = new Log({ maxKeys: 1 });
    const guarded: PutKey = { op: 'PutKey', key: 'k', value: '1', ifVersion: 9 };

    const mismatch = log.apply(guarded, 'guarded');
    log.must(put('k', '1'));
    const full = log.apply(put('l', '1'), 'full');
    log.must({ op: 'DeleteKey', key: 'k', ifVersion: undefined });

    expect(log.apply(guarded, 'guarded')).to.equal(mismatch);
    expect(code(full)).to.equal('overloaded');
    expect(log.apply(put('l', '1'), 'full').ok).to.equal(true);
  });

  it('keys are bounded by number and by age', () => {
    const log = new Log({ maxIdempotencyKeys: 2 });
    for (const key of ['a', 'b', 'c']) log.apply(submission({ task: t1 }), key);

    const forgotten = log.apply(put('k', '1'), 'a');
    const known = log.apply(put('k', '1'), 'c');
    log.later(86_400_000);
    log.tick();
    const aged = log.apply(put('k', '1'), 'c');

    expect([code(forgotten), code(known), code(aged)]).to.deep.equal([undefined, 'idempotency_conflict', undefined]);
  });

  it('refuses keys that are none', () => {
    const log = new Log();

    expect(code(log.apply(put('k', '1'), ''))).to.equal('invalid_argument');
    expect(code(log.apply(put('k', '1'), 'x'.repeat(513)))).to.equal('invalid_argument');
  });
});
