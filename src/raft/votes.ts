import type { NodeId } from '../core/ids.ts';
import type { Configuration } from './messages.ts';
import { jointVote, type VoteResult } from './quorum.ts';

/**
 * The answers in one election. They are counted per identity, first answer first, and only those of the voters that the configuration has at
 * the time of counting: a duplicate, a learner or a removed node adds nothing. Holds at most one answer per node that was a voter when it came.
 */
export class Votes {
  readonly #answers = new Map<NodeId, boolean>();

  clear(): void {
    this.#answers.clear();
  }

  record(id: NodeId, granted: boolean): void {
    if (!this.#answers.has(id)) this.#answers.set(id, granted);
  }

  result(configuration: Configuration): VoteResult {
    return jointVote(configuration, (id) => this.#answers.get(id));
  }
}
