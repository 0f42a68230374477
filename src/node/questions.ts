import { failure } from '../core/errors.ts';
import type { Question, Reply } from '../wire/frames.ts';

interface Open {
  readonly id: number;
  readonly question: Question;
  readonly deadlineMs: number;
  readonly done: (reply: Reply) => void;
}

/** Questions of one node without a reply; more are refused as `overloaded`. */
const maxOpen = 16_384;

/** Questions to the leader that wait for a reply. Each may be asked again, so a lost frame or a new leader only costs time. */
export class Questions {
  readonly #open = new Map<number, Open>();
  #unsent: Open[] = [];
  #nextId = 1;

  ask(question: Question, deadlineMs: number, done: (reply: Reply) => void): void {
    if (this.#open.size >= maxOpen) {
      done({ kind: 'failure', failure: failure('overloaded', 'too many requests are waiting at this node; try again later') });
      return;
    }
    const open: Open = { id: this.#nextId++, question, deadlineMs, done };
    this.#open.set(open.id, open);
    this.#unsent.push(open);
  }

  get hasUnsent(): boolean {
    return this.#unsent.length > 0;
  }

  takeUnsent(): readonly { readonly id: number; readonly question: Question }[] {
    const unsent = this.#unsent.filter((open) => this.#open.has(open.id));
    this.#unsent = [];
    return unsent;
  }

  resend(): void {
    this.#unsent = [...this.#open.values()];
  }

  onReply(id: number, reply: Reply): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    open.done(reply);
  }

  expire(nowMs: number): void {
    for (const open of this.#open.values()) if (nowMs >= open.deadlineMs) this.#fail(open, 'no_leader', 'no leader answered in time');
  }

  failAll(code: 'no_quorum' | 'unavailable', detail: string): void {
    for (const open of this.#open.values()) this.#fail(open, code, detail);
  }

  #fail(open: Open, code: 'no_quorum' | 'no_leader' | 'unavailable', detail: string): void {
    this.#open.delete(open.id);
    open.done({ kind: 'failure', failure: failure(code, detail) });
  }
}
