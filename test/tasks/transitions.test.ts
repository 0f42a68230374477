import { expect } from 'chai';
import { agentId, taskId } from '../../src/core/ids.ts';
import type { Command } from '../../src/tasks/commands.ts';
import { fenceOf, taskStates } from '../../src/tasks/task.ts';
import { a1, a2, Log, registration, submission, t1, t2, t3, taskIn } from './support.ts';

const held = ['assigned', 'running'] as const;
const waiting = ['pending', 'retry_wait'] as const;

describe("tasks: a client's commands (protocols 5.3)", () => {
  it('row 1: a submission makes a pending task, due after its delay', () => {
    const log = new Log();

    const value = log.must(submission({ delayMs: 500, deadlineMs: 9_000 }));

    expect(value).to.deep.equal({ kind: 'task', task: t1, state: 'pending', created: true });
    expect(log.task()).to.include({ attempt: 0, fence: 0, createdIndex: 1, notBeforeTs: log.ts + 500, deadlineTs: log.ts + 9_000 });
  });

  it('row 1: no task is taken beyond the bound on live ones, and room made by an end is used again', () => {
    const log = new Log({ maxTasks: 1 });
    log.must(submission());

    const code = log.refusal(submission({ task: t2 }));
    log.must({ op: 'CancelTask', task: t1 });
    const value = log.must(submission({ task: t2 }));

    expect(code).to.equal('overloaded');
    expect(value).to.include({ created: true });
  });

  it('row 1: payloads have a bound of their own', () => {
    const log = new Log({ maxTaskText: 10 });
    log.must(submission({ payload: '"123456"' }));

    const code = log.refusal(submission({ task: t2, payload: '123' }));

    expect(code).to.equal('overloaded');
  });

  it('row 1: fields out of bounds are refused and never stop a node', () => {
    const log = new Log();
    const wrong = [
      { priority: 10 },
      { priority: 0.5 },
      { priority: Number.NaN },
      { maxAttempts: 0 },
      { delayMs: -1 },
      { delayMs: Number.POSITIVE_INFINITY },
      { type: '' },
      { backoff: { baseMs: 1, factor: 0.5, maxMs: 1 } },
      { task: 'a b' as typeof t1 },
    ];

    const codes = wrong.map((fields) => log.refusal(submission(fields)));

    expect(codes).to.deep.equal(wrong.map(() => 'invalid_argument'));
    expect(log.refusal(submission({ payload: 'x'.repeat(2 ** 18 + 1) }))).to.equal('too_large');
    expect(log.state.tasks.size).to.equal(0);
  });

  for (const state of taskStates) {
    it(`row 2: the same id and body finds the ${state} task; another body is a conflict`, () => {
      const log = taskIn(state);
      const before = log.task().history.length;

      const repeated = log.must(submission(state === 'expired' ? { deadlineMs: 1_000 } : {}));
      const code = log.refusal(submission({ digest: 'another' }));

      expect(repeated).to.deep.equal({ kind: 'task', task: t1, state, created: false });
      expect(code).to.equal('id_conflict');
      expect(log.task()).to.include({ state });
      expect(log.task().history.length).to.equal(before);
    });
  }

  for (const state of waiting) {
    it(`row 15: a ${state} task is cancelled at once`, () => {
      const log = taskIn(state);

      log.must({ op: 'CancelTask', task: t1 });

      expect(log.task()).to.include({ state: 'cancelled', cancelReason: 'client', endedTs: log.ts });
    });
  }

  for (const state of held) {
    it(`row 16: an ${state} task is cancelling until its holder is through`, () => {
      const log = taskIn(state);

      log.must({ op: 'CancelTask', task: t1 });

      expect(log.task()).to.include({ state: 'cancelling', agent: a1 });
      expect(log.load()).to.equal(1);
    });
  }

  for (const state of ['cancelling', 'succeeded', 'dead', 'cancelled', 'expired'] as const) {
    it(`refuses to cancel a ${state} task`, () => {
      const log = taskIn(state);

      const result = log.apply({ op: 'CancelTask', task: t1 });

      expect(result).to.deep.include({ ok: false });
      expect(!result.ok && result.failure).to.deep.include({ code: 'wrong_state', data: { state } });
    });
  }

  for (const state of ['dead', 'expired', 'cancelled'] as const) {
    it(`row 21: a ${state} task starts over, in its old place by creation and with a full time to its deadline`, () => {
      const log = taskIn(state);
      const { createdIndex, fence } = log.task();
      log.later(70_000);

      log.must({ op: 'RetryTask', task: t1 });

      const deadlineTs = state === 'expired' ? log.ts + 1_000 : undefined;
      expect(log.task()).to.include({
        state: 'pending',
        attempt: 0,
        releases: 0,
        createdIndex,
        fence,
        agent: undefined,
        error: undefined,
        endedTs: undefined,
      });
      expect(log.task().deadlineTs).to.equal(deadlineTs);
      expect(log.assign()).to.be.above(fence);
    });
  }

  for (const state of ['pending', 'assigned', 'running', 'retry_wait', 'cancelling', 'succeeded'] as const) {
    it(`refuses to revive a ${state} task`, () => {
      const log = taskIn(state);

      expect(log.refusal({ op: 'RetryTask', task: t1 })).to.equal('wrong_state');
    });
  }

  it('says that a task is unknown', () => {
    const log = new Log();
    const fence = 1;
    const commands: readonly Command[] = [
      { op: 'CancelTask', task: t1 },
      { op: 'RetryTask', task: t1 },
      { op: 'StartTask', task: t1, fence },
      { op: 'CheckpointTask', task: t1, fence, seq: 1, digest: 'd', ref: 'r' },
      { op: 'CompleteTask', task: t1, fence, result: '1' },
      { op: 'FailTask', task: t1, fence, error: 'e', retryable: true },
      { op: 'ReleaseTask', task: t1, fence },
      { op: 'CancelAck', task: t1, fence },
    ];

    const codes = commands.map((command) => log.refusal(command));

    expect(codes).to.deep.equal(commands.map(() => 'unknown_task'));
  });
});

