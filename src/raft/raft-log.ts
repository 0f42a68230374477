import { assert } from '../core/assert.ts';
import { firstIndex } from '../core/first-index.ts';
import type { LogIndex, Term } from '../core/ids.ts';
import { type Entry, maxEntriesPerMessage } from './messages.ts';

/** Where an entry ends: the only indices at which logs are compared. */
export interface Position {
  readonly index: LogIndex;
  readonly term: Term;
}

/** Entries that gave way and are remembered, the newest, until somebody asks: to say whose they were. */
const maxTruncated = 256;

/**
 * The log since the last compaction, in memory; the driver's store holds the same on disk. Entries cover one or more indices and are compared, sent and cut
 * only where they end. Never changes an entry, never truncates a committed one.
 */
export class RaftLog {
  #entries: Entry[];
  #compacted: Position;
  #committed: LogIndex;
  #applied: LogIndex;
  /** Everything up to here was handed to the disk. */
  #handedToDisk: LogIndex;
  #truncated: Entry[] = [];

  constructor(entries: readonly Entry[], compacted: Position, committed: LogIndex, applied: LogIndex) {
    this.#entries = [...entries];
    this.#compacted = compacted;
    this.#handedToDisk = this.lastIndex;
    this.#committed = Math.max(applied, Math.min(committed, this.lastIndex));
    this.#applied = applied;
  }

  get lastIndex(): LogIndex {
    return this.#entries.at(-1)?.index ?? this.#compacted.index;
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#compacted.term;
  }

  /** The first index that is still here. */
  get firstIndex(): LogIndex {
    return this.#compacted.index + 1;
  }

  get committed(): LogIndex {
    return this.#committed;
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  /** The term of the entry that ends at the index; undefined when none here does. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.#compacted.index) return this.#compacted.term;
    const entry = this.#entries[this.#at(index)];
    return entry?.index === index ? entry.term : undefined;
  }

  matches({ index, term }: Position): boolean {
    return this.termAt(index) === term;
  }

  /** Raft §5.4.1: the later last term wins, then the longer log. */
  isUpToDate(last: Position): boolean {
    return last.term > this.lastTerm || (last.term === this.lastTerm && last.index >= this.lastIndex);
  }

  append(entry: Entry): void {
    assert(entry.count >= 1 && entry.index - entry.count === this.lastIndex, 'an entry continues the log without a gap');
    assert(entry.term >= this.lastTerm, 'terms never fall along the log');
    this.#entries.push(entry);
  }

  /**
   * Takes a leader's entries that follow a matching position. Those already here stay untouched, so that a late duplicate drops nothing; from the first that
   * differs on, ours are replaced (§5.3). Returns the last index now known to match.
   */
  merge(after: Position, entries: readonly Entry[]): LogIndex {
    let at = this.#at(after.index + 1);
    for (const entry of entries) {
      const own = this.#entries[at];
      if (own !== undefined && own.index === entry.index && own.term === entry.term) {
        at++;
        continue;
      }
      if (own !== undefined) this.#truncate(at);
      this.append(entry);
      at++;
    }
    return entries.at(-1)?.index ?? after.index;
  }

  /** The newest entries that gave way to a leader's since the last call. */
  takeTruncated(): readonly Entry[] {
    const truncated = this.#truncated;
    this.#truncated = [];
    return truncated;
  }

  /** The last position at or before `index` whose term is at most `term`: where two logs may still agree (fast back-up, §5.3). */
  lastWithTermAtMost(index: LogIndex, term: Term): Position {
    let at = this.#at(index + 1) - 1;
    for (; at >= 0; at--) {
      const entry = this.#entries[at];
      if (entry !== undefined && entry.term <= term) return { index: entry.index, term: entry.term };
    }
    return this.#compacted.index <= index && this.#compacted.term <= term ? this.#compacted : { index: 0, term: 0 };
  }

  /** The end of the entry before the one that covers `index`. */
  endBefore(index: LogIndex): LogIndex {
    const entry = this.#entries[this.#at(index) - 1];
    return entry?.index ?? this.#compacted.index;
  }

  /** Entries that begin right after `index`, as many as one message takes: up to `maxBytes` of data, at least one if there is any. */
  after(index: LogIndex, maxBytes: number): readonly Entry[] {
    const from = this.#at(index + 1);
    const end = Math.min(this.#entries.length, from + maxEntriesPerMessage);
    let to = from;
    for (let bytes = 0; to < end; to++) {
      bytes += this.#entries[to]?.data.length ?? 0;
      if (bytes > maxBytes && to > from) break;
    }
    return this.#entries.slice(from, to);
  }

  commitTo(index: LogIndex): void {
    if (index <= this.#committed) return;
    assert(this.termAt(index) !== undefined, 'the commit index moves to the end of an entry that is here');
    this.#committed = index;
  }

  get hasUnsaved(): boolean {
    return this.lastIndex > this.#handedToDisk;
  }

  /** What the disk doesn't have yet; from now on it counts as handed over. */
  takeUnsaved(): readonly Entry[] {
    const unsaved = this.#entries.slice(this.#at(this.#handedToDisk + 1));
    this.#handedToDisk = this.lastIndex;
    return unsaved;
  }

  /** Committed entries that were not handed out yet. */
  peekCommitted(): readonly Entry[] {
    return this.unapplied(this.#committed);
  }

  /** Entries that were not handed out yet, up to the one that ends at the index. */
  unapplied(index: LogIndex): readonly Entry[] {
    return index <= this.#applied ? [] : this.#entries.slice(this.#at(this.#applied + 1), this.#at(index) + 1);
  }

  takeCommitted(): readonly Entry[] {
    const committed = this.peekCommitted();
    this.#applied = this.#committed;
    return committed;
  }

  /** A snapshot replaces the whole log (§7). */
  restore(to: Position): void {
    assert(to.index > this.#committed, 'a snapshot that replaces the log is ahead of what is committed here');
    this.#entries = [];
    this.#compacted = to;
    this.#committed = to.index;
    this.#applied = to.index;
    this.#handedToDisk = to.index;
  }

  /** Forgets applied entries up to `index`, but keeps the last `keepBytes` of them for followers that are a little behind. Returns where the log now begins. */
  compact(index: LogIndex, keepBytes: number): Position {
    assert(index <= this.#applied, 'only applied entries are compacted');
    let keepFrom = this.#at(index) + 1;
    for (let bytes = 0; keepFrom > 0; keepFrom--) {
      bytes += this.#entries[keepFrom - 1]?.data.length ?? 0;
      if (bytes > keepBytes) break;
    }
    const last = this.#entries[keepFrom - 1];
    if (last === undefined || last.index <= this.#compacted.index) return this.#compacted;
    this.#entries = this.#entries.slice(keepFrom);
    this.#compacted = { index: last.index, term: last.term };
    return this.#compacted;
  }

  #truncate(at: number): void {
    const before = this.#entries[at - 1]?.index ?? this.#compacted.index;
    assert(before >= this.#committed, 'a committed entry is never truncated');
    this.#truncated = [...this.#truncated, ...this.#entries.splice(at)].slice(-maxTruncated);
    this.#handedToDisk = Math.min(this.#handedToDisk, before);
  }

  /** Place of the first entry that ends at or after `index`. */
  #at(index: LogIndex): number {
    return firstIndex(this.#entries.length, (at) => (this.#entries[at]?.index ?? 0) >= index);
  }
}
