import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import { byzantineQuorum } from '../../../src/byzantine/quorum.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import { hold } from '../../violation.ts';
import type { VoteFacts, VoteInvariant } from './invariant.ts';

/**
 * Of R1, R4 and R5: a member whose time is up asks for one view more; else it asks only for what an honest one asked for before, and it enters a view only when
 * all honest members of some quorum have asked for it.
 */
export class LiarsMoveNobody implements VoteInvariant {
  readonly name = 'liars-move-nobody';
  readonly #honestNeeded: number;
  readonly #asked = new Map<MemberIndex, number>();

  constructor({ motion, liars }: VoteFacts) {
    this.#honestNeeded = byzantineQuorum(motion.n) - liars.size;
  }

  onSaved(member: MemberIndex, before: Memory | undefined, { statement: { view, viewChange } }: Memory): void {
    const highestAsked = Math.max(0, ...this.#asked.values());
    hold(viewChange <= highestAsked + 1, this.name, () => `member ${member} asks for view ${viewChange}`);
    this.#asked.set(member, Math.max(viewChange, this.#asked.get(member) ?? 0));
    if (view === (before?.statement.view ?? 0)) return;
    const asked = [...this.#asked.values()].filter((asks) => asks >= view).length;
    hold(asked >= this.#honestNeeded, this.name, () => `member ${member} is in view ${view}, for which ${asked} honest members ask`);
  }
}
