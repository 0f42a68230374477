import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import type { Vote } from '../../../src/byzantine/statement.ts';
import type { Value } from '../../../src/byzantine/witness.ts';
import { hold } from '../../violation.ts';
import type { VoteInvariant } from './invariant.ts';

/** I4: a member votes for one value in a view and phase, whatever happens to it between. */
export class OneVotePerPhase implements VoteInvariant {
  readonly name = 'one-vote-per-phase';
  readonly #votes = new Map<string, Value>();

  onSaved(member: MemberIndex, _before: Memory | undefined, { statement }: Memory): void {
    const { view, current, frozen, previous } = statement;
    for (const [phase, value] of current.entries()) if (value !== undefined) this.#voted(member, phase, { view, value });
    for (const [phase, vote] of frozen.entries()) if (vote !== undefined) this.#voted(member, phase, vote);
    for (const [phase, vote] of previous.entries()) if (vote !== undefined) this.#voted(member, phase, vote);
  }

  #voted(member: MemberIndex, phase: number, { view, value }: Vote): void {
    const key = `${member}/${view}/${phase}`;
    const before = this.#votes.get(key);
    if (before === undefined) this.#votes.set(key, value);
    hold(before === undefined || before === value, this.name, () => `member ${member} voted twice in view ${view}, phase ${phase + 1}`);
  }
}
