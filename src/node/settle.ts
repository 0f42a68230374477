import { failure, QuorateError } from '../core/errors.ts';
import type { Answer } from './service.ts';

/** A callback's answer as a promise. An abort ends the wait; a write that was on its way may still take effect. */
export function settle<T>(
  begin: (done: (answer: Answer<T>) => void) => (() => void) | void,
  signal: AbortSignal | undefined,
  isWrite: boolean,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let giveUp: (() => void) | undefined;
    const onAbort = (): void => {
      giveUp?.();
      const detail = isWrite ? 'the request was given up; the command may still take effect' : 'the request was given up';
      reject(new QuorateError(failure('aborted', detail)));
    };
    if (signal?.aborted === true) return onAbort();
    signal?.addEventListener('abort', onAbort);
    const end = begin((answer) => {
      signal?.removeEventListener('abort', onAbort);
      if (answer.ok) resolve(answer.value);
      else reject(new QuorateError(answer.failure));
    });
    if (typeof end === 'function') giveUp = end;
    return undefined;
  });
}
