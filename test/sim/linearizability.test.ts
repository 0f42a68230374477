import { expect } from 'chai';
import { checkEachLinearizable, checkLinearizable } from '../../sim/linearizability/checker.ts';
import type { Operation } from '../../sim/linearizability/history.ts';
import { registerModel, type RegisterInput, type RegisterOutput } from '../../sim/linearizability/register.ts';
import { taskModel, type TaskInput, type TaskOutput } from '../../sim/linearizability/task-queue.ts';
import { SeededRandom } from '../../src/core/random.ts';

type RegisterOperation = Operation<RegisterInput, RegisterOutput>;
type TaskOperation = Operation<TaskInput, TaskOutput>;

/** An answered operation. */
const ok = <Input, Output>(invokedUs: number, returnedUs: number, input: Input, output: Output): Operation<Input, Output> => ({
  client: 0,
  input,
  invokedUs,
  outcome: { kind: 'ok', output, returnedUs },
});

/** An operation whose client heard nothing. */
const lost = <Input>(invokedUs: number, input: Input): Operation<Input, never> => ({
  client: 0,
  input,
  invokedUs,
  outcome: { kind: 'unknown' },
});

const get: RegisterInput = { kind: 'get' };
const put = (value: string, ifVersion?: number): RegisterInput =>
  ifVersion === undefined ? { kind: 'put', value } : { kind: 'put', value, ifVersion };
const value = (text: string, version: number): RegisterOutput => ({ kind: 'value', value: text, version });
const written = (version: number): RegisterOutput => ({ kind: 'written', version });
const mismatch = (version: number): RegisterOutput => ({ kind: 'version_mismatch', version });

const register = (...history: RegisterOperation[]): boolean | 'gave-up' => checkLinearizable(registerModel, history).ok;
const task = (...history: TaskOperation[]): boolean | 'gave-up' => checkLinearizable(taskModel, history).ok;

describe('linearizability of a key', () => {
  it('accepts a read that overlaps a write, with the old and with the new value', () => {
    const write = ok(10, 20, put('b'), written(2));

    expect(register(ok(0, 1, put('a'), written(1)), write, ok(11, 12, get, value('a', 1)))).to.equal(true);
    expect(register(ok(0, 1, put('a'), written(1)), write, ok(11, 12, get, value('b', 2)))).to.equal(true);
  });

  it('refuses a stale read, and names it', () => {
    const stale = ok(30, 40, get, value('a', 1));
    const history = [ok(0, 1, put('a'), written(1)), ok(10, 20, put('b'), written(2)), stale];

    const verdict = checkLinearizable(registerModel, history);

    expect(verdict).to.deep.equal({ ok: false, longest: history.slice(0, 2), misfit: stale });
  });

  it('refuses two reads that see two overlapping writes in turn and back', () => {
    const writes = [ok(0, 100, put('a'), written(1)), ok(0, 100, put('b'), written(2))];

    expect(register(...writes, ok(1, 2, get, value('a', 1)), ok(3, 4, get, value('b', 2)))).to.equal(true);
    expect(register(...writes, ok(1, 2, get, value('b', 2)), ok(3, 4, get, value('a', 1)))).to.equal(false);
  });

  it('refuses a lost update', () => {
    expect(register(ok(0, 1, put('a'), written(1)), ok(2, 3, get, { kind: 'missing' }))).to.equal(false);
  });

  it('refuses a compare-and-set that two clients won', () => {
    const first = ok(0, 1, put('a', 0), written(1));

    expect(register(first, ok(2, 9, put('b', 1), written(2)), ok(2, 9, put('c', 1), mismatch(2)))).to.equal(true);
    expect(register(first, ok(2, 9, put('b', 1), written(2)), ok(2, 9, put('c', 1), written(3)))).to.equal(false);
  });

  it('refuses a value that was never written, and one that was surely not', () => {
    const refused: RegisterOperation = { client: 0, input: put('b'), invokedUs: 0, outcome: { kind: 'fail' } };

    expect(register(ok(0, 1, put('a'), written(1)), ok(0, 3, get, value('b', 2)))).to.equal(false);
    expect(register(refused, ok(2, 3, get, value('b', 1)))).to.equal(false);
    expect(register(refused, ok(2, 3, get, { kind: 'missing' }))).to.equal(true);
  });

  it('lets a write without an answer take effect late, or never, but not before its call and not twice', () => {
    const history = [ok(0, 1, put('a'), written(1)), lost(2, put('b')), ok(3, 4, get, value('a', 1))];

    expect(register(...history)).to.equal(true);
    expect(register(...history, ok(50, 51, get, value('b', 7)))).to.equal(true);
    expect(register(...history, ok(50, 51, get, value('b', 7)), ok(52, 53, get, value('b', 8)))).to.equal(false);
    expect(register(...history, ok(50, 51, get, value('b', 7)), ok(52, 53, get, value('a', 1)))).to.equal(false);
    expect(register(lost(2, put('b')), ok(0, 1, get, value('b', 1)))).to.equal(false);
  });

  it('refuses a version that does not rise, also across a deletion', () => {
    const deleted = ok(2, 3, { kind: 'delete' } as const, { kind: 'deleted', index: 5 } as const);

    expect(register(ok(0, 1, put('a'), written(4)), deleted, ok(6, 7, put('b'), written(6)))).to.equal(true);
    expect(register(ok(0, 1, put('a'), written(4)), deleted, ok(6, 7, put('b'), written(5)))).to.equal(false);
    expect(register(ok(0, 1, put('a'), written(4)), lost(2, put('c')), ok(6, 7, get, value('c', 4)))).to.equal(false);
  });

  it('judges each key alone', () => {
    type Keyed = RegisterInput & { readonly key: string };
    const history: Operation<Keyed, RegisterOutput>[] = [
      ok(0, 1, { ...put('a'), key: 'x' }, written(1)),
      ok(2, 3, { ...get, key: 'y' }, { kind: 'missing' }),
    ];

    expect(checkEachLinearizable(registerModel, history, ({ key }) => key).ok).to.equal(true);
    expect(checkEachLinearizable(registerModel, history, () => 'one').ok).to.equal(false);
  });
});

