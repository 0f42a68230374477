import { failure } from '../core/errors.ts';
import type { LogIndex } from '../core/ids.ts';
import { fingerprint } from './canonical.ts';
import type { Command, CommandResult } from './commands.ts';
import { frozenEntries } from './frozen-entries.ts';
import type { StateLimits } from './limits.ts';

export interface FirstAnswer {
  readonly fingerprint: string;
  readonly ts: number;
  readonly result: CommandResult;
}

/**
 * First answers by the key that an HTTP client gave: its retry may reach another node, which has another session, and must still be executed once.
 * Bounded by number and age; the oldest go first.
 */
export class IdempotencyKeys {
  readonly #limits: StateLimits;
  /** In the order of first use. */
  readonly #answers = new Map<string, FirstAnswer>();

  constructor(limits: StateLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#answers.size;
  }

  nextDueTs(): number | undefined {
    for (const answer of this.#answers.values()) return answer.ts + this.#limits.idempotencyMs;
    return undefined;
  }

  [Symbol.iterator](): Iterator<[string, FirstAnswer]> {
    return this.#answers[Symbol.iterator]();
  }

  /** The answers that are here now, whatever is applied later. */
  freeze(): Iterable<[string, FirstAnswer]> {
    return frozenEntries(this.#answers);
  }

  // Changes, for `apply` alone.

  /** The first answer under this key, or a refusal if it was given to another command; undefined: execute, then `remember`. */
  admit(key: string, command: Command, index: LogIndex): CommandResult | undefined {
    const first = this.#answers.get(key);
    if (first === undefined) return undefined;
    if (first.fingerprint === fingerprint(command)) return first.result;
    return { ok: false, index, failure: failure('idempotency_conflict', 'this idempotency key was used for another request') };
  }

  remember(key: string, command: Command, ts: number, result: CommandResult): void {
    this.restore(key, { fingerprint: fingerprint(command), ts, result });
    if (this.#answers.size > this.#limits.maxIdempotencyKeys) this.#dropOldest();
  }

  expire(ts: number, limit: number): void {
    for (let dropped = 0; dropped < limit; dropped++) {
      const due = this.nextDueTs();
      if (due === undefined || due > ts) return;
      this.#dropOldest();
    }
  }

  restore(key: string, answer: FirstAnswer): void {
    this.#answers.set(key, answer);
  }

  #dropOldest(): void {
    for (const key of this.#answers.keys()) {
      this.#answers.delete(key);
      return;
    }
  }
}
