import { failure } from '../core/errors.ts';
import type { CommandResult, SessionCommand } from '../tasks/commands.ts';
import type { Answer } from './service.ts';

/** A command on its way: given to the leader again and again until this node applies it or its time is over. */
interface Pending {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly deadlineMs: number;
  readonly done: (answer: Answer<CommandResult>) => void;
  /** Once sent, a command may take effect at any time: its outcome is unknown until it is applied. */
  sent: boolean;
}

/** Commands of one node on their way: as many as two sessions may have in flight; more are refused as `overloaded`. */
const maxPending = 16_384;

/**
 * The commands that this node's clients wait for. Each is named by its session and number, so that it may be sent to every new leader: the state
 * machine carries it out once (Raft thesis §6.3). The answer is what this node's own apply says: no reply can be lost on the way.
 */
export class Proposals {
  readonly #pending = new Map<string, Pending>();
  #unsent: Pending[] = [];

  get size(): number {
    return this.#pending.size;
  }

  add(command: SessionCommand, bytes: Uint8Array, deadlineMs: number, done: (answer: Answer<CommandResult>) => void): void {
    if (this.#pending.size >= maxPending) {
      done({ ok: false, failure: failure('overloaded', 'too many commands are waiting at this node; slow down and try again') });
      return;
    }
    const key = nameOf(command);
    // A client that came back on another connection asks again: the newer request gets the answer.
    this.#pending.get(key)?.done({ ok: false, failure: failure('aborted', 'the same command was sent again') });
    const pending: Pending = { key, bytes, deadlineMs, done, sent: false };
    this.#pending.set(key, pending);
    this.#unsent.push(pending);
  }

  /** What is to be sent to the leader now, in order of arrival. From here on its outcome is open. */
  takeUnsent(): readonly Uint8Array[] {
    const commands: Uint8Array[] = [];
    for (const pending of this.#unsent) {
      if (this.#pending.get(pending.key) !== pending) continue;
      pending.sent = true;
      commands.push(pending.bytes);
    }
    this.#unsent = [];
    return commands;
  }

  get hasUnsent(): boolean {
    return this.#unsent.length > 0;
  }

  /** A new leader, or a frame may have been lost: everything is sent again. */
  resend(): void {
    this.#unsent = [...this.#pending.values()];
  }

  onApplied(command: SessionCommand, result: CommandResult): void {
    if (command.session === 0 && command.command.op !== 'OpenSession') return;
    const key = nameOf(command);
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    this.#pending.delete(key);
    pending.done({ ok: true, value: result });
  }

  /** Gives up what is out of time. */
  expire(nowMs: number): void {
    for (const pending of this.#pending.values())
      if (nowMs >= pending.deadlineMs) this.#giveUp(pending, 'no_leader', 'no leader took the command in time');
  }

  /** This node can't reach a majority: unsent commands surely did not happen; of the others nothing is known. */
  failAll(code: 'no_quorum' | 'unavailable', detail: string): void {
    for (const pending of this.#pending.values()) this.#giveUp(pending, code, detail);
  }

  #giveUp(pending: Pending, code: 'no_quorum' | 'no_leader' | 'unavailable', detail: string): void {
    this.#pending.delete(pending.key);
    pending.done({
      ok: false,
      failure: pending.sent
        ? failure('outcome_unknown', `${detail}; the command was sent and may still take effect`)
        : failure(code, detail),
    });
  }
}

const nameOf = (command: SessionCommand): string =>
  command.command.op === 'OpenSession' ? `open ${command.command.nonce}` : `${command.session} ${command.seq}`;
