import type { Entry } from '../../src/raft/messages.ts';
import { hold } from '../violation.ts';
import type { Invariant, NodeView } from './invariant.ts';

/** Only committed entries are applied (Raft figure 2, volatile state: lastApplied follows commitIndex; openraft: `applied <= committed`). */
export class AppliedIsCommitted implements Invariant {
  readonly name = 'applied-is-committed';

  onApplied({ id, replica }: NodeView, { index }: Entry): void {
    const { commitIndex } = replica.raft;
    hold(commitIndex >= index, this.name, () => `${id} applies ${index} of ${commitIndex}`);
  }

  afterTurn({ id, replica }: NodeView): void {
    const { commitIndex } = replica.raft;
    if (commitIndex < replica.appliedIndex) hold(false, this.name, () => `${id} applied ${replica.appliedIndex} of ${commitIndex}`);
  }
}
