import type { LogIndex, Term } from '../../core/ids.ts';
import { maxListed, type Truncated } from '../../partition/heal/heal-report.ts';

/** What Raft tells of its log. */
export interface LogView {
  readonly commitIndex: LogIndex;
  readonly lastIndex: () => LogIndex;
  readonly snapshots: number;
  readonly termAt: (index: LogIndex) => Term | undefined;
}

/** Remembers a node's log as it was when a split began to heal, to say afterwards what it was given and what it had to give up. */
export class LogMarks {
  readonly #commitIndex: LogIndex;
  readonly #snapshots: number;
  /** Entries that nobody had committed, as far as this node knew. */
  readonly #tail: readonly { readonly index: LogIndex; readonly term: Term }[];

  constructor({ commitIndex, lastIndex, snapshots, termAt }: LogView) {
    this.#commitIndex = commitIndex;
    this.#snapshots = snapshots;
    const count = Math.min(maxListed, lastIndex() - commitIndex);
    this.#tail = Array.from({ length: count }, (_, i) => commitIndex + 1 + i).map((index) => ({ index, term: termAt(index) ?? 0 }));
  }

  since({ commitIndex, snapshots, termAt }: LogView): { caughtUpEntries: number; truncated: Truncated[]; snapshots: number } {
    return {
      caughtUpEntries: commitIndex - this.#commitIndex,
      // What was compacted meanwhile was committed before: it was kept if its term still is.
      truncated: this.#tail
        .filter(({ index, term }) => (termAt(index) ?? term) !== term)
        .map(({ index, term }) => ({ index, term, session: undefined, seq: undefined, kind: undefined })),
      snapshots: snapshots - this.#snapshots,
    };
  }
}