describe('linearizability of a task', () => {
  const submitted = ok<TaskInput, TaskOutput>(0, 1, { kind: 'submit', digest: 'd' }, { kind: 'submitted', created: true });
  const assigned = (atUs: number, fence: number): TaskOperation => ok(atUs, atUs + 1, { kind: 'assign' }, { kind: 'assigned', fence });
  const completed = (atUs: number, fence: number, result: string, output: TaskOutput): TaskOperation =>
    ok(atUs, atUs + 1, { kind: 'complete', fence, result }, output);
  const read = (atUs: number, output: TaskOutput): TaskOperation => ok(atUs, atUs + 1, { kind: 'read' }, output);
  const succeeded: TaskOutput = { kind: 'obeyed', phase: 'succeeded' };

  it('accepts that the newest holder completes, repeats itself, and that others are told so', () => {
    const history = [submitted, assigned(2, 5), assigned(4, 9), completed(6, 9, 'r', succeeded), completed(8, 9, 'r', succeeded)];

    expect(task(...history, completed(10, 5, 'q', { kind: 'stale_fence', phase: 'succeeded', fence: 9 }))).to.equal(true);
    expect(task(...history, completed(10, 9, 'q', { kind: 'already_completed' }))).to.equal(true);
    expect(task(...history, ok(10, 11, submitted.input, { kind: 'submitted', created: false }))).to.equal(true);
    expect(task(...history, ok(10, 11, { kind: 'submit', digest: 'e' }, { kind: 'id_conflict' }))).to.equal(true);
  });

  it('refuses a completion under an old fence, another result, and a fence that does not rise', () => {
    const history = [submitted, assigned(2, 5), assigned(4, 9)];

    expect(task(...history, completed(6, 5, 'r', succeeded))).to.equal(false);
    expect(task(...history, completed(6, 9, 'r', succeeded), completed(8, 9, 'q', succeeded))).to.equal(false);
    expect(task(...history, assigned(6, 9))).to.equal(false);
    expect(task(...history, completed(6, 9, 'r', succeeded), assigned(8, 12))).to.equal(false);
    expect(task(...history, ok(6, 7, submitted.input, { kind: 'submitted', created: true }))).to.equal(false);
  });

  it('allows that a lease is lost at any time, and then not its fence again', () => {
    const history = [submitted, assigned(2, 5), completed(4, 5, 'r', { kind: 'stale_fence', phase: 'pending', fence: 5 })];

    expect(task(...history, assigned(6, 8))).to.equal(true);
    expect(task(...history, completed(6, 5, 'r', succeeded))).to.equal(false);
    expect(task(...history, read(6, { kind: 'task', phase: 'held', fence: 5 }))).to.equal(false);
  });

  it('lets an assignment and a completion without an answer take effect, or not', () => {
    const history = [submitted, lost<TaskInput>(2, { kind: 'assign' })];

    expect(task(...history, read(4, { kind: 'task', phase: 'pending', fence: 0 }))).to.equal(true);
    expect(task(...history, completed(4, 7, 'r', succeeded))).to.equal(true);
    const late = [...history, assigned(4, 7), lost<TaskInput>(6, { kind: 'complete', fence: 7, result: 'r' })];
    expect(task(...late, read(8, { kind: 'task', phase: 'succeeded', fence: 7, result: 'r' }))).to.equal(true);
    expect(task(...late, assigned(8, 9))).to.equal(true);
    expect(task(...late, read(8, { kind: 'task', phase: 'succeeded', fence: 7, result: 'q' }))).to.equal(false);
  });

  it('ends a task that failed for good, and assigns one again that may be retried', () => {
    const failed = (retryable: boolean, phase: 'pending' | 'dead'): TaskOperation =>
      ok(4, 5, { kind: 'fail', fence: 5, retryable }, { kind: 'obeyed', phase });

    expect(task(submitted, assigned(2, 5), failed(true, 'pending'), assigned(6, 8))).to.equal(true);
    expect(task(submitted, assigned(2, 5), failed(false, 'dead'), assigned(6, 8))).to.equal(false);
    expect(task(submitted, assigned(2, 5), failed(false, 'dead'), completed(6, 5, 'r', { kind: 'wrong_state' }))).to.equal(true);
  });
});

