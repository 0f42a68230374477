import type { Clock } from '../../core/clock.ts';
import type { LogIndex, NodeId, TaskId, Term } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import type { View } from '../../partition/classify.ts';
import type { HealReport } from '../../partition/heal/heal-report.ts';
import type { Lease, OwnLog, Summary } from '../../partition/heal/summary.ts';
import type { Standing } from '../../partition/partition-state.ts';
import type { Entry } from '../../raft/messages.ts';
import type { NodeKeys } from '../log-head.ts';
import type { Hold } from './returned-leases.ts';
import type { SplitGossip } from './split-gossip.ts';
import type { Tallies } from './split-notes.ts';

/** What the rest of the node tells of itself. */
export interface PartitionView extends Tallies {
  readonly members: readonly NodeId[];
  readonly voters: readonly NodeId[];
  /** Whether who hears these nodes hears enough voters to be elected. */
  readonly isQuorum: (isHeard: (node: NodeId) => boolean) => boolean;
  readonly leader: NodeId | undefined;
  readonly term: Term;
  readonly lastIndex: () => LogIndex;
  readonly snapshotIndex: () => LogIndex;
  readonly termAt: OwnLog['termAt'];
  /** The hash chain over what is applied. */
  readonly head: Summary['head'];
  readonly chainAt: OwnLog['chainAt'];
  /** Entries that gave way to a leader's since the last call. */
  readonly takeTruncated: () => readonly Entry[];
  /** Of the Byzantine votes. */
  readonly epoch: number;
  readonly matchIndex: (voter: NodeId) => LogIndex;
  /** Held by agents that are attached to this node. */
  readonly leases: () => readonly Lease[];
  /** Undefined for a task that is not known, or not any more. */
  readonly hold: (task: TaskId) => Hold | undefined;
  readonly appliedIndex: LogIndex;
}

export interface PartitionPorts {
  send(to: NodeId, frame: Uint8Array): void;
  /** Opens a fresh connection to the peer. */
  dial(peer: NodeId): void;
  /** A frame of `from` that came by way of another node. */
  onRelayed(from: NodeId, frame: Uint8Array): void;
  /** This node leads, and should not. */
  resign(): void;
  transferTo(node: NodeId): void;
  /** Whether too few voters hear this node, by their own word, so that it can decide nothing. */
  onUnheard(isUnheard: boolean): void;
  /** A majority is heard again, and no leader is known. */
  campaignSoon(): void;
  /** Has the gossip carry this node's row, in place of the one before. */
  publish?(row: Uint8Array): void;
  readonly keys: Pick<NodeKeys, 'sign' | 'verify'>;
  readonly gossip: SplitGossip;
  view(): PartitionView;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The standing has changed, or a split has healed. */
  onStanding?(standing: Standing, sides: View['sides'], report: HealReport | undefined): void;
  // For the simulator's checks.
  /** The frames of this peer are taken for lost; its connection was, and nobody else heard it. */
  onLost?(peer: NodeId, isTorn: boolean): void;
  /** This leader says that all voters have the same log up to here. */
  onSettled?(index: LogIndex): void;
}

export interface PartitionOptions {
  readonly self: NodeId;
  /** This start of the node, counted durably: its rows outrank those of earlier ones. */
  readonly boot: number;
  readonly clusterTag: number;
  readonly heartbeatMs: number;
  /** How often `tick` is called. */
  readonly tickMs: number;
  /** For so long after its start a node may not have met everyone, or they each other, without anything being wrong. */
  readonly graceMs: number;
}
