import { failure } from '../core/errors.ts';
import type { LogIndex } from '../core/ids.ts';
import type { Answer } from './service.ts';

interface Read {
  readonly deadlineMs: number;
  readonly done: (answer: Answer<undefined>) => void;
}

interface Round {
  readonly reads: readonly Read[];
  readonly askedMs: number;
}

/** Reads of one node that wait; more are refused as `overloaded`. */
const maxReads = 65_536;

/**
 * Linearizable reads (ReadIndex, Raft thesis §6.4). All that wait when a round begins share it: one question to the leader's quorum, whatever their
 * number. A read is answered when this node has applied the index that its round was given.
 */
export class Reads {
  #queued: Read[] = [];
  readonly #rounds = new Map<number, Round>();
  readonly #waiting: { readonly index: LogIndex; readonly reads: readonly Read[] }[] = [];
  #nextContext = 1;
  #size = 0;

  add(deadlineMs: number, done: Read['done']): void {
    if (this.#size >= maxReads) {
      done({ ok: false, failure: failure('overloaded', 'too many reads are waiting at this node; try again later') });
      return;
    }
    this.#size++;
    this.#queued.push({ deadlineMs, done });
  }

  get hasQueued(): boolean {
    return this.#queued.length > 0;
  }

  /** Begins a round for all that is queued; the caller asks Raft with the returned context. */
  beginRound(nowMs: number): number {
    const context = this.#nextContext++;
    this.#rounds.set(context, { reads: this.#queued, askedMs: nowMs });
    this.#queued = [];
    return context;
  }

  onReadState(context: number, index: LogIndex): void {
    const round = this.#rounds.get(context);
    if (round === undefined) return;
    this.#rounds.delete(context);
    this.#waiting.push({ index, reads: round.reads });
  }

  /** The round came to nothing: its reads wait for the next one. */
  onRefused(context: number): void {
    const round = this.#rounds.get(context);
    if (round === undefined) return;
    this.#rounds.delete(context);
    this.#queued = [...this.#queued, ...round.reads];
  }

  onApplied(applied: LogIndex): void {
    while (this.#waiting.length > 0) {
      const due = this.#waiting.findIndex(({ index }) => index <= applied);
      if (due < 0) return;
      for (const { reads } of this.#waiting.splice(due, 1)) this.#answer(reads, { ok: true, value: undefined });
    }
  }

  /** Fails what is out of time; asks again for rounds older than `lostAfterMs`, whose question or answer was lost. */
  onTick(nowMs: number, lostAfterMs: number): void {
    for (const [context, round] of this.#rounds) if (nowMs - round.askedMs >= lostAfterMs) this.onRefused(context);
    const late = this.#queued.filter((read) => nowMs >= read.deadlineMs);
    if (late.length === 0) return;
    this.#queued = this.#queued.filter((read) => nowMs < read.deadlineMs);
    this.#answer(late, {
      ok: false,
      failure: failure('no_leader', 'no leader confirmed the read in time; try again, or read with consistency=local'),
    });
  }

  failAll(code: 'no_quorum' | 'unavailable', detail: string): void {
    const all = [this.#queued, ...[...this.#rounds.values()].map((round) => round.reads), ...this.#waiting.map((w) => w.reads)];
    this.#queued = [];
    this.#rounds.clear();
    this.#waiting.length = 0;
    for (const reads of all) this.#answer(reads, { ok: false, failure: failure(code, detail) });
  }

  #answer(reads: readonly Read[], answer: Answer<undefined>): void {
    this.#size -= reads.length;
    for (const read of reads) read.done(answer);
  }
}