/** A key with concrete versions, written again from the contract: an answer, and what the key is then. Indices rise in tens. */
interface Stored {
  readonly value: string | undefined;
  readonly version: number;
  readonly index: number;
}

function serve(stored: Stored, input: RegisterInput, index: number): { readonly output: RegisterOutput; readonly after: Stored } {
  if (input.kind === 'get') {
    const output = stored.value === undefined ? ({ kind: 'missing' } as const) : value(stored.value, stored.version);
    return { output, after: stored };
  }
  if (input.ifVersion !== undefined && input.ifVersion !== stored.version) return { output: mismatch(stored.version), after: stored };
  if (input.kind === 'put') return { output: written(index), after: { value: input.value, version: index, index } };
  if (stored.value === undefined) return { output: { kind: 'missing' }, after: stored };
  return { output: { kind: 'deleted', index }, after: { value: undefined, version: 0, index } };
}

/** The indices an operation may have been applied at: what it answered, or any. Those that an answer can tell are tens; others stand for what nobody sees. */
function indicesOf({ outcome }: RegisterOperation): number[] {
  const output = outcome.kind === 'ok' ? outcome.output : undefined;
  if (output?.kind === 'written') return [output.version];
  if (output?.kind === 'deleted') return [output.index];
  return output === undefined ? [10, 20, 30, 40, 50, 60, 70] : [Infinity];
}

/** All orders that respect real time, with every choice of the unanswered operations and of every index. No memory, no cleverness. */
function bruteForce(open: readonly RegisterOperation[], stored: Stored): boolean {
  if (open.every(({ outcome }) => outcome.kind !== 'ok')) return true;
  return open.some((operation) => {
    const { outcome } = operation;
    const isTooEarly = open.some((other) => other.outcome.kind === 'ok' && other.outcome.returnedUs < operation.invokedUs);
    if (isTooEarly || outcome.kind === 'fail') return false;
    const rest = open.filter((other) => other !== operation);
    const indices = [...(outcome.kind === 'unknown' ? [stored.index + 1] : []), ...indicesOf(operation)].filter(
      (index) => index > stored.index,
    );
    return indices.some((index) => {
      const { output, after } = serve(stored, operation.input, index);
      return (outcome.kind === 'unknown' || JSON.stringify(outcome.output) === JSON.stringify(output)) && bruteForce(rest, after);
    });
  });
}