describe("tasks: the leader's assignments (protocols 5.3, row 3)", () => {
  it('an assignment raises fence, attempt and load', () => {
    const log = taskIn('pending');

    const fence = log.assign();

    expect(fence).to.equal(fenceOf(log.index, 0));
    expect(log.task()).to.include({ state: 'assigned', attempt: 1, agent: a1, generation: 1 });
    expect(log.load()).to.equal(1);
  });

  it('a bad pair is skipped alone, and fences of one batch rise', () => {
    const log = new Log();
    log.must(registration());
    for (const task of [t1, t2, t3]) log.must(submission({ task }));
    const pair = (task: typeof t1, generation = 1, agent = a1) => ({ task, agent, generation });

    log.must({ op: 'AssignTasks', assignments: [pair(t1), pair(t1), pair(t2, 99), pair(taskId('none')), pair(t2, 1, a2), pair(t3)] });

    expect(log.task(t1)).to.include({ state: 'assigned', fence: fenceOf(log.index, 0), attempt: 1 });
    expect(log.task(t2)).to.include({ state: 'pending', fence: 0 });
    expect(log.task(t3)).to.include({ state: 'assigned', fence: fenceOf(log.index, 5) });
    expect(log.load()).to.equal(2);
  });

  const unfit: readonly (readonly [string, (log: Log) => void])[] = [
    ['is draining', (log) => log.must({ op: 'DrainAgent', agent: a1 })],
    ['is down', (log) => log.must({ op: 'AgentsDown', agents: [{ agent: a1, generation: 1 }] })],
    ['is gone', (log) => log.must({ op: 'DeregisterAgent', agent: a1 })],
  ];
  for (const [what, make] of unfit) {
    it(`gives nothing to an agent that ${what}`, () => {
      const log = taskIn('pending');
      make(log);

      log.assign();

      expect(log.task()).to.include({ state: 'pending', fence: 0, attempt: 0 });
    });
  }

  it('asks for every capability and for the swarm', () => {
    const log = new Log();
    log.must(registration({ agent: a1, capabilities: ['gpu'], swarms: ['red'] }));
    log.must(registration({ agent: a2, capabilities: ['gpu', 'linux'], swarms: ['blue'] }));
    log.must(submission({ task: t1, requires: ['gpu', 'linux'] }));
    log.must(submission({ task: t2, requires: ['gpu'], swarm: 'red' }));

    log.assign(t1, a1);
    log.assign(t2, a2);
    const refused = [log.task(t1).state, log.task(t2).state];
    log.assign(t1, a2);
    log.assign(t2, a1);

    expect(refused).to.deep.equal(['pending', 'pending']);
    expect([log.task(t1).agent, log.task(t2).agent]).to.deep.equal([a2, a1]);
  });

  it('never fills an agent beyond its concurrency', () => {
    const log = new Log();
    log.must(registration({ concurrency: 1 }));
    log.must(submission({ task: t1 }));
    log.must(submission({ task: t2 }));

    log.assign(t1);
    log.assign(t2);

    expect(log.task(t2).state).to.equal('pending');
    expect(log.load()).to.equal(1);
  });

  it('waits for the delay, and gives up at the deadline', () => {
    const log = new Log();
    log.must(registration());
    log.must(submission({ task: t1, delayMs: 100 }));
    log.must(submission({ task: t2, deadlineMs: 100 }));

    log.assign(t1);
    const early = log.task(t1).state;
    log.later(100);
    log.assign(t1);
    log.assign(t2);

    expect(early).to.equal('pending');
    expect(log.task(t1).state).to.equal('assigned');
    expect(log.task(t2).state).to.equal('pending');
  });

  it('passes over an agent that lost the task, unless no other could take it, and not for ever', () => {
    const log = taskIn('assigned', { maxAttempts: 9 });
    log.must({ op: 'ExpireLeases', leases: [{ task: t1, fence: log.task().fence }] });

    log.assign();
    const alone = log.task().state;
    log.must({ op: 'ExpireLeases', leases: [{ task: t1, fence: log.task().fence }] });
    log.must(registration({ agent: a2 }));
    log.assign();
    const withAnother = log.task().state;
    log.later(30_000);
    log.assign();

    expect([alone, withAnother]).to.deep.equal(['assigned', 'pending']);
    expect(log.task()).to.include({ state: 'assigned', agent: a1 });
  });

  it('leaves a client no way to do what only the leader may', () => {
    const log = taskIn('pending');
    const session = log.openSession();

    const result = log.applyIn(session, 1, 0, { op: 'AssignTasks', assignments: [{ task: t1, agent: a1, generation: 1 }] });

    expect(result).to.deep.include({ ok: false });
    expect(log.task().state).to.equal('pending');
  });
});

