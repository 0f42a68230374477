import { assert } from '../../src/core/assert.ts';
import type { Operation } from './history.ts';
import { EventList, type Call } from './event-list.ts';
import { Visited } from './visited.ts';

/** What one object does when its operations come one after another. States are values: `step` never changes one. Inputs are plain data: equal ones have equal JSON. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /**
   * The state after the operation, or undefined if it can't give this output in this state. Output undefined: nobody knows what it answered, and the state
   * is the one after it took effect; that it does not is the checker's business.
   */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Equal for equal states only. */
  keyOf(state: State): string;
}

export type Verdict<Input, Output> =
  | { readonly ok: true }
  /** `longest`: the order that explains most of what clients were told; `misfit`: the operation that had to come next and can't. */
  | {
      readonly ok: false;
      readonly longest: readonly Operation<Input, Output>[];
      readonly misfit: Operation<Input, Output>;
    }
  /** More configurations than the bound: neither proved nor refuted. */
  | { readonly ok: 'gave-up' };

/** Enough for thousands of operations of a few clients; some hundred megabytes at worst. */
export const defaultMaxVisited = 1_000_000;

/**
 * Whether the history of one object is linearizable (Herlihy & Wing 1990): some order of its operations respects real time and the model. The search is that
 * of Wing & Gong (1993), which takes operations that began before any other open one returned, and undoes; with Lowe's (2017) memory of configurations,
 * which Porcupine keeps as a bit set and a state. Operations that touch at one microsecond count as concurrent. Give up after `maxVisited` configurations.
 */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  maxVisited: number = defaultMaxVisited,
): Verdict<Input, Output> {
  return new Search(model, history, maxVisited).run();
}

/**
 * The same for many objects: a history is linearizable if and only if its part for each object is (locality, Herlihy & Wing 1990), and small parts are quick.
 * Answers the first verdict that is not good, by the order in which objects first appear.
 */
export function checkEachLinearizable<State, Input, Output>(
  model: Model<State, NoInfer<Input>, NoInfer<Output>>,
  history: readonly Operation<Input, Output>[],
  objectOf: (input: Input) => string,
  maxVisited: number = defaultMaxVisited,
): Verdict<Input, Output> {
  const parts = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const object = objectOf(operation.input);
    const part = parts.get(object);
    if (part === undefined) parts.set(object, [operation]);
    else part.push(operation);
  }
  for (const part of parts.values()) {
    const verdict = checkLinearizable(model, part, maxVisited);
    if (verdict.ok !== true) return verdict;
  }
  return { ok: true };
}

/** One linearised operation, and what undoes it. */
interface Taken<State, Input, Output> {
  readonly call: Call<Input, Output>;
  readonly before: State;
}

class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #list: EventList<Input, Output>;
  readonly #visited: Visited;
  readonly #maxVisited: number;
  readonly #taken: Taken<State, Input, Output>[] = [];
  #state: State;
  /** Answered operations that still have to find a place. */
  #open: number;
  #fewestOpen = Infinity;
  #longest: readonly Operation<Input, Output>[] = [];
  #misfit: Operation<Input, Output> | undefined;

  constructor(model: Model<State, Input, Output>, history: readonly Operation<Input, Output>[], maxVisited: number) {
    this.#model = model;
    this.#list = new EventList(history);
    this.#visited = new Visited(this.#list.answered, this.#list.unknown);
    this.#maxVisited = maxVisited;
    this.#state = model.initial;
    this.#open = this.#list.answered;
  }

  run(): Verdict<Input, Output> {
    let event = this.#list.first;
    // Operations without an answer are tried last: most never matter, and what was reached without them rules out much of what is reached with them.
    let isAnsweredTurn = true;
    while (this.#open > 0) {
      if (event?.kind === 'call') {
        if (event.isAnswered === isAnsweredTurn && this.#take(event)) {
          if (this.#visited.size > this.#maxVisited) return { ok: 'gave-up' };
          isAnsweredTurn = true;
          event = this.#list.first;
        } else {
          event = event.next;
        }
      } else if (isAnsweredTurn) {
        isAnsweredTurn = false;
        event = this.#list.first;
      } else {
        // An operation returned that found no place: something before it was put wrong.
        assert(event !== undefined, 'an open operation has its return in the list');
        this.#remember(event.call.operation);
        const call = this.#undo();
        if (call === undefined) return this.#refuted();
        isAnsweredTurn = call.isAnswered;
        event = call.next;
      }
    }
    return { ok: true };
  }

  /** Linearises the operation next, unless it does not fit or leads nowhere new. */
  #take(call: Call<Input, Output>): boolean {
    // Of unanswered operations with the same input the oldest goes first: it can stand wherever another can.
    if (call.twin !== undefined && !this.#visited.hasUnknown(call.twin.number)) return false;
    const before = this.#state;
    const after = this.#model.step(before, call.operation.input, call.output);
    if (after === undefined) return false;
    const key = this.#model.keyOf(after);
    if (!call.isAnswered && this.#isNeedless(call, key)) return false;
    this.#visited.flip(call);
    if (!this.#visited.add(key)) {
      this.#visited.flip(call);
      return false;
    }
    this.#taken.push({ call, before });
    this.#list.lift(call);
    this.#state = after;
    if (call.isAnswered) this.#open--;
    return true;
  }

  /**
   * True if an unanswered operation changes nothing, or wipes out an unanswered one that was taken just before: the same state is reached with fewer of
   * them. Without this, n unanswered writes would be tried in all their 2^n combinations.
   */
  #isNeedless(call: Call<Input, Output>, key: string): boolean {
    if (this.#model.keyOf(this.#state) === key) return true;
    const last = this.#taken.at(-1);
    if (last === undefined || last.call.isAnswered) return false;
    const without = this.#model.step(last.before, call.operation.input, undefined);
    return without !== undefined && this.#model.keyOf(without) === key;
  }

  #undo(): Call<Input, Output> | undefined {
    const last = this.#taken.pop();
    if (last === undefined) return undefined;
    const { call, before } = last;
    this.#list.unlift(call);
    this.#visited.flip(call);
    this.#state = before;
    if (call.isAnswered) this.#open++;
    return call;
  }

  #remember(misfit: Operation<Input, Output>): void {
    if (this.#open >= this.#fewestOpen) return;
    this.#fewestOpen = this.#open;
    this.#misfit = misfit;
    this.#longest = this.#taken.map(({ call }) => call.operation);
  }

  #refuted(): Verdict<Input, Output> {
    assert(this.#misfit !== undefined, 'a search ends at an operation that fits nowhere');
    return { ok: false, longest: this.#longest, misfit: this.#misfit };
  }
}
