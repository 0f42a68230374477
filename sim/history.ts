import type { LogIndex, NodeId, Term } from '../src/core/ids.ts';
import type { Entry } from '../src/raft/messages.ts';
import { hold } from './violation.ts';

/** What is known of one applied entry, whoever applied it first. */
interface Applied {
  readonly index: LogIndex;
  readonly term: Term;
  readonly print: number;
}

/**
 * The world's memory of a run, against which every node is checked after every event: who led which term, which entry was applied where. It sees
 * more than any node can.
 */
export class History {
  readonly #leaders = new Map<Term, NodeId>();
  readonly #applied: Applied[] = [];
  readonly #positions = new Map<LogIndex, number>();
  /** By end and term of an entry: its fingerprint and the term before it. */
  readonly #written = new Map<string, string>();

  /** The newest entry that any node has applied. */
  get lastApplied(): { readonly index: LogIndex; readonly term: Term } | undefined {
    return this.#applied.at(-1);
  }

  /**
   * Log Matching (Raft figure 3): two entries with the same end and term are the same entry after the same predecessor; by induction the logs before them are
   * equal. Checked for every entry that any node writes to its disk. `before`: the term of the entry that the first one follows on that disk.
   */
  onSaved(node: NodeId, entries: readonly Entry[], before: Term | undefined): void {
    let previous = before;
    for (const entry of entries) {
      const name = `${entry.index} ${entry.term}`;
      const written = `${fingerprint(entry)} after ${previous ?? '?'}`;
      const known = this.#written.get(name);
      hold(
        known === undefined || known === written,
        'log-matching',
        () => `${node} wrote ${written} at ${name}, where ${known} was written before`,
      );
      this.#written.set(name, written);
      previous = entry.term;
    }
  }

  get elections(): number {
    return this.#leaders.size;
  }

  /** Election Safety (Raft figure 3): at most one leader in a term. */
  onLeader(node: NodeId, term: Term): boolean {
    const known = this.#leaders.get(term);
    hold(known === undefined || known === node, 'election-safety', () => `term ${term} has the leaders ${known} and ${node}`);
    if (known === undefined) this.#leaders.set(term, node);
    return known === undefined;
  }

  /**
   * Leader Completeness (Raft figure 3): a new leader's log holds every entry that was committed in an earlier term. `termAt` tells the term of the
   * leader's entry that ends at an index; the newest one is enough, since Log Matching makes the rest equal.
   */
  onElected(node: NodeId, term: Term, lastIndex: LogIndex, termAt: (index: LogIndex) => Term | undefined): void {
    const last = this.lastApplied;
    if (last === undefined || last.term >= term) return;
    hold(
      lastIndex >= last.index,
      'leader-completeness',
      () => `${node} leads term ${term} with a log up to ${lastIndex}, but ${last.index} is committed`,
    );
    const own = termAt(last.index);
    hold(
      own === undefined || own === last.term,
      'leader-completeness',
      () => `${node} leads term ${term} with another entry at ${last.index}`,
    );
  }

  /** State Machine Safety (Raft figure 3): no two nodes apply different entries at one index; each applies all of them in order. */
  onApplied(node: NodeId, entry: Entry): void {
    const print = fingerprint(entry);
    const position = this.#positions.get(entry.index);
    if (position === undefined) {
      const last = this.lastApplied;
      hold(
        (last?.index ?? 0) === entry.index - entry.count,
        'state-machine-safety',
        () => `${node} applied ${entry.index} where others cut elsewhere`,
      );
      this.#positions.set(entry.index, this.#applied.length);
      this.#applied.push({ index: entry.index, term: entry.term, print });
      return;
    }
    const known = this.#applied[position];
    hold(
      known !== undefined && known.term === entry.term && known.print === print,
      'state-machine-safety',
      () => `${node} applied another entry at ${entry.index} (term ${entry.term}, first applied with term ${known?.term})`,
    );
  }
}

/** FNV-1a over the entry's bytes. */
export function fingerprint(entry: Entry): number {
  let hash = 0x811c9dc5 ^ entry.count;
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