describe("tasks: a holder's commands (protocols 5.3)", () => {
  it('row 4: the holder starts the task, once or again', () => {
    const log = taskIn('assigned');
    const { fence } = log.task();

    log.must({ op: 'StartTask', task: t1, fence });
    const again = log.must({ op: 'StartTask', task: t1, fence });

    expect(again).to.include({ state: 'running' });
    expect(log.task().history.map((item) => item.state)).to.deep.equal(['pending', 'assigned', 'running']);
  });

  for (const state of held) {
    it(`row 5: checkpoints of an ${state} task only go forward`, () => {
      const log = taskIn(state);
      const { fence } = log.task();
      const checkpoint = (seq: number, digest: string): Command => ({ op: 'CheckpointTask', task: t1, fence, seq, digest, ref: 'r' });

      log.must(checkpoint(2, 'b'));
      log.must(checkpoint(2, 'b'));
      const codes = [log.refusal(checkpoint(2, 'c')), log.refusal(checkpoint(1, 'a'))];

      expect(codes).to.deep.equal(['wrong_state', 'wrong_state']);
      expect(log.task().checkpoint).to.deep.equal({ seq: 2, digest: 'b', ref: 'r' });
      expect(log.task().state).to.equal(state);
    });

    it(`row 6: an ${state} task succeeds with its result, and its agent is free`, () => {
      const log = taskIn(state);

      log.must({ op: 'CompleteTask', task: t1, fence: log.task().fence, result: '42' });

      expect(log.task()).to.include({ state: 'succeeded', result: '42', agent: a1, endedTs: log.ts });
      expect(log.load()).to.equal(0);
    });

    it(`row 9: an ${state} task that fails waits and comes back`, () => {
      const log = taskIn(state);

      log.must({ op: 'FailTask', task: t1, fence: log.task().fence, error: 'broken', retryable: true });

      expect(log.task()).to.include({ state: 'retry_wait', error: 'broken', agent: undefined, attempt: 1 });
      expect(log.task().notBeforeTs - log.ts).to.be.within(750, 1_000);
      expect(log.load()).to.equal(0);
    });

    it(`row 10: an ${state} task that is released comes back without a penalty`, () => {
      const log = taskIn(state);

      log.must({ op: 'ReleaseTask', task: t1, fence: log.task().fence });

      expect(log.task()).to.include({ state: 'pending', attempt: 0, releases: 1, agent: undefined });
      expect(log.task().excluded).to.deep.equal([]);
      expect(log.load()).to.equal(0);
    });
  }

  it('row 7: the same completion again is welcome, another result is not', () => {
    const log = taskIn('succeeded');
    const { fence } = log.task();

    const again = log.must({ op: 'CompleteTask', task: t1, fence, result: '1' });
    const code = log.refusal({ op: 'CompleteTask', task: t1, fence, result: '2' });

    expect(again).to.include({ state: 'succeeded' });
    expect(code).to.equal('already_completed');
    expect(log.task().result).to.equal('1');
  });

  it('row 8: a holder that was replaced changes nothing, and its result is kept apart', () => {
    const log = taskIn('running');
    const old = log.task().fence;
    log.must(registration({ agent: a2 }));
    log.must({ op: 'ExpireLeases', leases: [{ task: t1, fence: old }] });
    const fence = log.assign(t1, a2);
    const late: readonly Command[] = [
      { op: 'StartTask', task: t1, fence: old },
      { op: 'CheckpointTask', task: t1, fence: old, seq: 1, digest: 'd', ref: 'r' },
      { op: 'CompleteTask', task: t1, fence: old, result: '"late"' },
      { op: 'CompleteTask', task: t1, fence: old, result: '"late"' },
      { op: 'FailTask', task: t1, fence: old, error: 'e', retryable: false },
      { op: 'ReleaseTask', task: t1, fence: old },
      { op: 'CancelAck', task: t1, fence: old },
    ];

    const first = log.index + 1;
    const failures = late.map((command) => log.apply(command)).map((result) => !result.ok && [result.failure.code, result.failure.data]);

    expect(failures).to.deep.equal(late.map(() => ['stale_fence', { fence, state: 'assigned' }]));
    expect(log.task()).to.include({ state: 'assigned', agent: a2, result: undefined });
    expect(log.state.tasks.orphans()).to.deep.equal([{ task: t1, fence: old, index: first + 2, ts: log.ts, result: '"late"' }]);
  });

  for (const state of ['pending', 'retry_wait'] as const) {
    it(`row 8: a lease that was lost is not found again while the task is ${state}, though its fence is still the newest`, () => {
      const log = taskIn('assigned');
      const { fence } = log.task();
      if (state === 'pending') log.must({ op: 'ExpireLeases', leases: [{ task: t1, fence }] });
      else log.must({ op: 'FailTask', task: t1, fence, error: 'e', retryable: true });

      const code = log.refusal({ op: 'CompleteTask', task: t1, fence, result: '1' });

      expect(log.task().fence).to.equal(fence);
      expect(code).to.equal('stale_fence');
      expect(log.task().state).to.equal(state);
    });
  }

  it('row 8: a fence from the future is stale too, and no orphan', () => {
    const log = taskIn('assigned');

    const code = log.refusal({ op: 'CompleteTask', task: t1, fence: log.task().fence + 1, result: '1' });

    expect(code).to.equal('stale_fence');
    expect(log.state.tasks.orphans()).to.deep.equal([]);
  });

  it('row 8: orphans are bounded by number and by text', () => {
    const log = new Log({ maxOrphans: 3, maxOrphanText: 10 });
    log.must(registration({ concurrency: 100 }));
    const ids = ['o1', 'o2', 'o3', 'o4', 'o5'].map(taskId);
    for (const task of ids) {
      log.must(submission({ task }));
      const fence = log.assign(task);
      log.must({ op: 'FailTask', task, fence, error: '', retryable: false });
      log.refusal({ op: 'CompleteTask', task, fence, result: task === 'o5' ? '"12345"' : '1' });
    }

    expect(log.state.tasks.orphans().map((orphan) => orphan.task)).to.deep.equal(['o3', 'o4', 'o5']);
    log.must(submission());
    const fence = log.assign();
    log.must({ op: 'FailTask', task: t1, fence, error: '', retryable: false });
    log.refusal({ op: 'CompleteTask', task: t1, fence, result: '1234' });
    expect(log.state.tasks.orphans().map((orphan) => orphan.task)).to.deep.equal([t1]);
  });

  it('row 9: a failure that is not to be retried, or the last attempt, is the end', () => {
    const once = taskIn('assigned');
    const last = taskIn('assigned', { maxAttempts: 1 });

    once.must({ op: 'FailTask', task: t1, fence: once.task().fence, error: 'e', retryable: false });
    last.must({ op: 'FailTask', task: t1, fence: last.task().fence, error: 'e', retryable: true });

    expect(once.task()).to.include({ state: 'dead', error: 'e' });
    expect(last.task()).to.include({ state: 'dead', error: 'e' });
    expect([once.load(), last.load()]).to.deep.equal([0, 0]);
  });

  it('row 10: the fourth release counts as an attempt, and the last attempt ends the task', () => {
    const log = taskIn('pending', { maxAttempts: 2 });
    const release = (): void => {
      log.must({ op: 'ReleaseTask', task: t1, fence: log.assign() });
    };

    for (let i = 0; i < 3; i++) release();
    const free = log.task().attempt;
    release();
    const counted = [log.task().state, log.task().attempt];
    release();

    expect(free).to.equal(0);
    expect(counted).to.deep.equal(['pending', 1]);
    expect(log.task()).to.include({ state: 'dead', attempt: 2 });
  });

  it('row 17: a completion wins over a cancellation', () => {
    const log = taskIn('cancelling');

    log.must({ op: 'CompleteTask', task: t1, fence: log.task().fence, result: '1' });

    expect(log.task()).to.include({ state: 'succeeded', result: '1' });
    expect(log.load()).to.equal(0);
  });

  const endings: readonly (readonly [string, (log: Log) => Command])[] = [
    ['acknowledges', (log) => ({ op: 'CancelAck', task: t1, fence: log.task().fence })],
    ['fails', (log) => ({ op: 'FailTask', task: t1, fence: log.task().fence, error: 'e', retryable: true })],
    ['loses its lease', (log) => ({ op: 'ExpireLeases', leases: [{ task: t1, fence: log.task().fence }] })],
    ['is lost', () => ({ op: 'AgentsDown', agents: [{ agent: a1, generation: 1 }] })],
    ['is replaced', () => registration()],
    ['leaves', () => ({ op: 'DeregisterAgent', agent: a1 })],
  ];
  for (const [what, command] of endings) {
    it(`row 18: a cancelling task ends when its holder ${what}, as its reason says`, () => {
      const byClient = taskIn('cancelling');
      const byDeadline = taskIn('assigned', { deadlineMs: 5_000 });
      byDeadline.later(6_000);
      byDeadline.tick();

      byClient.must(command(byClient));
      byDeadline.must(command(byDeadline));

      expect(byClient.task().state).to.equal('cancelled');
      expect(byDeadline.task().state).to.equal('expired');
      expect([byClient.load(), byDeadline.load()]).to.deep.equal([0, 0]);
    });
  }

  const wrong: readonly (readonly [Command['op'], readonly (typeof taskStates)[number][]])[] = [
    ['StartTask', ['cancelling', 'succeeded', 'dead']],
    ['CheckpointTask', ['cancelling', 'succeeded', 'dead']],
    ['FailTask', ['succeeded', 'dead']],
    ['ReleaseTask', ['cancelling', 'succeeded', 'dead']],
    ['CancelAck', ['assigned', 'running', 'succeeded', 'dead']],
    ['CompleteTask', ['dead']],
  ];
  for (const [op, states] of wrong) {
    for (const state of states) {
      it(`refuses ${op} of a ${state} task under its own fence`, () => {
        const log = taskIn(state);
        const { fence } = log.task();
        const command = { op, task: t1, fence, seq: 1, digest: 'd', ref: 'r', result: '1', error: 'e', retryable: true } as Command;

        const result = log.apply(command);

        expect(!result.ok && result.failure).to.deep.include({ code: 'wrong_state', data: { state } });
        expect(log.task().state).to.equal(state);
      });
    }
  }

  it('refuses a holder’s command for a task that was never assigned', () => {
    const log = taskIn('pending');

    expect(log.refusal({ op: 'CompleteTask', task: t1, fence: 0, result: '1' })).to.equal('wrong_state');
    expect(log.refusal({ op: 'CompleteTask', task: t1, fence: 7, result: '1' })).to.equal('stale_fence');
  });
});

