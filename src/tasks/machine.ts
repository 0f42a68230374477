import { type Failure, type FailureCode, failure } from '../core/errors.ts';
import type { LogIndex } from '../core/ids.ts';
import type { Agent } from '../registry/agent.ts';
import type { Registry } from '../registry/registry.ts';
import type { ResultValue } from './commands.ts';
import type { Decisions } from './decisions.ts';
import type { StateEvent } from './events.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import type { KeyValue } from './key-value.ts';
import type { StateLimits } from './limits.ts';
import type { MemberTable } from './members.ts';
import type { Secrets } from './secrets.ts';
import type { Sessions } from './sessions.ts';
import type { TaskRecord } from './task-record.ts';
import type { TaskTable } from './task-table.ts';

/** The state, and the entry that is being applied to it: all that a transition may look at. */
export interface Machine {
  readonly limits: StateLimits;
  readonly keys: KeyValue;
  readonly registry: Registry;
  readonly tasks: TaskTable;
  readonly sessions: Sessions;
  readonly idempotency: IdempotencyKeys;
  readonly members: MemberTable;
  readonly secrets: Secrets;
  readonly decisions: Decisions;
  /** Of the entry. */
  readonly index: LogIndex;
  /** The only time there is: the entry's stamp, never earlier than the one before. */
  readonly ts: number;
  readonly events: StateEvent[];
}

/** What a command comes to. A refused command has changed nothing. */
export type Outcome = { readonly ok: true; readonly value: ResultValue } | { readonly ok: false; readonly failure: Failure };

export const accepted = (value: ResultValue): Outcome => ({ ok: true, value });
export const refused = (code: FailureCode, detail: string, data?: Failure['data']): Outcome => ({
  ok: false,
  failure: failure(code, detail, data),
});

export const done: Outcome = accepted({ kind: 'none' });

export function emitTask(machine: Machine, task: TaskRecord, reason: string | undefined): void {
  const { id, type, state, attempt, fence, agent } = task;
  machine.events.push({ kind: 'task', index: machine.index, ts: machine.ts, task: id, type, state, attempt, fence, agent, reason });
}

export function emitAgent(machine: Machine, agent: Agent, state: Agent['state'] | 'gone', reason: string | undefined): void {
  machine.events.push({
    kind: 'agent',
    index: machine.index,
    ts: machine.ts,
    agent: agent.id,
    generation: agent.generation,
    state,
    reason,
  });
}
