import { expect } from 'chai';
import * as fc from 'fast-check';
import { agentId, nodeId, taskId } from '../../src/core/ids.ts';
import type { Command, CommandResult, SessionCommand } from '../../src/tasks/commands.ts';
import type { StateEvent } from '../../src/tasks/events.ts';
import type { StateLimits } from '../../src/tasks/limits.ts';
import { schedule } from '../../src/tasks/scheduler.ts';
import type { SnapshotRecord } from '../../src/tasks/snapshot.ts';
import { ClusterState } from '../../src/tasks/state.ts';
import { isTerminal, type Task, type TaskState } from '../../src/tasks/task.ts';
import { registration, startTs, submission } from './support.ts';

// Small bounds, so that random logs reach all of them.
const limits: Partial<StateLimits> = {
  maxTasks: 5,
  maxTerminal: 3,
  retentionMs: 40_000,
  maxPurgedIds: 2,
  purgedIdsMs: 60_000,
  maxOrphans: 2,
  maxAgents: 3,
  maxSessions: 2,
  maxSessionResults: 3,
  maxResults: 7,
  sessionTtlMs: 50_000,
  maxKeys: 3,
  maxIdempotencyKeys: 2,
  idempotencyMs: 30_000,
  maxMovesPerTick: 2,
};

/** A step of a random history; names and numbers are resolved against the state it meets, so that many steps make sense. */
interface Step {
  readonly op: Command['op'] | 'Schedule';
  readonly task: number;
  readonly agent: number;
  /** How far the fence is from the task's own: mostly 0. */
  readonly fenceOff: number;
  readonly bit: boolean;
  readonly small: number;
  readonly laterMs: number;
  readonly session: number;
  readonly seq: number;
  readonly acked: number;
  readonly key: string | undefined;
}

const ops: readonly Step['op'][] = [
  'OpenSession',
  'PutKey',
  'DeleteKey',
  'PutSecret',
  'DeleteSecret',
  'RegisterAgent',
  'RegisterAgent',
  'RegisterAgent',
  'DrainAgent',
  'DeregisterAgent',
  'SubmitTask',
  'SubmitTask',
  'SubmitTask',
  'CancelTask',
  'RetryTask',
  'PutMember',
  'PutJoinToken',
  'JoinMember',
  'ForgetMember',
  'StartTask',
  'CheckpointTask',
  'CompleteTask',
  'FailTask',
  'FailTask',
  'ReleaseTask',
  'CancelAck',
  'AssignTasks',
  'AssignTasks',
  'Schedule',
  'Schedule',
  'ExpireLeases',
  'AgentsDown',
  'Tick',
  'Tick',
];

const steps: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom(...ops),
  task: fc.nat(7),
  agent: fc.nat(2),
  fenceOff: fc.constantFrom(0, 0, 0, 0, 0, -1, 65_536),
  bit: fc.boolean(),
  small: fc.nat(9),
  laterMs: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 100, 1_000, 1_000, 10_000, 35_000),
  session: fc.nat(2),
  seq: fc.integer({ min: 1, max: 6 }),
  acked: fc.nat(3),
  key: fc.option(fc.constantFrom('x', 'y', 'z'), { nil: undefined, freq: 12 }),
});

const taskOf = (step: Step) => taskId(`t${step.task}`);
const agentOf = (step: Step) => agentId(`a${step.agent}`);

