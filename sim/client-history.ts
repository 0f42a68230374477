import { type Failure, isDefinite } from '../src/core/errors.ts';
import type { LogIndex } from '../src/core/ids.ts';
import type { CommandResult } from '../src/tasks/commands.ts';
import type { Task } from '../src/tasks/task.ts';
import { requestOf } from './invariants/dedupe.ts';
import type { Deed, Invariant, NodeView } from './invariants/invariant.ts';
import { checkLinearizable, type Model } from './linearizability/checker.ts';
import type { Operation } from './linearizability/history.ts';
import { type RegisterInput, registerModel, type RegisterOutput } from './linearizability/register.ts';
import { type TaskInput, taskModel, type TaskOutput } from './linearizability/task-queue.ts';
import { hold, Violation } from './violation.ts';

/** Far more than the history of one key or task needs: answers carry indices of the log, which leave little to search. */
const maxVisited = 50_000;

/** A request while it is open. However often it is sent, it is one operation. */
export class Open<Input, Output> {
  readonly client: number;
  readonly input: Input;
  /** The name under which the log knows it; undefined for a read, which leaves no trace. */
  readonly request: string | undefined;
  readonly invokedUs: number;
  attempts = 0;
  answer: { readonly output: Output; readonly returnedUs: number } | undefined;
  /** Attempts that reached a node. */
  sent = 0;
  /** Those that were refused for certain. */
  refused = 0;

  readonly #nowUs: () => number;

  constructor(client: number, input: Input, request: string | undefined, nowUs: () => number) {
    this.client = client;
    this.input = input;
    this.request = request;
    this.invokedUs = nowUs();
    this.#nowUs = nowUs;
  }

  /** Output undefined: the answer tells nothing. */
  answered(output: Output | undefined): void {
    if (output !== undefined) this.answer = { output, returnedUs: this.#nowUs() };
  }

  failed(failure: Failure): void {
    if (isDefinite(failure)) this.refused++;
  }
}

interface Done {
  readonly index: LogIndex;
  readonly atUs: number;
  readonly result: CommandResult;
}

/**
 * What clients asked and were told, judged when the run is over: every key and every task must be linearizable (Herlihy & Wing 1990). An unanswered write would have
 * the checker try it at every place after its call. But whatever a client can see was applied by some node, and the world saw that: an unanswered request that no
 * node has applied by the end was never seen, and counts as failed; one that was applied took effect when the first node did so, for its leader commits and applies
 * at one moment, and has the answer that the log gave it.
 */
export class ClientHistory implements Invariant {
  readonly name = 'linearizable';
  /** Histories that the checker neither proved nor refuted within its bound. */
  gaveUp = 0;
  readonly #nowUs: () => number;
  readonly #done = new Map<string, Done>();
  /** Requests that somebody sent without hearing for certain that they were refused. */
  readonly #openEnded = new Set<string>();
  readonly #keys = new Map<string, Open<RegisterInput, RegisterOutput>[]>();
  readonly #tasks = new Map<string, Open<TaskInput, TaskOutput>[]>();
  readonly #assignments = new Map<string, Operation<TaskInput, TaskOutput>[]>();

  constructor(nowUs: () => number) {
    this.#nowUs = nowUs;
  }

