import type { Failure } from '../../core/errors.ts';
import type { Answer } from '../service.ts';
import type { NewVotes } from './new-votes.ts';
import type { Opinions } from './opinions.ts';
import type { OpenedVote, VoteRequest } from './vote-service.ts';

/** Items of a bundle that the proposer gathers, as many as a proposal takes, and how long the first of them waits for more (protocol design 1.4). */
const maxItems = 1024;
const gatherMs = 2;

interface Waiting {
  readonly request: VoteRequest;
  readonly done: (answer: Answer<OpenedVote>) => void;
}

export interface BundlerParts {
  readonly opinions: Opinions;
  readonly newVotes: NewVotes;
  /** Runs the job in so many milliseconds. */
  readonly defer: (job: () => void, ms: number) => void;
}

/** Gathers requests on the same terms into one proposal, whose items share its signatures, messages and writes. What people decide on is always a vote of its own. */
export class Bundler {
  readonly #parts: BundlerParts;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(parts: BundlerParts) {
    this.#parts = parts;
  }

  /** Answers once the proposal is durable here, or at once with a refusal. */
  add(request: VoteRequest, done: Waiting['done']): void {
    const { opinions, newVotes, defer } = this.#parts;
    if (!opinions.approves(request)) return newVotes.open(request, undefined, done);
    const refused = newVotes.refusal([request]);
    if (refused !== undefined) return done({ ok: false, failure: refused });
    const { kind, options, minSupport, timeoutMs, validMs } = request;
    const terms = JSON.stringify([kind, options, minSupport, timeoutMs, validMs]);
    const waiting = this.#waiting.get(terms) ?? [];
    this.#waiting.set(terms, waiting);
    waiting.push({ request, done });
    if (waiting.length === maxItems) return this.#close(terms);
    if (waiting.length === 1) defer(() => this.#close(terms), gatherMs);
    return undefined;
  }

  /** No more votes are opened here: whoever waits is told why. */
  end(why: Failure): void {
    for (const waiting of this.#waiting.values()) for (const { done } of waiting) done({ ok: false, failure: why });
    this.#waiting.clear();
  }

  #close(terms: string): void {
    const waiting = this.#waiting.get(terms);
    if (waiting === undefined) return;
    this.#waiting.delete(terms);
    this.#parts.newVotes.openBundle(
      waiting.map(({ request }) => request),
      (answer) => {
        for (const [item, { done }] of waiting.entries()) done(answer.ok ? { ok: true, value: { ...answer.value, item } } : answer);
      },
    );
  }
}
