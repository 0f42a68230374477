import { failure } from '../core/errors.ts';
import type { LogIndex } from '../core/ids.ts';
import { Former } from '../registry/former.ts';
import type { CommandResult, SessionCommand } from './commands.ts';
import type { StateLimits } from './limits.ts';

/** A session is moved to the end of the order of use at most this often: the order is by whole seconds, and a busy session costs nothing. */
const touchMs = 1_000;

export interface Session {
  /** Index of the entry that opened it. */
  readonly id: number;
  readonly nonce: string;
  /** Last use, to a second. */
  lastTs: number;
  /** The client has the results of all its commands up to here. */
  acked: number;
  /** By seq, above `acked`, in the order of their execution. */
  readonly results: Map<number, CommandResult>;
}

/**
 * Client sessions (Raft thesis §6.3): a command that reaches the log twice is executed once, and the repeat gets the first result. Commands of one
 * session may arrive in any order, since several are in flight at once and are forwarded by several nodes; so a repeat is known by the set of the
 * executed ones above the client's acknowledgement, never by a highest number. What is not known to be new is never executed.
 *
 * All of it is replicated and in the snapshot: a table that a restored node did not have would execute a repeat.
 */
export class Sessions {
  readonly #limits: StateLimits;
  /** In the order of use, to a second: the first is the next to expire. */
  readonly #sessions = new Map<number, Session>();
  readonly #byNonce = new Map<string, Session>();
  readonly #former = new Former<Session, Session>();
  #results = 0;

  constructor(limits: StateLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Results remembered for all sessions. */
  get results(): number {
    return this.#results;
  }

  has(id: number): boolean {
    return this.#sessions.has(id);
  }

  /** When the next session expires. */
  nextDueTs(): number | undefined {
    for (const session of this.#sessions.values()) return session.lastTs + this.#limits.sessionTtlMs;
    return undefined;
  }

  /** In the order of use. */
  [Symbol.iterator](): Iterator<Session> {
    return this.#sessions.values();
  }

  /** The sessions as they are now, in the order of use, whatever is applied before `thaw`. One view at a time. */
  freeze(): Iterable<Session> {
    return this.#former.freeze([...this.#sessions.values()], (session) => session);
  }

  thaw(): void {
    this.#former.thaw();
  }

  // Changes, for `apply` alone.

  /** The session of this nonce, opened now if it is new. */
  open(nonce: string, index: LogIndex, ts: number): number {
    const known = this.#byNonce.get(nonce);
    if (known !== undefined) {
      this.#keep(known);
      this.#touch(known, ts);
      return known.id;
    }
    if (this.#sessions.size >= this.#limits.maxSessions) this.#dropOldest(undefined);
    this.restore({ id: index, nonce, lastTs: ts, acked: 0, results: new Map() });
    return index;
  }

  /** The answer to a command that must not be executed now; undefined: execute it, then `remember` its result. */
  admit(entry: SessionCommand, index: LogIndex, ts: number): CommandResult | undefined {
    const session = this.#sessions.get(entry.session);
    if (session === undefined) return expired(index, `session ${entry.session} is not known any more`);
    if (!Number.isSafeInteger(entry.seq) || entry.seq < 1) {
      return { ok: false, index, failure: failure('invalid_argument', 'the sequence number must be a whole number from 1') };
    }
    // All that follows for this command, `remember` too, changes the session.
    this.#keep(session);
    this.#touch(session, ts);
    // A client can't have its answer before it has asked: an `acked` at or above `seq` would forget the very command it comes with.
    this.#acknowledge(session, Math.min(entry.acked, entry.seq - 1));
    if (entry.seq <= session.acked) return expired(index, `the client has acknowledged the result of command ${entry.seq}`);
    const result = session.results.get(entry.seq);
    if (result !== undefined) return result;
    return session.results.size < this.#limits.maxSessionResults ? undefined : this.#refuse(session, entry.seq, index);
  }

  remember(id: number, seq: number, result: CommandResult): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    session.results.set(seq, result);
    this.#results += 1;
    if (this.#results > this.#limits.maxResults) this.#dropOldest(session);
  }

  /** Expires at most `limit` sessions that nobody has used for too long. */
  expire(ts: number, limit: number): void {
    for (let dropped = 0; dropped < limit; dropped++) {
      const due = this.nextDueTs();
      if (due === undefined || due > ts) return;
      this.#dropOldest(undefined);
    }
  }

  restore(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#byNonce.set(session.nonce, session);
    this.#results += session.results.size;
  }

  /**
   * The session has no room for one more result. The refusal is definite, so it must be remembered too: another copy of the command may stand further
   * on in the log, where there is room again, and must not be executed there. When there is no room even for refusals, the session ends, which refuses
   * everything that is still to come.
   */
  #refuse(session: Session, seq: number, index: LogIndex): CommandResult {
    const { maxSessionResults: most } = this.#limits;
    if (session.results.size >= 2 * most) {
      this.#drop(session);
      return expired(index, `the client did not acknowledge the results of session ${session.id}`);
    }
    const detail = `the session has ${most} results that its client did not acknowledge`;
    const refusal: CommandResult = { ok: false, index, failure: failure('overloaded', detail, { maxSessionResults: most }) };
    session.results.set(seq, refusal);
    this.#results += 1;
    return refusal;
  }

  #keep(session: Session): void {
    this.#former.keep(session, () => ({ ...session, results: new Map(session.results) }));
  }

  #touch(session: Session, ts: number): void {
    if (ts - session.lastTs < touchMs) return;
    session.lastTs = ts;
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
  }

  #acknowledge(session: Session, acked: number): void {
    if (!Number.isSafeInteger(acked) || acked <= session.acked) return;
    const before = session.results.size;
    if (acked - session.acked <= before) {
      for (let seq = session.acked + 1; seq <= acked; seq++) session.results.delete(seq);
    } else {
      // The client skipped numbers: don't count through a gap that may be of any length.
      for (const seq of session.results.keys()) if (seq <= acked) session.results.delete(seq);
    }
    session.acked = acked;
    this.#results -= before - session.results.size;
  }

  #dropOldest(except: Session | undefined): void {
    for (const session of this.#sessions.values()) {
      if (session === except) continue;
      this.#drop(session);
      return;
    }
  }

  #drop(session: Session): void {
    this.#sessions.delete(session.id);
    this.#byNonce.delete(session.nonce);
    this.#results -= session.results.size;
  }
}

function expired(index: LogIndex, detail: string): CommandResult {
  return { ok: false, index, failure: failure('session_expired', `${detail}; whether the command took effect is not known here`) };
}
