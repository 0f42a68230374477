import { hold } from '../violation.ts';
import type { Invariant, KeyRead } from './invariant.ts';

/** A linearizable read is never older than what had been acknowledged when it began (Herlihy & Wing 1990; Raft §8 and thesis §6.4): checked at once, so that a stale read ends the run. */
export class NoStaleRead implements Invariant {
  readonly name = 'no-stale-read';

  onRead({ consistency, key, index, after }: KeyRead): void {
    if (consistency !== 'linearizable') return;
    hold(index >= after, this.name, () => `${key} was read as of index ${index} after ${after} had been acknowledged`);
  }
}
