import type { MemberIndex } from './epoch.ts';
import type { Seen, StatementMessage } from './messages.ts';
import { hasBit } from './motion.ts';
import type { Value } from './witness.ts';

const maxReminderMs = 2000;
/** Answers to one peer in `answersMs`: a small question has a long answer. */
const maxAnswers = 4;
const answersMs = 100;
const noBits = new Uint8Array(0);

/** What this member knows of how far another one has heard it, and when to remind it. */
class Peer {
  /** The newest of this member's statements that the peer has shown to have. */
  seen: Seen | undefined;
  ballots: Uint8Array = noBits;
  expiries: Uint8Array = noBits;
  /** It is to be sent the statement with the next `Ready`, and perhaps asked for its own. */
  telling: 'nothing' | 'statement' | 'question' = 'nothing';
  /** This member has just started or the link was lost: it may have forgotten what the peer said. */
  mustAsk = false;
  /** The value whose witness the peer was asked for. */
  asked: Value | undefined;
  hasLied = false;
  remindAtMs = Number.POSITIVE_INFINITY;
  readonly #firstReminderMs: () => number;
  #waitMs = 0;
  #answers = 0;
  #answersSinceMs = Number.NEGATIVE_INFINITY;

  constructor(firstReminderMs: () => number) {
    this.#firstReminderMs = firstReminderMs;
  }

  heard({ seen, ballots, expiries }: StatementMessage): void {
    this.mustAsk = false;
    this.seen = seen;
    this.ballots = ballots;
    this.expiries = expiries;
  }

  hasBallotOf(voter: MemberIndex): boolean {
    return hasBit(this.ballots, voter);
  }

  hasExpiryOf(voter: MemberIndex): boolean {
    return hasBit(this.expiries, voter);
  }

  /** Reminds in a while, unless it is to be sooner. */
  arm(nowMs: number): void {
    this.#waitMs = this.#firstReminderMs();
    this.remindAtMs = Math.min(this.remindAtMs, nowMs + this.#waitMs);
  }

  /** Reminds in a while, unless it is going to already. */
  armIfIdle(nowMs: number): void {
    if (this.remindAtMs === Number.POSITIVE_INFINITY) this.arm(nowMs);
  }

  hurry(nowMs: number): void {
    this.#waitMs = this.#firstReminderMs();
    this.remindAtMs = nowMs;
    this.mustAsk = true;
  }

  /** Has just been reminded: waits twice as long before the next time. */
  reminded(nowMs: number): void {
    this.remindAtMs = nowMs + this.#waitMs;
    this.#waitMs = Math.min(maxReminderMs, this.#waitMs * 2);
  }

  mayAnswer(nowMs: number): boolean {
    if (nowMs - this.#answersSinceMs >= answersMs) {
      this.#answersSinceMs = nowMs;
      this.#answers = 0;
    }
    return this.#answers++ < maxAnswers;
  }
}

export type { Peer };

/** The other members, by index; this member has no entry. */
export class Peers {
  readonly #all: readonly (readonly [MemberIndex, Peer])[];
  readonly #self: MemberIndex;

  /** `firstReminderMs`: how long an answer takes that was not lost. */
  constructor(n: number, self: MemberIndex, firstReminderMs: () => number) {
    const reminderMs = (): number => Math.min(maxReminderMs, firstReminderMs());
    this.#self = self;
    this.#all = Array.from({ length: n }, (_, member) => [member, new Peer(reminderMs)] as const).filter(([member]) => member !== self);
  }

  [Symbol.iterator](): IterableIterator<readonly [MemberIndex, Peer]> {
    return this.#all.values();
  }

  get(member: MemberIndex): Peer | undefined {
    return member === this.#self ? undefined : this.#all[member > this.#self ? member - 1 : member]?.[1];
  }

  get wakeAtMs(): number {
    let wakeAtMs = Number.POSITIVE_INFINITY;
    for (const [, peer] of this.#all) wakeAtMs = Math.min(wakeAtMs, peer.remindAtMs);
    return wakeAtMs;
  }
}
