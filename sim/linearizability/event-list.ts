import { assert } from '../../src/core/assert.ts';
import type { Operation } from './history.ts';

export interface Call<Input, Output> {
  readonly kind: 'call';
  readonly operation: Operation<Input, Output>;
  readonly isAnswered: boolean;
  readonly output: Output | undefined;
  /** Position among the answered, or among the unanswered operations, by the time of the call. */
  readonly number: number;
  /** The unanswered operation with the same input that was called just before this one. */
  readonly twin: Call<Input, Output> | undefined;
  /** Set once, when the list is built. */
  return: Return<Input, Output> | undefined;
  previous: Event<Input, Output> | undefined;
  next: Event<Input, Output> | undefined;
}

interface Return<Input, Output> {
  readonly kind: 'return';
  readonly call: Call<Input, Output>;
  previous: Event<Input, Output> | undefined;
  next: Event<Input, Output> | undefined;
}

type Event<Input, Output> = Call<Input, Output> | Return<Input, Output>;

/**
 * Calls and returns of operations that are not linearised, by time (Lowe 2017): an operation may come next if its call stands before the first return. One
 * without an answer has no return, so it hinders nobody; one that failed is not here.
 */
export class EventList<Input, Output> {
  readonly answered: number;
  readonly unknown: number;
  #first: Event<Input, Output> | undefined;

  constructor(history: readonly Operation<Input, Output>[]) {
    const timed: { readonly atUs: number; readonly event: Event<Input, Output> }[] = [];
    let answered = 0;
    let unknown = 0;
    const unansweredByInput = new Map<string, Call<Input, Output>>();
    for (const operation of history.toSorted((a, b) => a.invokedUs - b.invokedUs)) {
      const { outcome, invokedUs } = operation;
      if (outcome.kind === 'fail') continue;
      if (outcome.kind === 'unknown') {
        const name = JSON.stringify(operation.input);
        const call = callOf(operation, unknown++, undefined, unansweredByInput.get(name));
        unansweredByInput.set(name, call);
        timed.push({ atUs: invokedUs, event: call });
        continue;
      }
      assert(outcome.returnedUs >= invokedUs, 'an operation returns after its call');
      const call = callOf(operation, answered++, outcome, undefined);
      call.return = { kind: 'return', call, previous: undefined, next: undefined };
      timed.push({ atUs: invokedUs, event: call }, { atUs: outcome.returnedUs, event: call.return });
    }
    // At one moment calls come first: nothing tells that they were not concurrent with what returned then.
    timed.sort((a, b) => a.atUs - b.atUs || Number(a.event.kind === 'return') - Number(b.event.kind === 'return'));
    let last: Event<Input, Output> | undefined;
    for (const { event } of timed) {
      event.previous = last;
      if (last === undefined) this.#first = event;
      else last.next = event;
      last = event;
    }
    this.answered = answered;
    this.unknown = unknown;
  }

  get first(): Event<Input, Output> | undefined {
    return this.#first;
  }

  lift(call: Call<Input, Output>): void {
    this.#remove(call);
    if (call.return !== undefined) this.#remove(call.return);
  }

  /** Puts back what was lifted last: its neighbours are those of that moment, so the links it kept are right (Knuth's dancing links). */
  unlift(call: Call<Input, Output>): void {
    if (call.return !== undefined) this.#restore(call.return);
    this.#restore(call);
  }

  #remove(event: Event<Input, Output>): void {
    if (event.previous === undefined) this.#first = event.next;
    else event.previous.next = event.next;
    if (event.next !== undefined) event.next.previous = event.previous;
  }

  #restore(event: Event<Input, Output>): void {
    if (event.previous === undefined) this.#first = event;
    else event.previous.next = event;
    if (event.next !== undefined) event.next.previous = event;
  }
}

const callOf = <Input, Output>(
  operation: Operation<Input, Output>,
  number: number,
  answer: { readonly output: Output } | undefined,
  twin: Call<Input, Output> | undefined,
): Call<Input, Output> => ({
  kind: 'call',
  operation,
  isAnswered: answer !== undefined,
  output: answer?.output,
  number,
  twin,
  return: undefined,
  previous: undefined,
  next: undefined,
});
