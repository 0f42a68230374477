import { expect } from 'chai';
import * as fc from 'fast-check';
import { type AgentId, agentId, type TaskId, taskId } from '../../src/core/ids.ts';
import { type DemandEntry, schedule } from '../../src/tasks/scheduler.ts';
import { a1, a2, a3, Log, registration, submission, t1, t2, t3 } from './support.ts';

const nothing: ReadonlyMap<TaskId, AgentId> = new Map();

const demand = (...entries: readonly (readonly [AgentId, number, ...string[]])[]): ReadonlyMap<AgentId, DemandEntry> =>
  new Map(entries.map(([agent, slots, ...types]) => [agent, { slots, types: types.length === 0 ? undefined : new Set(types) }]));

const choose = (log: Log, wanted: ReadonlyMap<AgentId, DemandEntry>, inFlight = nothing, limit = 512): string[] =>
  schedule(log.state, wanted, log.ts, inFlight, limit).map(({ task, agent }) => `${task}→${agent}`);

describe('tasks: scheduler', () => {
  it('takes the higher priority first, and of one priority the older', () => {
    const log = new Log();
    log.must(registration());
    log.must(submission({ task: t1, priority: 3 }));
    log.must(submission({ task: t2, priority: 7, type: 'other' }));
    log.must(submission({ task: t3, priority: 3, type: 'other' }));

    expect(choose(log, demand([a1, 9]))).to.deep.equal(['t2→a1', 't1→a1', 't3→a1']);
    expect(choose(log, demand([a1, 9]), nothing, 1)).to.deep.equal(['t2→a1']);
  });

  it('raises a waiting task by one for each 30 seconds, up to 9', () => {
    const log = new Log();
    log.must(registration());
    log.must(submission({ task: t1, priority: 3 }));
    log.later(60_000);
    log.must(submission({ task: t2, priority: 5 }));
    log.must(submission({ task: t3, priority: 6 }));
    const atSixty = choose(log, demand([a1, 9]));
    log.later(10_000_000);

    const muchLater = choose(log, demand([a1, 9]));

    expect(atSixty).to.deep.equal(['t3→a1', 't1→a1', 't2→a1']);
    expect(muchLater).to.deep.equal(['t1→a1', 't2→a1', 't3→a1']);
  });

  it('gives to the least loaded agent for its size, then the heavier, then by id', () => {
    const log = new Log();
    log.must(registration({ agent: a3, concurrency: 4, weight: 1 }));
    log.must(registration({ agent: a2, concurrency: 2, weight: 1 }));
    log.must(registration({ agent: a1, concurrency: 2, weight: 5 }));
    for (let i = 0; i < 8; i++) log.must(submission({ task: taskId(`t${i}`) }));

    const chosen = choose(log, demand([a1, 9], [a2, 9], [a3, 9]));

    expect(chosen).to.deep.equal(['t0→a1', 't1→a2', 't2→a3', 't3→a3', 't4→a1', 't5→a2', 't6→a3', 't7→a3']);
  });

  it('keeps the order of loads across groups of requirements', () => {
    const log = new Log();
    log.must(registration({ agent: a1, capabilities: ['x', 'y'] }));
    log.must(registration({ agent: a2, capabilities: ['x', 'y'] }));
    log.must(submission({ task: t1, requires: ['x'] }));
    log.must(submission({ task: t2, requires: ['y'] }));
    log.must(submission({ task: t3, requires: ['y', 'x', 'y'] }));

    expect(choose(log, demand([a1, 9], [a2, 9]))).to.deep.equal(['t1→a1', 't2→a2', 't3→a1']);
  });

  it('gives no more than was asked for, than fits, and than is on its way', () => {
    const log = new Log();
    log.must(registration({ agent: a1, concurrency: 3 }));
    log.must(registration({ agent: a2, concurrency: 9 }));
    for (let i = 0; i < 9; i++) log.must(submission({ task: taskId(`t${i}`) }));
    log.assign(taskId('t0'), a1);

    const chosen = choose(log, demand([a1, 9], [a2, 2]), new Map([[taskId('t1'), a1]]));

    expect(chosen.toSorted()).to.deep.equal(['t2→a2', 't3→a2', 't4→a1']);
  });

  it('leaves out agents that may not be given anything, and types that an agent does not take', () => {
    const log = new Log();
    for (const agent of [a1, a2, a3]) log.must(registration({ agent }));
    log.must({ op: 'DrainAgent', agent: a2 });
    log.must(submission({ task: t1, type: 'build' }));
    log.must(submission({ task: t2, type: 'test' }));

    const chosen = choose(log, demand([a1, 9, 'test', 'lint'], [a2, 9], [agentId('stranger'), 9]));

    expect(chosen).to.deep.equal(['t2→a1']);
  });

  it('looks behind a task that avoids every free agent', () => {
    const log = new Log();
    log.must(registration({ agent: a1 }));
    log.must(registration({ agent: a2 }));
    log.must(submission({ task: t1, maxAttempts: 9 }));
    log.must(submission({ task: t2 }));
    log.must({ op: 'ExpireLeases', leases: [{ task: t1, fence: log.assign(t1, a1) }] });

    const onlyLoser = choose(log, demand([a1, 9]));
    const both = choose(log, demand([a1, 9], [a2, 9]));
    log.later(30_000);
    const later = choose(log, demand([a1, 9]));

    expect(onlyLoser).to.deep.equal(['t2→a1']);
    expect(both).to.deep.equal(['t1→a2', 't2→a1']);
    expect(later).to.deep.equal(['t1→a1', 't2→a1']);
  });

  it('does not hand out what is delayed or too late', () => {
    const log = new Log();
    log.must(registration());
    log.must(submission({ task: t1, delayMs: 100 }));
    log.must(submission({ task: t2, deadlineMs: 100 }));

    const now = choose(log, demand([a1, 9]));
    log.later(100);
    const unheard = choose(log, demand([a1, 9]));
    log.tick();
    const ticked = choose(log, demand([a1, 9]));

    expect([now, unheard, ticked]).to.deep.equal([['t2→a1'], [], ['t1→a1']]);
  });

  it('a backup gets work only while its group has no primary that is up', () => {
    const log = new Log();
    log.must(registration({ agent: a1, role: 'primary', group: 'g' }));
    log.must(registration({ agent: a2, role: 'backup', group: 'g' }));
    log.must(submission());
    const generation = log.state.registry.get(a1)?.generation ?? 0;

    const before = choose(log, demand([a2, 1]));
    log.must({ op: 'AgentsDown', agents: [{ agent: a1, generation }] });
    const after = choose(log, demand([a2, 1]));

    expect([before, after]).to.deep.equal([[], ['t1→a2']]);
  });

  it('everything it chooses is accepted by apply at that moment, and nothing is left that could have been chosen', () => {
    const capabilities = fc.subarray(['x', 'y', 'z']);
    const agents = fc.array(
      fc.record({ capabilities, concurrency: fc.integer({ min: 1, max: 3 }), slots: fc.integer({ min: 0, max: 4 }) }),
      { maxLength: 6 },
    );
    const tasks = fc.array(fc.record({ requires: capabilities, priority: fc.nat(9) }), { maxLength: 20 });
    fc.assert(
      fc.property(agents, tasks, (workers, work) => {
        const log = new Log();
        for (const [i, worker] of workers.entries()) log.must(registration({ ...worker, agent: agentId(`a${i}`) }));
        for (const [i, task] of work.entries()) log.must(submission({ ...task, task: taskId(`t${i}`) }));
        const wanted = demand(...workers.map(({ slots }, i) => [agentId(`a${i}`), slots] as const));

        const assignments = schedule(log.state, wanted, log.ts, nothing, 512);
        log.must({ op: 'AssignTasks', assignments });

        for (const { task, agent } of assignments) expect(log.task(task)).to.include({ state: 'assigned', agent });
        for (const [i, { slots, concurrency, capabilities: able }] of workers.entries()) {
          const given = assignments.filter(({ agent }) => agent === `a${i}`).length;
          expect(given).to.be.at.most(Math.min(slots, concurrency));
          if (given === Math.min(slots, concurrency)) continue;
          for (const task of log.state.tasks)
            if (task.state === 'pending') expect(task.requires.every((each) => able.includes(each))).to.equal(false);
        }
      }),
    );
  });
});