function randomInput(random: SeededRandom, name: number): RegisterInput {
  const condition = random.below(3) === 0 ? { ifVersion: 10 * random.below(4) } : {};
  switch (random.below(5)) {
    case 0:
    case 1:
      return get;
    case 2:
      return { kind: 'delete', ...condition };
    default:
      return { kind: 'put', value: `v${name}`, ...condition };
  }
}

/** What a correct key answers to concurrent clients, some of whom hear nothing. Half of the histories then have one answer of another operation. */
function randomHistory(random: SeededRandom, size: number, spreadUs: number, values: number, lostOneIn: number): RegisterOperation[] {
  const points = Array.from({ length: size }, (_, at) => ({ at, pointUs: 10 * random.below(spreadUs) })).toSorted(
    (a, b) => a.pointUs - b.pointUs,
  );
  let stored: Stored = { value: undefined, version: 0, index: 0 };
  const history: RegisterOperation[] = [];
  for (const [order, { at, pointUs }] of points.entries()) {
    const input = randomInput(random, at % values);
    const { output, after } = serve(stored, input, 10 * (order + 1));
    const isLost = random.below(lostOneIn) === 0;
    if (!isLost || random.below(2) === 0) stored = after;
    const invokedUs = pointUs - random.below(30);
    history.push(isLost ? lost(invokedUs, input) : ok(invokedUs, pointUs + random.below(30), input, output));
  }
  return history;
}

/** Gives one read or write another answer of the same history. */
function spoiled(random: SeededRandom, history: readonly RegisterOperation[]): RegisterOperation[] {
  const answers = history.flatMap(({ outcome }) => (outcome.kind === 'ok' ? [outcome.output] : []));
  const victim = random.below(history.length);
  return history.map((operation, at) => {
    const output = answers[random.below(answers.length)];
    if (at !== victim || operation.outcome.kind !== 'ok' || output === undefined) return operation;
    return { ...operation, outcome: { ...operation.outcome, output } };
  });
}

describe('linearizability checker', () => {
  it('agrees with brute force on 4000 small random histories', () => {
    const random = new SeededRandom(1993);
    const verdicts = { good: 0, bad: 0 };
    for (let round = 0; round < 4000; round++) {
      const correct = randomHistory(random, 2 + random.below(5), 12, 3, 5);
      const history = round % 2 === 0 ? correct : spoiled(random, correct);

      const expected = bruteForce(history, { value: undefined, version: 0, index: 0 });

      expect(register(...history), JSON.stringify(history)).to.equal(expected);
      if (expected) verdicts.good++;
      else verdicts.bad++;
      if (round % 2 === 0) expect(expected).to.equal(true);
    }

    expect(verdicts.good).to.be.greaterThan(2000);
    expect(verdicts.bad).to.be.greaterThan(700);
  });

  it('judges 2000 operations on one key in few steps, also when some were never answered', () => {
    const random = new SeededRandom(2017);
    const history = randomHistory(random, 2000, 2000, 2000, 200);
    const stale = ok(20_100, 20_101, get, value('v0', 10));

    expect(history.filter(({ outcome }) => outcome.kind === 'unknown').length).to.be.greaterThan(5);
    expect(checkLinearizable(registerModel, history, 500_000).ok).to.equal(true);
    expect(checkLinearizable(registerModel, [...history, stale], 500_000).ok).to.equal(false);
  });

  it('gives up at its bound', () => {
    const history = Array.from({ length: 9 }, (_, at) => ok(0, 100, put(`${at}`, 1), mismatch(2)));

    expect(checkLinearizable(registerModel, history, 5).ok).to.equal(false);
    const writes = Array.from({ length: 12 }, (_, at) => ok(0, 100, put(`${at}`), written(at + 1)));
    expect(checkLinearizable(registerModel, writes, 5)).to.deep.equal({ ok: 'gave-up' });
  });
});
