import type { LogIndex, Term } from '../../src/core/ids.ts';
import type { HardState, SnapshotMeta } from '../../src/raft/messages.ts';
import type { SaveBatch, StoredState } from '../../src/storage/store.ts';

/**
 * What surely is on a node's disk: a book kept beside the store, from what was given to it and what it said was done. It knows no store from inside, so it
 * can hold each of them to its word.
 */
export class Disk {
  hardState: HardState = { currentTerm: 0, votedFor: undefined, commitIndex: 0, rejoining: 0 };
  /** Index of the newest whole snapshot, 0 without one. */
  snapshotIndex: LogIndex = 0;
  /** Begun and not known to be done: after a crash it is on the disk or not. */
  inFlight: SaveBatch | undefined;
  /** What was here when the disk was lost: it was acknowledged rightly. Until the node is whole again, nothing else is. */
  lost: Disk | undefined;
  baseIndex: LogIndex = 0;
  baseTerm: Term = 0;
  /** Where the entries after the base end, and their terms. */
  #indices: LogIndex[] = [];
  #terms: Term[] = [];

  get lastIndex(): LogIndex {
    return this.#indices.at(-1) ?? this.baseIndex;
  }

  get lastTerm(): Term {
    return this.#terms.at(-1) ?? this.baseTerm;
  }

  /** The term of the entry that ends at the index; undefined when none here does. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.baseIndex) return this.baseTerm;
    // Nearly always one of the last.
    for (let at = this.#indices.length - 1; at >= 0; at--) {
      const found = this.#indices[at];
      if (found === index) return this.#terms[at];
      if (found === undefined || found < index) return undefined;
    }
    return undefined;
  }

  /** The entry, or a snapshot that covers it. */
  holds(index: LogIndex, term: Term): boolean {
    return index <= this.baseIndex || this.termAt(index) === term || this.lost?.holds(index, term) === true;
  }

  saved({ hardState, entries, snapshotChunk }: SaveBatch): void {
    if (snapshotChunk !== undefined && snapshotChunk.chunk + 1 === snapshotChunk.chunks) this.#installed(snapshotChunk.snapshot);
    const first = entries?.[0];
    if (first !== undefined) this.#cutAfter(first.index - first.count);
    for (const { index, term } of entries ?? []) {
      this.#indices.push(index);
      this.#terms.push(term);
    }
    if (hardState === undefined) return;
    if (hardState.rejoining === 0) this.lost = undefined;
    this.hardState = hardState;
  }

  compacted(index: LogIndex, term: Term): void {
    if (index <= this.baseIndex) return;
    const kept = this.#indices.findIndex((each) => each > index);
    const gone = kept < 0 ? this.#indices.length : kept;
    this.#indices.splice(0, gone);
    this.#terms.splice(0, gone);
    this.baseIndex = index;
    this.baseTerm = term;
  }

  /** Whether a store that found this tells of a loss that was not known. */
  isLoss({ hardState: { rejoining } }: StoredState): boolean {
    return rejoining !== 0 && rejoining !== this.hardState.rejoining;
  }

  /** What a store found when it was opened. */
  opened(stored: StoredState): void {
    if (stored.hardState.rejoining === 0) this.lost = undefined;
    else if (this.hardState.rejoining === 0) this.lost = this.#copy();
    this.inFlight = undefined;
    this.hardState = stored.hardState;
    this.snapshotIndex = stored.snapshot?.meta.index ?? 0;
    this.baseIndex = stored.compactedIndex;
    this.baseTerm = stored.compactedTerm;
    this.#indices = stored.entries.map(({ index }) => index);
    this.#terms = stored.entries.map(({ term }) => term);
  }

  /** This disk after what is in flight has reached it. */
  withInFlight(): Disk {
    const copy = this.#copy();
    if (this.inFlight !== undefined) copy.saved(this.inFlight);
    return copy;
  }

  #installed({ index, term }: SnapshotMeta): void {
    this.snapshotIndex = index;
    this.baseIndex = index;
    this.baseTerm = term;
    this.#indices = [];
    this.#terms = [];
  }

  #cutAfter(index: LogIndex): void {
    while (this.#indices.length > 0 && this.lastIndex > index) {
      this.#indices.pop();
      this.#terms.pop();
    }
  }

  #copy(): Disk {
    const copy = new Disk();
    copy.hardState = this.hardState;
    copy.snapshotIndex = this.snapshotIndex;
    copy.baseIndex = this.baseIndex;
    copy.baseTerm = this.baseTerm;
    copy.#indices = [...this.#indices];
    copy.#terms = [...this.#terms];
    return copy;
  }
}