function commandOf(step: Step, state: ClusterState): Command {
  // A holder's command mostly speaks of a task that somebody holds.
  const held = [...state.tasks.held()];
  const task = (step.small > 1 ? held[step.task % Math.max(1, held.length)]?.id : undefined) ?? taskOf(step);
  const agent = agentOf(step);
  const fence = Math.max(0, (state.tasks.get(task)?.fence ?? 0) + step.fenceOff);
  const generation = (state.registry.get(agent)?.generation ?? 0) + (step.small === 0 ? 1 : 0);
  switch (step.op) {
    case 'OpenSession':
      return { op: step.op, nonce: `n${step.small}` };
    case 'PutKey':
      return {
        op: step.op,
        key: `k${step.task}`,
        value: `v${step.small}`,
        ifVersion: step.bit ? undefined : (state.keys.get(`k${step.task}`)?.version ?? 0),
      };
    case 'DeleteKey':
      return { op: step.op, key: `k${step.task}`, ifVersion: undefined };
    case 'PutSecret':
      return { op: step.op, name: `s${step.task}`, value: `v${step.small}` };
    case 'DeleteSecret':
      return { op: step.op, name: `s${step.task}` };
    case 'RegisterAgent':
      return registration({
        agent,
        capabilities: step.bit ? ['x', 'y'] : ['x'],
        concurrency: 1 + (step.small % 3),
        labels: { z: '1', a: `${step.small}` },
      });
    case 'PutMember':
      return {
        op: step.op,
        member: { nodeId: nodeId(`n${step.task}`), name: `node-${step.small}`, http: 'http://h:1', peer: 'h:2', promote: step.bit },
      };
    case 'PutJoinToken':
      return { op: step.op, hash: `h${step.small}`, ttlMs: 1000 };
    case 'JoinMember':
      return {
        op: step.op,
        tokenHash: `h${step.small}`,
        member: { nodeId: nodeId(`n${step.task}`), name: `joined-${step.task}`, http: 'http://h:1', peer: 'h:2', promote: true },
      };
    case 'ForgetMember':
      return { op: step.op, node: nodeId(`n${step.task}`) };
    case 'DrainAgent':
    case 'DeregisterAgent':
      return { op: step.op, agent };
    case 'SubmitTask':
      return submission({
        task: taskOf(step),
        digest: step.small === 9 ? 'other' : 'same',
        type: step.bit ? 'build' : 'test',
        requires: step.small % 3 === 0 ? ['y'] : [],
        priority: step.small,
        maxAttempts: 1 + (step.agent % 3),
        deadlineMs: step.small % 2 === 0 ? 15_000 : undefined,
        delayMs: step.small % 5 === 0 ? 12_000 : 0,
        backoff: { baseMs: step.bit ? 700 : 16_000, factor: 1.3, maxMs: 20_000 },
      });
    case 'CancelTask':
      return { op: step.op, task };
    case 'RetryTask':
      return { op: step.op, task: taskOf(step) };
    case 'StartTask':
    case 'ReleaseTask':
    case 'CancelAck':
      return { op: step.op, task, fence };
    case 'CheckpointTask':
      return { op: step.op, task, fence, seq: step.small, digest: 'd', ref: 'r' };
    case 'CompleteTask':
      return { op: step.op, task, fence, result: String(step.small) };
    case 'FailTask':
      return { op: step.op, task, fence, error: 'e', retryable: step.small !== 1 };
    case 'AssignTasks':
      return { op: step.op, assignments: [0, 1, 2].map((i) => ({ task: taskId(`t${(step.task + i) % 8}`), agent, generation })) };
    case 'Schedule': {
      const demand = new Map(
        Array.from(state.registry.all(), ({ id }) => [id, { slots: 2, types: step.bit ? undefined : new Set(['build']) }] as const),
      );
      return { op: 'AssignTasks', assignments: schedule(state, demand, state.ts, new Map(), 4) };
    }
    case 'ExpireLeases':
      return { op: step.op, leases: [{ task, fence }] };
    case 'AgentsDown':
      return { op: step.op, agents: [{ agent, generation }] };
    case 'Tick':
      return { op: step.op };
  }
}

const leaders: readonly Command['op'][] = ['AssignTasks', 'ExpireLeases', 'AgentsDown', 'Tick', 'OpenSession'];

interface LogEntry {
  readonly index: number;
  readonly ts: number;
  readonly entry: SessionCommand;
}

function entryOf(step: Step, state: ClusterState, index: number, ts: number): LogEntry {
  const command = commandOf(step, state);
  const sessions = Array.from(state.sessions, ({ id }) => id);
  const session = leaders.includes(command.op) || step.acked > 0 ? 0 : (sessions[step.session] ?? 0);
  return {
    index,
    ts,
    entry: {
      session,
      seq: step.seq + Math.floor(index / 10),
      acked: (step.seq % 3) + Math.floor(index / 12),
      idempotencyKey: step.key,
      command,
    },
  };
}

interface Seen {
  readonly state: TaskState;
  readonly fence: number;
  readonly result: string | undefined;
}

const fixed = (task: Task): Seen => ({ state: task.state, fence: task.fence, result: task.result });

const holders: readonly Command['op'][] = ['StartTask', 'CheckpointTask', 'CompleteTask', 'FailTask', 'ReleaseTask', 'CancelAck'];

/** T1: only the newest fence of a task that is held gives leave to do anything with it, but for repeating a completion. */
function checkHolder(command: Command, index: number, result: CommandResult, before: ReadonlyMap<string, Seen>): void {
  // A result of another index is the answer to an earlier copy.
  if (!holders.includes(command.op) || !('fence' in command) || !result.ok || result.index !== index) return;
  const was = before.get(command.task);
  expect(command.fence, 'T1: the fence of a holder').to.equal(was?.fence);
  const allowed = command.op === 'CompleteTask' && was?.state === 'succeeded' ? [command.result] : [undefined];
  expect(allowed).to.include(was?.result);
  if (was?.state !== 'succeeded') expect(['assigned', 'running', 'cancelling'], 'T1: only a held task has a holder').to.include(was?.state);
}

