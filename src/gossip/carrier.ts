import type { NodeId } from '../core/ids.ts';
import type { SealedBatch } from './batch.ts';
import type { GossipVerdict } from './ready.ts';

/** Takes a batch that a carrier brought; what comes of it decides whether it goes on. @param from the peer that handed it over. */
export type TakeBatch = (from: NodeId, batch: SealedBatch) => GossipVerdict;

/** Spreads batches to all members, fast and without promise: anti-entropy repairs what it loses. */
export interface Carrier {
  publish(batch: SealedBatch): void;
}
