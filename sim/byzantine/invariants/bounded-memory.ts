import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import { maxWitnesses } from '../../../src/byzantine/witnesses.ts';
import { hold } from '../../violation.ts';
import type { VoteInvariant } from './invariant.ts';

/** I8: however much liars say, what a member keeps of a vote is bounded. */
export class BoundedMemory implements VoteInvariant {
  readonly name = 'bounded-memory';

  onSaved(member: MemberIndex, _before: Memory | undefined, { witnesses }: Memory): void {
    hold(witnesses.length <= maxWitnesses, this.name, () => `member ${member} keeps ${witnesses.length} witnesses`);
  }
}
