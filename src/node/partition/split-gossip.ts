import type { NodeId } from '../../core/ids.ts';
import type { Dot } from '../../gossip/dot.ts';
import type { Merged } from '../../gossip/reunion.ts';
import type { Digest } from '../../gossip/streams.ts';
import type { HealPart } from '../../partition/heal/heal-report.ts';

/** What a split and its end mean for the gossip (H4). */
export interface SplitGossip {
  /** How much of each node's writes is here. */
  readonly digest: Digest;
  /** What lost peers have brought since `beginSplit`. */
  readonly merged: Merged;
  beginSplit(): void;
  lostPeer(peer: NodeId): void;
  /** A lost peer is back, with this digest. */
  meetPeer(peer: NodeId, have: Digest): void;
  /** All is here that the peer had when it came back, or it was never lost. */
  isMerged(peer: NodeId): boolean;
}

const textOf = ({ node, counter }: Dot): string => `${node}:${counter}`;

export const gossipPart = ({ values, removed, conflicts }: Merged): HealPart['gossip'] => ({
  merged: values,
  conflicts: conflicts.map(({ key, winner, losers }) => ({ key, winnerDot: textOf(winner), losers: losers.map(textOf) })),
  tombstoned: removed,
});