/** T1 to T6 and T8 between one entry and the next. */
function check(
  state: ClusterState,
  { entry, index }: LogEntry,
  result: CommandResult,
  before: ReadonlyMap<string, Seen>,
  highest: number,
  known: ReadonlySet<string>,
): number {
  checkHolder(entry.command, index, result, before);
  let newest = highest;
  const fences = new Set<number>();
  let held = 0;
  let inQueue = 0;
  for (const task of state.tasks) {
    const was = before.get(task.id);
    if (was !== undefined && task.fence !== was.fence) {
      expect(task.fence, 'T2: a new fence is higher than every fence before').to.be.above(highest);
      expect(Math.floor(task.fence / 65_536), 'T2: a fence speaks of its entry').to.equal(index);
    }
    newest = Math.max(newest, task.fence);
    if (was !== undefined && isTerminal(was.state) && was.state !== task.state) {
      expect(entry.command.op, `T3: ${was.state} became ${task.state}`).to.equal('RetryTask');
      expect(was.state).to.not.equal('succeeded');
    }
    if (was?.result !== undefined) expect(task.result, 'T4: a result stays').to.equal(was.result);
    expect(task.result !== undefined, 'T4: a task that succeeded, and no other, has a result').to.equal(task.state === 'succeeded');
    expect(task.attempt, 'T8').to.be.at.most(task.maxAttempts);
    if (task.state === 'pending' || task.state === 'retry_wait')
      expect(task.attempt, 'T8: what waits may be tried again').to.be.below(task.maxAttempts);
    expect(task.endedTs !== undefined).to.equal(isTerminal(task.state));
    if (task.state === 'assigned' || task.state === 'running' || task.state === 'cancelling') {
      held += 1;
      expect(fences.has(task.fence), 'T1: one holder per fence').to.equal(false);
      fences.add(task.fence);
      const agent = state.registry.get(task.agent ?? agentId('none'));
      expect(agent?.generation, 'T1: the holder is registered under the generation it was given the task').to.equal(task.generation);
      expect([...state.tasks.assignedTo(agent?.id ?? agentId('none'))]).to.include(task);
      expect(agent?.load).to.be.at.most(agent?.concurrency ?? 0);
      expect(agent?.capabilities).to.include.members([...task.requires]);
    }
  }
  for (const group of state.tasks.queue.groups()) for (const lane of group.lanes.values()) inQueue += lane.size;
  expect(inQueue, 'no more is ready than is pending').to.be.at.most(state.tasks.counts().pending);
  if (state.tasks.queue.nextDueTs() === undefined)
    expect(inQueue, 'T6: what is pending can be scheduled').to.equal(state.tasks.counts().pending);
  const loads = [...state.registry.all()].reduce((sum, agent) => sum + agent.load, 0);
  expect(loads, 'T5: the load of the agents is what is held').to.equal(held);
  expect(
    Object.values(state.tasks.counts()).reduce((sum, count) => sum + count, 0),
    'T6: one state each',
  ).to.equal(state.tasks.size);
  for (const [id, was] of before) {
    if (state.tasks.get(taskId(id)) === undefined)
      expect(isTerminal(was.state) || known.has(id), 'T6: only ended tasks are purged').to.equal(true);
  }
  return newest;
}

const throughJson = (records: Iterable<SnapshotRecord>): SnapshotRecord[] => JSON.parse(JSON.stringify([...records])) as SnapshotRecord[];

