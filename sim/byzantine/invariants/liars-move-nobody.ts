import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import { hold } from '../../violation.ts';
import type { VoteInvariant } from './invariant.ts';

/** Of R4 and R5: a member whose time is up asks for one view more; else it asks only for what an honest one asked for before. */
export class LiarsMoveNobody implements VoteInvariant {
  readonly name = 'liars-move-nobody';
  #highestAsked = 0;

  onSaved(member: MemberIndex, _before: Memory | undefined, { statement }: Memory): void {
    const { viewChange } = statement;
    hold(viewChange <= this.#highestAsked + 1, this.name, () => `member ${member} asks for view ${viewChange}`);
    this.#highestAsked = Math.max(this.#highestAsked, viewChange);
  }
}
