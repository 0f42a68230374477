import type { Entry } from '../../src/raft/messages.ts';
import { hold } from '../violation.ts';
import { fingerprint } from './agreed-log.ts';
import type { Facts, Invariant, NodeView } from './invariant.ts';

/** State Machine Safety (Raft §5.4.3, figure 3): no two nodes apply different entries at one index; each applies all of them in order. */
export class StateMachineSafety implements Invariant {
  readonly name = 'state-machine-safety';
  readonly #facts: Facts;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  onApplied({ id }: NodeView, { index, term, count, data }: Entry, isFirst: boolean): void {
    const { agreed } = this.#facts;
    const known = agreed.at(index);
    if (isFirst) {
      hold(agreed.endBefore(index) === index - count, this.name, () => `${id} applies ${index} where others cut elsewhere`);
      return;
    }
    hold(
      known !== undefined && known.term === term && known.print === fingerprint(data, count),
      this.name,
      () => `${id} applies another entry at ${index} (term ${term}, first applied with term ${known?.term})`,
    );
  }
}
