import type { LogIndex, NodeId, Term } from '../../core/ids.ts';
import type { SplitClass } from '../classify.ts';

/** Items of each list that are named; the rest is counted in the notes. */
export const maxListed = 1000;

/** An entry that was never committed and gave way to the leader's. Whose it was is said where the entry is still known; its client asks again by its session. */
export interface Truncated {
  readonly index: LogIndex;
  readonly term: Term;
  readonly session: string | undefined;
  readonly seq: number | undefined;
  readonly kind: string | undefined;
}

/** What one node did to become whole. */
export interface HealPart {
  readonly raft: { readonly caughtUpEntries: number; readonly truncated: readonly Truncated[]; readonly snapshots: number };
  readonly gossip: {
    /** Values that came from lost peers, added up over the nodes that took them in. */
    readonly merged: number;
    /** Keys written on both sides, by writers that did not know of each other; a dot is `node:counter`. */
    readonly conflicts: readonly { readonly key: string; readonly winnerDot: string; readonly losers: readonly string[] }[];
    /** Keys that had been removed on the other side, added up likewise. */
    readonly tombstoned: number;
  };
  readonly tasks: {
    /** Of what agents of returning nodes held: still theirs, by the same fence. */
    readonly kept: number;
    /** Or given to another; with no agent and fence 0 while it waits. */
    readonly fenced: readonly { readonly task: string; readonly agent: string; readonly oldFence: number; readonly newFence: number }[];
    readonly requeued: number;
    readonly orphanResults: number;
  };
  readonly bft: { readonly resumed: number; readonly decided: number; readonly expired: number };
  /** In words, what was given up and is in no list. Nothing is overwritten silently. */
  readonly discarded: readonly string[];
}

/** What a split was, and what was done to heal it: logged, told as an event, and kept in the history. */
export interface HealReport extends HealPart {
  readonly id: string;
  /** Unix milliseconds of the first lost link, by the coordinator's clock, and how long after it the split was classified and healed. */
  readonly start: number;
  readonly detectedMs: number;
  readonly healedMs: number;
  readonly class: SplitClass;
  readonly sides: readonly (readonly NodeId[])[];
  readonly leaderBefore: NodeId | undefined;
  readonly leaderAfter: NodeId | undefined;
  readonly termBefore: Term;
  readonly termAfter: Term;
  readonly reElected: boolean;
  /** From the first link that was back to the end. */
  readonly durationMs: number;
  readonly notes: readonly string[];
}

export const emptyPart: HealPart = {
  raft: { caughtUpEntries: 0, truncated: [], snapshots: 0 },
  gossip: { merged: 0, conflicts: [], tombstoned: 0 },
  tasks: { kept: 0, fenced: [], requeued: 0, orphanResults: 0 },
  bft: { resumed: 0, decided: 0, expired: 0 },
  discarded: [],
};

/** The parts of several nodes as one; lists are cut, and `notes` says by how much. */
export function mergeParts(parts: readonly HealPart[]): { readonly part: HealPart; readonly notes: readonly string[] } {
  const notes: string[] = [];
  const sum = (value: (part: HealPart) => number): number => parts.reduce((total, part) => total + value(part), 0);
  const list = <T>(name: string, items: (part: HealPart) => readonly T[], keyOf?: (item: T) => string): T[] => {
    const found = parts.flatMap((part) => [...items(part)]);
    const all = keyOf === undefined ? found : [...new Map(found.map((item) => [keyOf(item), item])).values()];
    if (all.length > maxListed) notes.push(`${name}: ${all.length - maxListed} more`);
    return all.slice(0, maxListed);
  };
  const part = {
    raft: {
      caughtUpEntries: sum(({ raft }) => raft.caughtUpEntries),
      truncated: list('truncated', ({ raft }) => raft.truncated),
      snapshots: sum(({ raft }) => raft.snapshots),
    },
    gossip: {
      merged: sum(({ gossip }) => gossip.merged),
      // Every node that met another side finds the same.
      conflicts: list(
        'conflicts',
        ({ gossip }) => gossip.conflicts,
        ({ key }) => key,
      ),
      tombstoned: sum(({ gossip }) => gossip.tombstoned),
    },
    tasks: {
      kept: sum(({ tasks }) => tasks.kept),
      fenced: list('fenced', ({ tasks }) => tasks.fenced),
      requeued: sum(({ tasks }) => tasks.requeued),
      orphanResults: sum(({ tasks }) => tasks.orphanResults),
    },
    bft: {
      resumed: sum(({ bft }) => bft.resumed),
      decided: sum(({ bft }) => bft.decided),
      expired: sum(({ bft }) => bft.expired),
    },
    discarded: list('discarded', ({ discarded }) => discarded),
  };
  return { part, notes };
}
