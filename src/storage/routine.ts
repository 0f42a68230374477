import { assert } from '../core/assert.ts';

/** Something that calls back when it is over. */
type Wait = (resume: () => void) => void;

/** A procedure of several calls one after the other, written as if each returned at once. No promise: when it goes on is decided by whoever calls back. */
export type Routine<T> = Generator<Wait, T, void>;

/** Waits for one call: gives its value or throws its error. */
export function* call<T>(start: (done: (error: Error | undefined, value: T) => void) => void): Routine<T> {
  let result: { readonly error: Error | undefined; readonly value: T } | undefined;
  yield (resume) =>
    start((error, value) => {
      result = { error, value };
      resume();
    });
  assert(result !== undefined, 'a routine goes on when it was called back');
  if (result.error !== undefined) throw result.error;
  return result.value;
}

/** Runs a routine to its end. What it throws is handed on. */
export function runRoutine<T>(
  routine: Routine<T>,
  done: (outcome: { readonly error: unknown } | { readonly error: undefined; readonly value: T }) => void,
): void {
  const next = (): void => {
    let step: IteratorResult<Wait, T>;
    try {
      step = routine.next();
    } catch (error) {
      return done({ error });
    }
    if (step.done === true) done({ error: undefined, value: step.value });
    else step.value(next);
  };
  next();
}
