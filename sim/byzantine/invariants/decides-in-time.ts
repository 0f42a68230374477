import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import { honestPart } from '../../../src/byzantine/quorum.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import { hold } from '../../violation.ts';
import type { VoteFacts, VoteInvariant } from './invariant.ts';

/**
 * I9: once messages arrive and the time for ballots is up, honest members decide within F+1 views of a leader that has an outcome at hand. Perhaps only one of
 * them has, so each may have to lead once before.
 */
export class DecidesInTime implements VoteInvariant {
  readonly name = 'decides-in-time';
  readonly #maxViews: number;
  #highestView = 0;
  #calmView: number | undefined;

  constructor({ motion }: VoteFacts) {
    this.#maxViews = motion.n + honestPart(motion.n);
  }

  onCalm(): void {
    this.#calmView = this.#highestView;
  }

  onSaved(member: MemberIndex, _before: Memory | undefined, { statement: { view, decided } }: Memory): void {
    this.#highestView = Math.max(this.#highestView, view);
    const views = view - (this.#calmView ?? view);
    hold(decided !== undefined || views <= this.#maxViews, this.name, () => `member ${member} is in the ${views}th view since all is well`);
  }
}
