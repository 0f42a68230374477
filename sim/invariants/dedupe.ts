import type { LogIndex } from '../../src/core/ids.ts';
import type { SessionCommand } from '../../src/tasks/commands.ts';
import { hold } from '../violation.ts';
import type { Deed, Invariant, NodeView } from './invariant.ts';

/**
 * Exactly once (Raft thesis §6.3): whatever the number of times a command was sent, by its node or by its client, it has an effect at one index only. Commands are
 * told apart by session and number, by idempotency key, and by the values that clients write, no two of which are equal.
 */
export class Dedupe implements Invariant {
  readonly name = 'dedupe';
  /** Where each name had its effect. Session and number in one: both are far below 2^26 in a run. */
  readonly #sessions = new Map<number, LogIndex>();
  readonly #requests = new Map<string, LogIndex>();

  onCommand({ id }: NodeView, { index, command, effects, isFirst }: Deed): void {
    if (!isFirst || effects.length === 0) return;
    if (command.session !== 0) {
      const name = command.session * 2 ** 26 + command.seq;
      const known = this.#sessions.get(name);
      hold(
        known === undefined,
        this.name,
        () => `${id} carries out command ${command.seq} of session ${command.session} at ${known} and at ${index}`,
      );
      this.#sessions.set(name, index);
    }
    const request = requestOf(command);
    if (request === undefined) return;
    const known = this.#requests.get(request);
    hold(known === undefined, this.name, () => `${id} carries out ${request} at ${known} and at ${index}`);
    this.#requests.set(request, index);
  }
}

/** The client's request that a command stands for, however often it was sent; undefined when the command alone doesn't say. */
export function requestOf({ idempotencyKey, command }: SessionCommand): string | undefined {
  if (idempotencyKey !== undefined) return idempotencyKey;
  if (command.op === 'PutKey') return `put ${command.value}`;
  if (command.op === 'SubmitTask') return `submit ${command.task}`;
  return command.op === 'CompleteTask' ? `complete ${command.task} ${command.result}` : undefined;
}
