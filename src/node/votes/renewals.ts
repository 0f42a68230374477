import type { ProposalId } from '../../byzantine/proposal.ts';
import type { Renewal } from './vote-records.ts';

/** Void votes that are remembered; those of the oldest epochs go first. */
const maxRenewals = 10_000;

/** Votes whose epoch ended before they were decided, and the votes in which they go on. */
export class Renewals {
  /** Oldest epochs first. */
  readonly #renewals: Map<ProposalId, Renewal>;

  constructor(stored: readonly Renewal[]) {
    this.#renewals = new Map(stored.toSorted((a, b) => a.epoch - b.epoch).map((each) => [each.id, each]));
  }

  /** Keeps it; the one that has to make room for it is forgotten. */
  add(renewal: Renewal): ProposalId | undefined {
    const [oldest] = this.#renewals.keys();
    const isFull = this.#renewals.size >= maxRenewals;
    if (isFull && oldest !== undefined) this.#renewals.delete(oldest);
    this.#renewals.set(renewal.id, renewal);
    return isFull ? oldest : undefined;
  }

  /** The vote in which this one goes on, through all epochs since; itself if its epoch is not over, and `void` if it ended with one. */
  latest(id: ProposalId): ProposalId | 'void' {
    const renewal = this.#renewals.get(id);
    if (renewal === undefined) return id;
    return renewal.next === undefined ? 'void' : this.latest(renewal.next);
  }
}