describe('tasks: loss and time (protocols 5.3)', () => {
  for (const state of held) {
    it(`row 11: a lease that ran out requeues an ${state} task and marks its agent`, () => {
      const log = taskIn(state);
      const { fence, notBeforeTs } = log.task();

      log.must({ op: 'ExpireLeases', leases: [{ task: t1, fence }] });

      expect(log.task()).to.include({ state: 'pending', attempt: 1, fence, agent: undefined, notBeforeTs });
      expect(log.task().excluded).to.deep.equal([a1]);
      expect(log.load()).to.equal(0);
    });
  }

  it('row 11: only the lease of the current fence runs out', () => {
    const log = taskIn('assigned');

    log.must({
      op: 'ExpireLeases',
      leases: [
        { task: t1, fence: log.task().fence - 1 },
        { task: t2, fence: 1 },
      ],
    });

    expect(log.task().state).to.equal('assigned');
  });

  it('row 11: the last attempt ends the task', () => {
    const log = taskIn('running', { maxAttempts: 1 });

    log.must({ op: 'ExpireLeases', leases: [{ task: t1, fence: log.task().fence }] });

    expect(log.task()).to.include({ state: 'dead', agent: a1 });
    expect(log.load()).to.equal(0);
  });

  it('row 11: remembers the last three agents that lost a task', () => {
    const log = new Log();
    const agents = ['x1', 'x2', 'x3', 'x4'].map(agentId);
    log.must(submission({ maxAttempts: 9 }));
    for (const agent of agents) {
      log.must(registration({ agent }));
      log.must({ op: 'ExpireLeases', leases: [{ task: t1, fence: log.assign(t1, agent) }] });
    }

    expect(log.task().excluded).to.deep.equal(['x2', 'x3', 'x4']);
  });

  it('row 12: all tasks of a lost agent go in one entry, the most urgent and then the oldest first', () => {
    const log = new Log();
    log.must(registration());
    log.must(submission({ task: t1, priority: 1 }));
    log.must(submission({ task: t2, priority: 9, maxAttempts: 1 }));
    log.must(submission({ task: t3, priority: 1 }));
    for (const task of [t3, t2, t1]) log.assign(task);
    log.events = [];

    log.must({
      op: 'AgentsDown',
      agents: [
        { agent: a1, generation: 1 },
        { agent: a2, generation: 1 },
      ],
    });

    expect(log.events.map((event) => (event.kind === 'task' ? [event.task, event.state, event.reason] : [event.kind]))).to.deep.equal([
      ['agent'],
      [t2, 'dead', 'agent_down'],
      [t1, 'pending', 'agent_down'],
      [t3, 'pending', 'agent_down'],
    ]);
    expect(log.state.registry.get(a1)).to.include({ state: 'down', load: 0 });
  });

  it('row 12: an agent that registered anew is not the one that was lost', () => {
    const log = taskIn('pending');
    log.must(registration());
    log.assign();

    log.must({ op: 'AgentsDown', agents: [{ agent: a1, generation: 1 }] });

    expect(log.state.registry.get(a1)?.state).to.equal('up');
    expect(log.task().state).to.equal('assigned');
  });

  it('row 14: a retry comes due with a Tick, not before its time', () => {
    const log = taskIn('retry_wait');
    const due = log.task().notBeforeTs;
    const asked = log.state.nextDueTs();

    log.ts = due - 1;
    log.tick();
    const early = log.task().state;
    log.ts = due;
    log.tick();

    expect(asked).to.equal(due);
    expect(early).to.equal('retry_wait');
    expect(log.task().state).to.equal('pending');
  });

  it('row 14: one Tick moves a bounded number, in the order of time and id, and says that more is due', () => {
    const log = new Log({ maxMovesPerTick: 2 });
    for (const name of ['c', 'a', 'b']) log.must(submission({ task: taskId(name), deadlineMs: 100 }));
    log.later(100);
    log.events = [];

    log.tick();
    const moved = log.events.map((event) => event.kind === 'task' && event.task);
    const due = log.state.nextDueTs();
    log.tick();

    expect(moved).to.deep.equal(['a', 'b']);
    expect(due).to.equal(log.ts);
    expect(log.state.tasks.counts().expired).to.equal(3);
  });

  for (const state of waiting) {
    it(`row 19: a ${state} task expires at its deadline`, () => {
      const log = taskIn(state, { deadlineMs: 500 });

      log.later(499);
      log.tick();
      const early = log.task().state;
      log.later(1);
      log.tick();

      expect(early).to.equal(state);
      expect(log.task()).to.include({ state: 'expired', endedTs: log.ts });
    });
  }

  for (const state of held) {
    it(`row 20: an ${state} task is cancelled when its deadline and the grace have passed`, () => {
      const log = taskIn(state, { deadlineMs: 500 });

      log.later(1_499);
      log.tick();
      const early = log.task().state;
      log.later(1);
      log.tick();

      expect(early).to.equal(state);
      expect(log.task()).to.include({ state: 'cancelling', cancelReason: 'deadline', agent: a1 });
    });
  }

  it('a delayed task is due without anything being written, but the leader is asked to let time pass', () => {
    const log = new Log();
    log.must(submission({ delayMs: 700 }));

    const due = log.state.nextDueTs();
    log.ts = due ?? 0;
    log.tick();

    expect(due).to.equal(log.task().notBeforeTs);
    expect(log.state.nextDueTs()).to.equal(undefined);
    expect(log.task().history).to.have.length(1);
  });

  it('row 22: an ended task is forgotten after its time, but its id still stands for its body', () => {
    const log = taskIn('succeeded');
    const endedTs = log.ts;

    log.later(3_600_000);
    log.tick();
    const repeated = log.must(submission());
    const other = log.refusal(submission({ digest: 'another' }));
    const unknown = log.refusal({ op: 'CancelTask', task: t1 });

    expect(log.ts).to.equal(endedTs + 3_600_000);
    expect(log.state.tasks.get(t1)).to.equal(undefined);
    expect(repeated).to.deep.equal({ kind: 'task', task: t1, state: 'succeeded', created: false });
    expect([other, unknown]).to.deep.equal(['id_conflict', 'unknown_task']);
  });

  it('row 22: ids of purged tasks are forgotten in the end', () => {
    const log = taskIn('succeeded');
    log.later(3_600_000);
    log.tick();
    log.later(7 * 86_400_000);
    log.tick();

    const value = log.must(submission());

    expect(value).to.include({ created: true });
  });

  it('row 22: the task that ended first goes when there are too many or they hold too much text', () => {
    const ids = ['d', 'c', 'b', 'a'].map(taskId);
    const many = new Log({ maxTerminal: 2, maxPurgedIds: 1 });
    const large = new Log({ maxTerminalText: 10 });
    for (const log of [many, large]) {
      for (const task of ids) log.must(submission({ task, payload: '"123"' }));
      for (const task of ids) {
        log.must({ op: 'CancelTask', task });
        log.later(1);
      }
    }

    const left = [many, large].map((log) => Array.from(log.state.tasks, (task) => task.id));
    const purged = ids.map((task) => many.state.tasks.purged(task)?.state);

    expect(left).to.deep.equal([
      ['b', 'a'],
      ['b', 'a'],
    ]);
    expect(purged).to.deep.equal([undefined, 'cancelled', undefined, undefined]);
  });

  it('the history keeps the last 32 steps', () => {
    const log = taskIn('pending', { maxAttempts: 100 });
    for (let i = 0; i < 20; i++) {
      log.must({ op: 'FailTask', task: t1, fence: log.assign(), error: 'e', retryable: true });
      log.later(100_000);
      log.tick();
    }

    expect(log.task().history).to.have.length(32);
    expect(log.task().history.at(-1)).to.deep.include({ state: 'pending', reason: 'retry_due' });
  });
});
