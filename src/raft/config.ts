import type { LogIndex, NodeId, Term } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import type { Configuration, Entry, HardState } from './messages.ts';

/** What a Raft node is told once. Times are in ticks of its driver, sizes in bytes of entry data. */
export interface RaftOptions {
  readonly id: NodeId;
  /** Ticks without a leader before a campaign, drawn anew each time from [electionTicks, 2 * electionTicks). Raising it tolerates longer stalls and costs as much availability after a silent death. */
  readonly electionTicks: number;
  /** Ticks between heartbeats, below `electionTicks`. */
  readonly heartbeatTicks: number;
  /** Ask before disturbing others with a higher term (thesis §9.6). On in the product; scripts may switch it off. */
  readonly preVote: boolean;
  /** A leader that hears no majority for `electionTicks` steps down, and voters keep to a live leader (thesis §6.2, §4.2.3). On in the product. */
  readonly checkQuorum: boolean;
  /** AppendEntries with entries on their way to one replicating follower. Raising it hides latency and costs memory in the network. */
  readonly maxInflight: number;
  /** The same bound in bytes; at least `maxSizePerMessage`. */
  readonly maxInflightBytes: number;
  /** Bytes of entries in one AppendEntries; a single larger entry travels alone. */
  readonly maxSizePerMessage: number;
  /** Proposals beyond this many bytes not yet handed over as committed are refused as `busy`: what a leader without followers may pile up. */
  readonly maxUncommittedBytes: number;
  /**
   * 0: each read is confirmed by a majority (thesis §6.4). Else a whole number of milliseconds for which this node, once it has heard a leader, promises to
   * vote for nobody else, and within which it answers reads alone when it leads and a majority has promised (§6.4.1). Less than `electionTicks` ticks ever
   * take by any clock of the cluster. Safe on some nodes only, too: who promises nothing is not counted.
   */
  readonly leaseMs: number;
  readonly random: Random;
  /**
   * Ticks more that this node waits at the moment before it stands for election, from 0 to `electionTicks`: to let others go first who would lead better. A hint that costs
   * as much availability when they don't stand. By default 0.
   */
  readonly campaignDelay?: () => number;
}

/** What a node remembers when it starts. */
export interface RaftInitialState {
  readonly hardState: HardState;
  /** As of `appliedIndex`. */
  readonly configuration: Configuration;
  /** The newest durable snapshot; 0, 0 if there is none. */
  readonly snapshot: { readonly index: LogIndex; readonly term: Term };
  /** The entry just before the first of `entries`; never after `snapshot`. */
  readonly compacted: { readonly index: LogIndex; readonly term: Term };
  readonly entries: readonly Entry[];
  /** What the state machine holds already; an entry's last index. */
  readonly appliedIndex: LogIndex;
}

/** Says what is wrong with the options, if anything. */
export function validateRaftOptions(options: RaftOptions): string | undefined {
  const { electionTicks, heartbeatTicks, maxInflight, maxInflightBytes, maxSizePerMessage, maxUncommittedBytes } = options;
  const positive = { electionTicks, heartbeatTicks, maxInflight, maxInflightBytes, maxSizePerMessage, maxUncommittedBytes };
  for (const [name, value] of Object.entries(positive)) {
    if (!Number.isSafeInteger(value) || value < 1) return `${name} must be a whole number of at least 1`;
  }
  // The random generator draws below 2^32, twice the value included.
  if (electionTicks > 2 ** 30) return 'electionTicks must be at most 2^30';
  if (electionTicks <= heartbeatTicks) return 'electionTicks must be greater than heartbeatTicks';
  if (maxInflightBytes < maxSizePerMessage) return 'maxInflightBytes must be at least maxSizePerMessage';
  if (!Number.isSafeInteger(options.leaseMs) || options.leaseMs < 0) return 'leaseMs must be a whole number of at least 0';
  if (options.leaseMs > 0 && !options.checkQuorum) return 'lease reads need checkQuorum';
  return undefined;
}
