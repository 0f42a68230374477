import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import { hold } from '../../violation.ts';
import type { VoteInvariant } from './invariant.ts';

/** I5: view, asked view, revision and boot of a member never go back. */
export class Monotonic implements VoteInvariant {
  readonly name = 'monotonic';

  onSaved(member: MemberIndex, before: Memory | undefined, { statement: now }: Memory): void {
    if (before === undefined) return;
    const then = before.statement;
    const goesOn = now.view >= then.view && now.viewChange >= then.viewChange && now.revision >= then.revision && now.boot >= then.boot;
    hold(goesOn, this.name, () => `member ${member} went back from view ${then.view} to ${now.view}`);
  }
}