  key(client: number, key: string, input: RegisterInput, request: string | undefined): Open<RegisterInput, RegisterOutput> {
    return added(this.#keys, key, new Open<RegisterInput, RegisterOutput>(client, input, request, this.#nowUs));
  }

  task(client: number, task: string, input: TaskInput, request: string | undefined): Open<TaskInput, TaskOutput> {
    return added(this.#tasks, task, new Open<TaskInput, TaskOutput>(client, input, request, this.#nowUs));
  }

  onCommand(_node: NodeView, { index, command, result, effects, isFirst }: Deed): void {
    if (!isFirst) return;
    const atUs = this.#nowUs();
    const request = requestOf(command);
    // Its session answered in its stead: this sending was not carried out, another may be.
    const isCarriedOut = result.ok || result.failure.code !== 'session_expired';
    if (request !== undefined && isCarriedOut && !this.#done.has(request)) this.#done.set(request, { index, atUs, result });
    for (const event of effects) {
      if (event.kind !== 'task' || event.state !== 'assigned') continue;
      // Agents hear of an assignment later, or never: its moment is that of the log.
      const outcome = { kind: 'ok' as const, output: { kind: 'assigned' as const, fence: event.fence }, returnedUs: atUs };
      added(this.#assignments, event.task, { client: -1, input: { kind: 'assign' }, invokedUs: atUs, outcome });
    }
  }

  atEnd(): void {
    for (const list of [...this.#keys.values(), ...this.#tasks.values()]) {
      for (const { request, sent, refused } of list) if (request !== undefined && refused < sent) this.#openEnded.add(request);
    }
    for (const [key, operations] of this.#keys) {
      this.#judge(
        key,
        registerModel,
        operations.map((each) => this.#settle(each, keyOutput)),
      );
    }
    for (const [task, operations] of this.#tasks) {
      const settled = operations.map((each) => this.#settle(each, taskOutput));
      this.#judge(task, taskModel, [...(this.#assignments.get(task) ?? []), ...settled]);
    }
  }

  #judge<State, Input, Output>(object: string, model: Model<State, Input, Output>, history: readonly Operation<Input, Output>[]): void {
    const verdict = checkLinearizable(model, history, maxVisited);
    if (verdict.ok === 'gave-up') this.gaveUp++;
    if (verdict.ok !== false) return;
    const last = verdict.longest.at(-1);
    throw new Violation(
      this.name,
      `no order explains what clients of ${object} were told: after ${last === undefined ? 'nothing' : worded(last)} comes ${worded(verdict.misfit)}`,
    );
  }

  #settle<Input, Output>(
    { client, input, request, invokedUs, attempts, answer, sent, refused }: Open<Input, Output>,
    outputOf: (result: CommandResult, input: Input) => Output | undefined,
  ): Operation<Input, Output> {
    const known = request === undefined ? undefined : this.#done.get(request);
    // Done before it was asked for: by a request that says the same, and which this one only repeats.
    const done = known === undefined || known.atUs < invokedUs ? undefined : known;
    const settled = (output: Output | undefined, fromUs: number, returnedUs: number): Operation<Input, Output> => ({
      client,
      input,
      invokedUs: fromUs,
      outcome: output === undefined ? { kind: 'fail' } : { kind: 'ok', output, returnedUs },
    });
    if (answer !== undefined) {
      hold(request === undefined || known !== undefined, this.name, () => `${request} was answered, but no node has applied it`);
      // The answer to a repeat may be that the first attempt has done it: what that one came to is in the log.
      const output = attempts > 1 && done !== undefined ? outputOf(done.result, input) : answer.output;
      return settled(output, invokedUs, answer.returnedUs);
    }
    if (done === undefined) return settled(undefined, invokedUs, invokedUs);
    if (sent > 0 && refused === sent) {
      // Another who asked for the very same may have been less lucky with its answer.
      hold(
        this.#openEnded.has(request ?? ''),
        'refused-is-not-done',
        () => `${request} was refused for certain, and was carried out at ${done.index}`,
      );
      return settled(undefined, invokedUs, invokedUs);
    }
    return settled(outputOf(done.result, input), done.atUs, done.atUs);
  }
}

function added<T>(lists: Map<string, T[]>, name: string, item: T): T {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [item]);
  else list.push(item);
  return item;
}

const worded = ({ client, input, outcome, invokedUs }: Operation<unknown, unknown>): string =>
  `${JSON.stringify(input)} of client ${client} at ${(invokedUs / 1000).toFixed(3)} ms: ${JSON.stringify(outcome)}`;

/** What a result tells of a key; undefined when it tells nothing. */
export function keyOutput(result: CommandResult): RegisterOutput | undefined {
  if (result.ok) {
    return result.value.kind === 'key' ? { kind: 'written', version: result.value.version } : { kind: 'deleted', index: result.index };
  }
  const { code, data } = result.failure;
  if (code === 'not_found') return { kind: 'missing' };
  return code === 'version_mismatch' && typeof data?.['version'] === 'number'
    ? { kind: 'version_mismatch', version: data['version'] }
    : undefined;
}

/** What a result tells of a task; undefined when it tells nothing. */
export function taskOutput(result: CommandResult, input: TaskInput): TaskOutput | undefined {
  if (result.ok) {
    if (result.value.kind !== 'task') return undefined;
    const { created, state } = result.value;
    if (input.kind === 'submit') return { kind: 'submitted', created };
    const phase = phaseOf(state);
    return phase === undefined ? undefined : { kind: 'obeyed', phase };
  }
  const { code, data } = result.failure;
  if (code === 'id_conflict' || code === 'unknown_task' || code === 'wrong_state' || code === 'already_completed') return { kind: code };
  const phase = phaseOf(String(data?.['state']));
  return code === 'stale_fence' && typeof data?.['fence'] === 'number' && phase !== undefined
    ? { kind: code, phase, fence: data['fence'] }
    : undefined;
}

/** What a read of a task tells. */
export function taskRead(task: Task | undefined): TaskOutput | undefined {
  if (task === undefined) return { kind: 'unknown_task' };
  const phase = phaseOf(task.state);
  if (phase === undefined) return undefined;
  const seen = { kind: 'task' as const, phase, fence: task.fence };
  return task.result === undefined ? seen : { ...seen, result: task.result };
}

type Phase = Extract<TaskOutput, { readonly kind: 'obeyed' }>['phase'];

function phaseOf(state: string): Phase | undefined {
  switch (state) {
    case 'pending':
    case 'retry_wait':
      return 'pending';
    case 'assigned':
    case 'running':
      return 'held';
    case 'succeeded':
    case 'dead':
      return state;
    default:
      return undefined;
  }
}
