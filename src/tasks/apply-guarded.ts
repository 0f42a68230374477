import { isName, taskId } from '../core/ids.ts';
import { unknownTask, wrongState } from './apply-client.ts';
import type { Decision } from './decisions.ts';
import { accepted, done, type Machine, type Outcome, refused } from './machine.ts';
import { isTerminal } from './task.ts';
import { end } from './transitions.ts';

/** An approved action, its certificate checked by the caller against the members of the current epoch. */
export interface GuardedCommand extends Omit<Decision, 'index' | 'ts'> {
  readonly payload: string;
  /** Of the proposal, in milliseconds since 1970: not to be carried out later. */
  readonly notAfterMs: number;
}

/** How long a secret is unlocked unless the payload says otherwise, and at most. */
const unlockMs = { usual: 60_000, most: 3_600_000 };

/** Carries out what was approved, once. Refused, it has changed nothing, and may be tried again while its time lasts. */
export function enact(machine: Machine, command: GuardedCommand): Outcome {
  const { decisions, index, ts } = machine;
  const { payload: _payload, notAfterMs, ...approved } = command;
  const known = decisions.get(approved.proposal, approved.subject);
  if (known !== undefined) return accepted({ kind: 'decision', index: known.index });
  if (decisions.isForgotten(approved))
    return refused('already_completed', 'the decision is as old as some that were carried out and forgotten');
  if (ts > notAfterMs) return refused('wrong_state', `the time of the decision was over ${ts - notAfterMs} ms ago`);
  const effect = effectOf(machine, command);
  if (!effect.ok) return effect;
  decisions.add({ ...approved, index, ts }, approved.epoch);
  const { kind: decided, subject, proposal, epoch } = approved;
  machine.events.push({ kind: 'decision', index, ts, proposal, decided, subject, epoch });
  return accepted({ kind: 'decision', index });
}

function effectOf(machine: Machine, { kind, subject, payload }: GuardedCommand): Outcome {
  switch (kind) {
    case 'deployment-approve':
      return done;
    case 'secret-unlock':
      return unlock(machine, restOf(subject, 'secret:'), payload);
    case 'force':
      return endTask(machine, restOf(subject, 'end-task:'));
    default:
      return refused('invalid_argument', `decisions of the kind ${kind} are not carried out by the log`);
  }
}

const restOf = (subject: string, prefix: string): string => (subject.startsWith(prefix) ? subject.slice(prefix.length) : '');

function unlock({ secrets, ts }: Machine, name: string, payload: string): Outcome {
  const secret = secrets.get(name);
  if (secret === undefined) return refused('not_found', `there is no secret ${JSON.stringify(name)}; the subject is secret:NAME`);
  const forMs = durationOf(payload);
  if (forMs === undefined) return refused('invalid_argument', `the payload is not {"forMs": n}, with n from 1 to ${unlockMs.most}`);
  secrets.put({ ...secret, unlockedUntilTs: ts + forMs });
  return done;
}

function durationOf(payload: string): number | undefined {
  if (payload === '') return unlockMs.usual;
  try {
    const value: unknown = JSON.parse(payload);
    if (typeof value !== 'object' || value === null || !('forMs' in value) || Object.keys(value).length > 1) return undefined;
    const { forMs } = value;
    return typeof forMs === 'number' && Number.isSafeInteger(forMs) && forMs >= 1 && forMs <= unlockMs.most ? forMs : undefined;
  } catch {
    return undefined;
  }
}

/** Ends a task without asking who holds it: what the holder says later carries a fence that is over. */
function endTask(machine: Machine, id: string): Outcome {
  const task = isName(id) ? machine.tasks.record(taskId(id)) : undefined;
  if (task === undefined) return unknownTask(id);
  if (isTerminal(task.state)) return wrongState(task);
  end(machine, task, 'cancelled', { cancelReason: 'client' }, 'forced');
  return done;
}
