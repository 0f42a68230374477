import type { Term } from '../../src/core/ids.ts';
import type { SaveBatch } from '../../src/storage/store.ts';
import { hold } from '../violation.ts';
import { fingerprint } from './agreed-log.ts';
import type { Invariant, NodeView } from './invariant.ts';

interface Written {
  readonly print: number;
  /** Of the entry before it. */
  readonly previousTerm: Term | undefined;
}

/**
 * Log Matching (Raft §5.3, figure 3): two entries with the same end and term are the same entry after the same predecessor; by induction the logs before them
 * are equal. Checked for every entry that any node writes to its disk.
 */
export class LogMatching implements Invariant {
  readonly name = 'log-matching';
  /** By end and term. */
  readonly #written = new Map<number, Written>();

  onSaving({ id, disk }: NodeView, { entries }: SaveBatch): void {
    const first = entries?.[0];
    if (entries === undefined || first === undefined) return;
    let previousTerm = disk.termAt(first.index - first.count);
    for (const { index, term, count, data } of entries) {
      const print = fingerprint(data, count);
      // Both are far below 2^26 in a run.
      const name = term * 2 ** 26 + index;
      const known = this.#written.get(name);
      if (known === undefined) {
        this.#written.set(name, { print, previousTerm });
      } else {
        const isSame = known.print === print && known.previousTerm === previousTerm;
        hold(
          isSame,
          this.name,
          () =>
            `${id} writes ${print} after term ${previousTerm} at ${index} in term ${term}, where ${known.print} after term ${known.previousTerm} was written`,
        );
      }
      previousTerm = term;
    }
  }
}