describe('tasks: invariants T1 to T8 (protocols 5.3)', () => {
  it('hold after every entry of random logs', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(fc.array(steps, { minLength: 100, maxLength: 300, size: 'max' }), (script) => {
        const state = new ClusterState(limits);
        let ts = startTs;
        let highest = 0;
        for (const [i, step] of script.entries()) {
          ts += step.laterMs;
          const before = new Map(Array.from(state.tasks, (task) => [task.id, fixed(task)]));
          const events: StateEvent[] = [];
          const logEntry = entryOf(step, state, i + 1, ts);
          const result = state.apply(logEntry.index, logEntry.ts, logEntry.entry, events);
          // Within one entry a task may end and be purged at once: its event tells.
          const ended = new Set<string>(events.flatMap((event) => (event.kind === 'task' && isTerminal(event.state) ? [event.task] : [])));
          highest = check(state, logEntry, result, before, highest, ended);
          for (const event of events) if (event.kind === 'task') reached.add(`${before.get(event.task)?.state ?? 'none'}→${event.state}`);
        }
      }),
      { numRuns: 400, seed: 1 },
    );

    // The random logs are worth something only if they take the ways of the table.
    const ways =
      'none→pending pending→assigned assigned→running assigned→succeeded assigned→retry_wait assigned→dead assigned→pending assigned→cancelling running→pending retry_wait→pending retry_wait→expired pending→cancelled pending→expired cancelling→succeeded cancelling→cancelled cancelling→expired dead→pending cancelled→pending expired→pending';
    for (const way of ways.split(' ')) expect([...reached], way).to.include(way);
  });

  it('T7: the same log makes the same state, results and events, also through a snapshot in its middle', () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 100, maxLength: 300, size: 'max' }), fc.nat(), (script, cut) => {
        const first = new ClusterState(limits);
        const log: LogEntry[] = [];
        const outcomes: [CommandResult, StateEvent[]][] = [];
        let ts = startTs;
        for (const [i, step] of script.entries()) {
          ts += step.laterMs;
          const logEntry = entryOf(step, first, i + 1, ts);
          const events: StateEvent[] = [];
          log.push(logEntry);
          outcomes.push([first.apply(logEntry.index, logEntry.ts, logEntry.entry, events), events]);
        }

        let second = new ClusterState(limits);
        for (const [i, { index, ts: at, entry }] of log.entries()) {
          if (i === cut % log.length) {
            const hash = second.hash();
            second = ClusterState.restore(throughJson(second.snapshot()), limits);
            expect(second.hash()).to.equal(hash);
          }
          const events: StateEvent[] = [];
          const result = second.apply(index, at, entry, events);
          expect([result, events]).to.deep.equal(outcomes[i]);
        }

        expect(throughJson(second.snapshot())).to.deep.equal(throughJson(first.snapshot()));
        expect(second.hash()).to.equal(first.hash());
        expect(second.nextDueTs()).to.equal(first.nextDueTs());
      }),
      { numRuns: 250, seed: 2 },
    );
  });

  it('a frozen state stays as it was, however its records are taken between the commands that follow', () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 50, maxLength: 200, size: 'max' }), fc.nat(), fc.nat(5), (script, cut, perStep) => {
        const state = new ClusterState(limits);
        const at = cut % script.length;
        let before: unknown;
        let frozen: ReturnType<ClusterState['freeze']> | undefined;
        const taken: unknown[] = [];
        let iterator: Iterator<unknown> | undefined;
        let ts = startTs;
        for (const [i, step] of script.entries()) {
          if (i === at) {
            before = throughJson(state.snapshot());
            frozen = state.freeze();
            iterator = frozen.records[Symbol.iterator]();
          }
          ts += step.laterMs;
          const { index, ts: stamp, entry } = entryOf(step, state, i + 1, ts);
          state.apply(index, stamp, entry, []);
          for (let n = 0; n < perStep; n++) {
            const next = iterator?.next();
            if (next !== undefined && next.done !== true) taken.push(next.value);
          }
        }
        for (let next = iterator?.next(); next !== undefined && next.done !== true; next = iterator?.next()) taken.push(next.value);
        const after = state.hash();
        frozen?.release();

        expect(JSON.parse(JSON.stringify(taken))).to.deep.equal(before);
        expect(state.hash()).to.equal(after);
      }),
      { numRuns: 250, seed: 5 },
    );
  });

  it('what the leader is told is due comes to rest: with nothing but Ticks, all time-driven moves end', () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 20, maxLength: 80, size: 'max' }), (script) => {
        const state = new ClusterState(limits);
        let ts = startTs;
        let index = 0;
        const apply = (entry: SessionCommand): void => {
          index += 1;
          state.apply(index, ts, entry, []);
        };
        for (const step of script) {
          ts += step.laterMs;
          apply(entryOf(step, state, index + 1, ts).entry);
        }

        let ticks = 0;
        for (let due = state.nextDueTs(); due !== undefined && ticks < 500; due = state.nextDueTs(), ticks++) {
          ts = Math.max(ts, due);
          apply({ session: 0, seq: 0, acked: 0, idempotencyKey: undefined, command: { op: 'Tick' } });
        }

        const counts = state.tasks.counts();
        expect(ticks).to.be.below(500);
        expect(counts.retry_wait + counts.succeeded + counts.dead + counts.cancelled + counts.expired).to.equal(0);
        expect([state.sessions.size, state.idempotency.size]).to.deep.equal([0, 0]);
      }),
      { numRuns: 100, seed: 3 },
    );
  });
});
