import { type ProposalId, proposalLimits } from '../../byzantine/proposal.ts';
import type { Failure } from '../../core/errors.ts';
import type { Answer } from '../service.ts';
import type { NewVotes } from './new-votes.ts';
import type { Opinions } from './opinions.ts';
import { voteName } from './vote-name.ts';
import type { OpenedVote, VoteRequest } from './vote-service.ts';

/** How long a request waits for others at most while an earlier bundle of this node is being decided (docs/decisions/0016). */
const gatherMs = 50;

type Done = (answer: Answer<OpenedVote>) => void;

interface Waiting {
  readonly request: VoteRequest;
  readonly done: Done;
}

export interface BundlerParts {
  readonly opinions: Opinions;
  readonly newVotes: NewVotes;
  /** Calls back once the vote is over. */
  readonly onCertified: (vote: ProposalId, listener: () => void) => void;
  /** Runs the job in so many milliseconds. */
  readonly defer: (job: () => void, ms: number) => void;
}

/**
 * Gathers requests on the same terms into one proposal, whose items share its signatures, messages and writes. As Nagle's algorithm does: who asks while nothing
 * is under way waits for nobody, and the more there is to do, the more share a vote. What people decide on is always a vote of its own.
 */
export class Bundler {
  readonly #parts: BundlerParts;
  readonly #waiting = new Map<string, Waiting[]>();
  /** Proposals that are not decided yet. */
  #underWay = 0;

  constructor(parts: BundlerParts) {
    this.#parts = parts;
  }

  /** Answers once the proposal is durable here, or at once with a refusal. */
  add(request: VoteRequest, done: Done): void {
    const { opinions, newVotes, defer } = this.#parts;
    if (!opinions.isLeftToMachines(request)) return newVotes.open(request, undefined, done);
    const refused = newVotes.refusal([request]);
    if (refused !== undefined) return done({ ok: false, failure: refused });
    const { kind, options, minSupport, timeoutMs, validMs } = request;
    const terms = JSON.stringify([kind, options, minSupport, timeoutMs, validMs]);
    const waiting = this.#waiting.get(terms) ?? [];
    this.#waiting.set(terms, waiting);
    waiting.push({ request, done });
    if (waiting.length === proposalLimits.items) return this.#close(terms);
    if (waiting.length === 1) defer(() => this.#close(terms, waiting), this.#underWay === 0 ? 0 : gatherMs);
    return undefined;
  }

  /** No more votes are opened here: whoever waits is told why. */
  end(why: Failure): void {
    for (const waiting of this.#waiting.values()) for (const { done } of waiting) done({ ok: false, failure: why });
    this.#waiting.clear();
  }

  /** `only`: if these are still the ones that wait. */
  #close(terms: string, only?: readonly Waiting[]): void {
    const waiting = this.#waiting.get(terms);
    if (waiting === undefined || (only !== undefined && waiting !== only)) return;
    this.#waiting.delete(terms);
    this.#parts.newVotes.openBundle(
      waiting.map(({ request }) => request),
      (answer) => {
        if (!answer.ok) for (const { done } of waiting) done(answer);
        else this.#onOpened(answer.value, waiting);
      },
    );
  }

  #onOpened(proposal: ProposalId, requests: readonly Waiting[]): void {
    this.#underWay++;
    for (const [item, { done }] of requests.entries())
      done({ ok: true, value: { id: voteName(proposal, item, requests.length), proposal, item } });
    this.#parts.onCertified(proposal, () => {
      this.#underWay--;
      if (this.#underWay === 0) for (const terms of this.#waiting.keys()) this.#close(terms);
    });
  }
}
