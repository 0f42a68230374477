import { assert } from '../../src/core/assert.ts';
import { agentId, type LogIndex, taskId } from '../../src/core/ids.ts';
import type { Command, CommandResult, RegisterAgent, ResultValue, SubmitTask } from '../../src/tasks/commands.ts';
import type { StateEvent } from '../../src/tasks/events.ts';
import type { StateLimits } from '../../src/tasks/limits.ts';
import { ClusterState } from '../../src/tasks/state.ts';
import type { Task } from '../../src/tasks/task.ts';

export const a1 = agentId('a1');
export const a2 = agentId('a2');
export const a3 = agentId('a3');
export const t1 = taskId('t1');
export const t2 = taskId('t2');
export const t3 = taskId('t3');

/** When every test's log begins. */
export const startTs = 1_700_000_000_000;

export const submission = (fields: Partial<SubmitTask> = {}): SubmitTask => ({
  op: 'SubmitTask',
  task: t1,
  type: 'build',
  payload: '{}',
  digest: `digest of ${fields.task ?? t1}`,
  requires: [],
  swarm: undefined,
  priority: 5,
  maxAttempts: 3,
  leaseMs: 10_000,
  deadlineMs: undefined,
  delayMs: 0,
  backoff: { baseMs: 1_000, factor: 2, maxMs: 60_000 },
  ...fields,
});

export const registration = (fields: Partial<RegisterAgent> = {}): RegisterAgent => ({
  op: 'RegisterAgent',
  agent: a1,
  capabilities: [],
  swarms: [],
  concurrency: 4,
  weight: 1,
  labels: {},
  ttlMs: 10_000,
  role: undefined,
  group: undefined,
  node: 'n1',
  ...fields,
});

/** A state machine and the log it is fed: numbers the entries and keeps the time. */
export class Log {
  state: ClusterState;
  index: LogIndex = 0;
  ts = startTs;
  events: StateEvent[] = [];

  constructor(limits: Partial<StateLimits> = {}) {
    this.state = new ClusterState(limits);
  }

  /** A command outside any session. */
  apply(command: Command, idempotencyKey?: string): CommandResult {
    return this.applyIn(0, 0, 0, command, idempotencyKey);
  }

  applyIn(session: number, seq: number, acked: number, command: Command, idempotencyKey?: string): CommandResult {
    this.index += 1;
    return this.state.apply(this.index, this.ts, { session, seq, acked, idempotencyKey, command }, this.events);
  }

  /** The value of a command that must succeed. */
  must(command: Command): ResultValue {
    const result = this.apply(command);
    assert(result.ok, `${command.op} succeeds, but: ${result.ok ? '' : result.failure.detail}`);
    return result.value;
  }

  /** The code of a command that must be refused, with the state unchanged in every respect but the index. */
  refusal(command: Command): string {
    const result = this.apply(command);
    assert(!result.ok, `${command.op} is refused`);
    return result.failure.code;
  }

  later(ms: number): void {
    this.ts += ms;
  }

  tick(): void {
    this.must({ op: 'Tick' });
  }

  openSession(nonce = 'nonce'): number {
    const value = this.must({ op: 'OpenSession', nonce });
    assert(value.kind === 'session', 'a session is opened');
    return value.session;
  }

  task(id = t1): Task {
    const task = this.state.tasks.get(id);
    assert(task !== undefined, `${id} is known`);
    return task;
  }

  /** Assigns one task to an agent's current generation. */
  assign(task = t1, agent = a1): number {
    const generation = this.state.registry.get(agent)?.generation ?? 0;
    this.must({ op: 'AssignTasks', assignments: [{ task, agent, generation }] });
    return this.task(task).fence;
  }

  load(agent = a1): number {
    return this.state.registry.get(agent)?.load ?? 0;
  }
}

/** A log in which `a1` is up and `t1` is where the name says. */
export function taskIn(
  state: 'pending' | 'assigned' | 'running' | 'retry_wait' | 'cancelling' | 'succeeded' | 'dead' | 'cancelled' | 'expired',
  fields: Partial<SubmitTask> = {},
): Log {
  const log = new Log();
  log.must(registration());
  log.must(submission(state === 'expired' ? { ...fields, deadlineMs: 1_000 } : fields));
  if (state === 'pending') return log;
  if (state === 'cancelled') {
    log.must({ op: 'CancelTask', task: t1 });
    return log;
  }
  if (state === 'expired') {
    log.later(1_000);
    log.tick();
    return log;
  }
  const fence = log.assign();
  if (state === 'running') log.must({ op: 'StartTask', task: t1, fence });
  if (state === 'retry_wait') log.must({ op: 'FailTask', task: t1, fence, error: 'broken', retryable: true });
  if (state === 'cancelling') log.must({ op: 'CancelTask', task: t1 });
  if (state === 'succeeded') log.must({ op: 'CompleteTask', task: t1, fence, result: '1' });
  if (state === 'dead') log.must({ op: 'FailTask', task: t1, fence, error: 'broken', retryable: false });
  assert(log.task().state === state, `the task is ${state}`);
  return log;
}
