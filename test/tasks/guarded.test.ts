import { expect } from 'chai';
import type { GuardedCommand } from '../../src/tasks/apply-guarded.ts';
import type { CommandResult } from '../../src/tasks/commands.ts';
import type { StateLimits } from '../../src/tasks/limits.ts';
import { ClusterState } from '../../src/tasks/state.ts';
import { a1, Log, registration, startTs, submission, t1 } from './support.ts';

/** A log that also takes guarded commands. */
class GuardedLog extends Log {
  enact(command: GuardedCommand): CommandResult {
    this.index += 1;
    return this.state.enact(this.index, this.ts, command, this.events);
  }

  code(command: GuardedCommand): string {
    const result = this.enact(command);
    return result.ok ? 'done' : result.failure.code;
  }
}

let seq = 0;
const approved = (fields: Partial<GuardedCommand> = {}): GuardedCommand => ({
  proposal: `p${++seq}`,
  kind: 'deployment-approve',
  subject: 'deploy:web',
  payload: '',
  payloadDigest: 'd',
  epoch: 0,
  proposer: 1,
  proposerSeq: seq,
  notAfterMs: startTs + 60_000,
  ...fields,
});

const unlocking = (fields: Partial<GuardedCommand> = {}): GuardedCommand =>
  approved({ kind: 'secret-unlock', subject: 'secret:s', ...fields });
const withSecret = (limits: Partial<StateLimits> = {}): GuardedLog => {
  const log = new GuardedLog(limits);
  log.must({ op: 'PutSecret', name: 's', value: 'hush' });
  return log;
};
const isLocked = ({ state }: Log): boolean => state.secrets.get('s')?.unlockedUntilTs === undefined;

describe('tasks: decisions that the log carries out', () => {
  it('carries a decision out once, tells watchers, and tells a repeat where it was', () => {
    const log = new GuardedLog();
    const command = approved();

    const results = [log.enact(command), log.enact(command)];

    expect(results.map((result) => result.ok && result.value)).to.deep.equal([
      { kind: 'decision', index: 1 },
      { kind: 'decision', index: 1 },
    ]);
    expect([...log.state.decisions.all()]).to.have.length(1);
    expect(log.events).to.deep.equal([
      {
        kind: 'decision',
        index: 1,
        ts: startTs,
        proposal: command.proposal,
        decided: 'deployment-approve',
        subject: 'deploy:web',
        epoch: 0,
      },
    ]);
  });

  it('carries each item of a bundle out by itself', () => {
    const log = new GuardedLog();

    expect(
      [approved({ proposal: 'b', subject: 'x' }), approved({ proposal: 'b', subject: 'y' })].map((each) => log.code(each)),
    ).to.deep.equal(['done', 'done']);
    expect([...log.state.decisions.all()]).to.have.length(2);
  });

  it('refuses what comes too late, and what the log does not carry out, and remembers neither', () => {
    const log = new GuardedLog();
    log.ts = startTs + 60_001;

    expect(log.code(approved())).to.equal('wrong_state');
    expect(log.code(approved({ kind: 'membership', notAfterMs: log.ts }))).to.equal('invalid_argument');
    expect([...log.state.decisions.all()]).to.deep.equal([]);
  });

  it('remembers so many; what is as old as one that was forgotten is refused, in its epoch', () => {
    const log = new GuardedLog({ maxDecisions: 2 });
    const [first, ...rest] = [approved(), approved(), approved()];
    for (const command of [first, ...rest]) if (command !== undefined) log.enact(command);
    const older = approved({ proposerSeq: 0 });

    expect(log.code(first ?? older)).to.equal('already_completed');
    expect(log.code(older)).to.equal('already_completed');
    expect(log.code({ ...older, proposer: 2 })).to.equal('done');
    log.state.enterEpoch({ configuration: '', certificate: undefined });
    expect(log.code(older)).to.equal('done');
  });

  it('a secret is locked until a vote unlocks it, for the time of the payload, by the time of the log', () => {
    const log = withSecret();
    const before = isLocked(log);

    log.enact(unlocking({ payload: '{"forMs":1500}' }));
    const during = isLocked(log);
    const dueTs = log.state.nextDueTs();
    log.later(1500);
    log.tick();

    expect([before, during, isLocked(log)]).to.deep.equal([true, false, true]);
    expect(dueTs).to.equal(startTs + 1500);
  });

  it('locks a secret again that gets a new value', () => {
    const log = withSecret();
    log.enact(unlocking());

    log.must({ op: 'PutSecret', name: 's', value: 'other' });

    expect(isLocked(log)).to.equal(true);
  });

  it('unlocks no secret that is not there, nor for a time that is none; the vote may be carried out later', () => {
    const log = withSecret();
    const early = unlocking({ subject: 'secret:t' });

    expect(log.code(early)).to.equal('not_found');
    for (const payload of ['{', '{}', '{"forMs":0}', '{"forMs":3600001}', '{"forMs":1,"x":1}', 'null'])
      expect(log.code(unlocking({ payload })), payload).to.equal('invalid_argument');
    log.must({ op: 'PutSecret', name: 't', value: '' });
    expect(log.code(early)).to.equal('done');
  });

  it('holds so many secrets, and forgets those that are deleted', () => {
    const log = withSecret({ maxSecrets: 1 });

    expect(log.refusal({ op: 'PutSecret', name: 't', value: '' })).to.equal('overloaded');
    log.must({ op: 'DeleteSecret', name: 's' });
    expect(log.refusal({ op: 'DeleteSecret', name: 's' })).to.equal('not_found');
    log.must({ op: 'PutSecret', name: 't', value: '' });
  });

  it('ends a task by force, whoever holds it, and the holder is told that it is over', () => {
    const log = new GuardedLog();
    log.must(registration());
    log.must(submission());
    const fence = log.assign();
    log.must({ op: 'StartTask', task: t1, fence });

    const forced = log.code(approved({ kind: 'force', subject: 'end-task:t1' }));

    expect(forced).to.equal('done');
    expect(log.task()).to.include({ state: 'cancelled' });
    expect(log.load(a1)).to.equal(0);
    expect(log.refusal({ op: 'CompleteTask', task: t1, fence, result: '1' })).to.be.a('string');
    expect(log.code(approved({ kind: 'force', subject: 'end-task:t1' }))).to.equal('wrong_state');
    expect(log.code(approved({ kind: 'force', subject: 'end-task:t9' }))).to.equal('unknown_task');
    expect(log.code(approved({ kind: 'force', subject: 't1' }))).to.equal('unknown_task');
  });

  it('is whole in a snapshot', () => {
    const log = withSecret({ maxDecisions: 1 });
    log.state.enterEpoch({ configuration: 'Y29uZg==', certificate: undefined });
    log.state.enterEpoch({ configuration: 'Y29uZg==', certificate: 'Y2VydA==' });
    for (let i = 0; i < 2; i++) log.enact(unlocking({ epoch: 2 }));

    const restored = ClusterState.restore([...log.state.snapshot()], { maxDecisions: 1 });

    expect(restored.hash()).to.equal(log.state.hash());
    expect(restored.epochs.all()).to.deep.equal(log.state.epochs.all());
    expect([...restored.decisions.forgotten()]).to.deep.equal([...log.state.decisions.forgotten()]);
    expect(restored.secrets.get('s')).to.deep.equal(log.state.secrets.get('s'));
  });
});
