import { failure } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { Command, CommandResult, SessionCommand } from '../tasks/commands.ts';
import { encodeSessionCommand } from '../wire/commands.ts';
import type { Proposals } from './proposals.ts';
import type { Answer } from './service.ts';

type Done = (answer: Answer<CommandResult>) => void;

interface Waiting {
  readonly command: Command;
  readonly idempotencyKey: string | undefined;
  readonly deadlineMs: number;
  readonly done: Done;
}

/** Commands that may wait for the session to open; more are refused. */
const maxWaiting = 4096;
/** Half of what the state machine forgives. */
const maxIdleMs = 30 * 60_000;

/**
 * The session under which a node proposes what comes to it without a session of its own (HTTP). Opened with the first command, opened anew when it
 * has expired. It numbers commands and tells the state machine which answers it has.
 */
export class NodeSession {
  readonly #proposals: Proposals;
  readonly #random: Random;
  #session = 0;
  #opening = false;
  #usedMs = 0;
  #nextSeq = 1;
  /** Numbers without an answer, in rising order. */
  readonly #open = new Set<number>();
  #waiting: Waiting[] = [];

  constructor(proposals: Proposals, random: Random) {
    this.#proposals = proposals;
    this.#random = random;
  }

  submit(command: Command, idempotencyKey: string | undefined, deadlineMs: number, done: Done): void {
    // Deadlines tell the time well enough: a session that was idle for long may be forgotten by now.
    if (deadlineMs - this.#usedMs > maxIdleMs && this.#open.size === 0) this.#session = 0;
    this.#usedMs = deadlineMs;
    if (this.#session !== 0) {
      this.#send({ command, idempotencyKey, deadlineMs, done });
      return;
    }
    if (this.#waiting.length >= maxWaiting) {
      done({ ok: false, failure: failure('overloaded', 'too many commands are waiting for a leader; try again later') });
      return;
    }
    this.#waiting.push({ command, idempotencyKey, deadlineMs, done });
    this.#openSession(deadlineMs);
  }

  #openSession(deadlineMs: number): void {
    if (this.#opening) return;
    this.#opening = true;
    const command: SessionCommand = {
      session: 0,
      seq: 0,
      acked: 0,
      idempotencyKey: undefined,
      command: { op: 'OpenSession', nonce: nonceOf(this.#random) },
    };
    this.#proposals.add(command, encodeSessionCommand(command), deadlineMs, (answer) => this.#onOpened(answer));
  }

  #onOpened(answer: Answer<CommandResult>): void {
    this.#opening = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (answer.ok && answer.value.ok && answer.value.value.kind === 'session') {
      this.#session = answer.value.value.session;
      this.#nextSeq = 1;
      this.#open.clear();
      for (const item of waiting) this.#send(item);
      return;
    }
    // Nothing that waited was sent: each can be told so, whatever became of the session.
    const why = answer.ok ? (answer.value.ok ? undefined : answer.value.failure) : answer.failure;
    const definite = why === undefined || why.code === 'outcome_unknown' ? failure('no_leader', 'no leader took the command in time') : why;
    for (const item of waiting) item.done({ ok: false, failure: definite });
  }

  #send(item: Waiting): void {
    const session = this.#session;
    const seq = this.#nextSeq++;
    const [lowest = seq] = this.#open;
    const command: SessionCommand = { session, seq, acked: lowest - 1, idempotencyKey: item.idempotencyKey, command: item.command };
    this.#open.add(seq);
    this.#proposals.add(command, encodeSessionCommand(command), item.deadlineMs, (answer) => {
      if (session === this.#session) this.#open.delete(seq);
      if (answer.ok && !answer.value.ok && answer.value.failure.code === 'session_expired') {
        // It may have been carried out before the session was forgotten: nobody can tell any more.
        if (session === this.#session) this.#session = 0;
        item.done({ ok: false, failure: failure('outcome_unknown', 'the session of this node ended before the answer came') });
        return;
      }
      item.done(answer);
    });
  }
}

/** 128 random bits. */
const nonceOf = (random: Random): string =>
  Array.from({ length: 4 }, () =>
    random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
