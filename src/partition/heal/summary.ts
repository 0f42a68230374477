import { equalBytes } from '../../core/bytes.ts';
import type { LogIndex, NodeId, TaskId, Term } from '../../core/ids.ts';

/** Leases that one summary may name; an agent beyond that learns of its old fence when it next uses it. */
export const maxLeases = 1024;

/** Counters of gossip that one summary may name: some of every member of the largest cluster. Of what is beyond it nothing is awaited. */
export const maxDots = 4096;

export interface Lease {
  readonly task: TaskId;
  readonly fence: number;
}

/** Where a node stands when it meets another again (H2). */
export interface Summary {
  /** Of the Byzantine votes: how many certified changes of the members it knows. */
  readonly epoch: number;
  readonly term: Term;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly commitIndex: LogIndex;
  /** The term of the entry at `commitIndex`: by the Log Matching property it stands for all before it. */
  readonly commitTerm: Term;
  /** The hash chain over all that it has applied. */
  readonly head: { readonly index: LogIndex; readonly chain: Uint8Array };
  readonly snapshotIndex: LogIndex;
  /** How much of each node's gossip it has: of every start of a node the last counter (`Digest` of the gossip). */
  readonly gossip: readonly { readonly node: NodeId; readonly counter: number }[];
  readonly openVotes: number;
  /** What the agents attached to it held when its split began. */
  readonly leases: readonly Lease[];
}

/** What a node knows of its own log. */
export interface OwnLog {
  readonly commitIndex: LogIndex;
  readonly termAt: (index: LogIndex) => Term | undefined;
  /** The hash chain up to the index; `none` when no entry of this log ends there, undefined when it is not applied yet or too long ago. */
  readonly chainAt: (index: LogIndex) => Uint8Array | 'none' | undefined;
}

/**
 * Whether what the other has committed is a prefix of what we have (or cannot be told: we have less, and it is for the other to look; or ours is compacted away).
 * False is the end of trust: two different entries were committed at one index (Raft, §5.3), and nothing may be merged. Equal chains prove
 * that the logs are equal, entry for entry; where ours is not at hand, the terms have to do.
 */
export function isPrefix(theirs: Summary, ours: OwnLog): boolean {
  const { index, chain } = theirs.head;
  const own = ours.chainAt(index);
  if (own !== undefined) return own !== 'none' && equalBytes(own, chain);
  if (theirs.commitIndex > ours.commitIndex || theirs.commitIndex === 0) return true;
  const term = ours.termAt(theirs.commitIndex);
  return term === undefined || term === theirs.commitTerm;
}
