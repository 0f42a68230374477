import type { NodeId, Term } from '../../src/core/ids.ts';
import { hold } from '../violation.ts';
import type { Invariant, NodeView } from './invariant.ts';

/** Election Safety (Raft §5.2, figure 3): at most one leader in a term. */
export class ElectionSafety implements Invariant {
  readonly name = 'election-safety';
  readonly #leaders = new Map<Term, NodeId>();

  onElected({ id, replica }: NodeView): void {
    const { term } = replica.raft;
    const known = this.#leaders.get(term);
    hold(known === undefined || known === id, this.name, () => `term ${term} has the leaders ${known} and ${id}`);
    this.#leaders.set(term, id);
  }
}
