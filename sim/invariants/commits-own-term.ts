import type { LogIndex } from '../../src/core/ids.ts';
import { hold } from '../violation.ts';
import type { Invariant, NodeView } from './invariant.ts';

/** A leader commits by counting only what is of its own term; what is older is committed along with it (Raft §5.4.2, figure 8). So what nobody knew to be committed is of the term of the leader that says so. */
export class CommitsOwnTerm implements Invariant {
  readonly name = 'commits-own-term';
  #newest: LogIndex = 0;

  onCommitted({ id, replica: { raft } }: NodeView, index: LogIndex): void {
    if (index <= this.#newest) return;
    this.#newest = index;
    const term = raft.termAt(index);
    hold(
      raft.role !== 'leader' || term === raft.term,
      this.name,
      () => `${id} leads term ${raft.term} and commits ${index} of term ${term}`,
    );
  }
}
