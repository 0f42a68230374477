import type { NodeId } from '../../core/ids.ts';
import type { SealedBatch } from '../../gossip/batch.ts';
import type { Carrier, TakeBatch } from '../../gossip/carrier.ts';
import type { GossipVerdict } from '../../gossip/ready.ts';
import type { Pubsub, PubsubChanges, PubsubOptions, PubsubVerdict } from '../../transport/pubsub.ts';
import { batchFrameId, decodeGossip, encodeBatchFrame } from '../../wire/gossip.ts';

export interface PubsubCarrierParts {
  readonly clusterTag: number;
  readonly members: number;
  readonly join: (options: PubsubOptions, changes?: PubsubChanges) => Promise<Pubsub>;
  readonly take: TakeBatch;
  /** A peer sent bytes that are no batch. */
  readonly malformed: (from: NodeId) => void;
}

/** One topic for all: more topics would each have a mesh to keep. */
const topic = 'quorate/status/1';

export interface PubsubCarrier extends Carrier {
  setActive(active: boolean): void;
}

/** Spreads batches by gossipsub, which is right for some tens of members up to some hundreds. */
export async function startPubsubCarrier(parts: PubsubCarrierParts): Promise<PubsubCarrier> {
  const { clusterTag, members, join, malformed } = parts;
  const take = (from: NodeId, bytes: Uint8Array): PubsubVerdict => {
    const message = decodeGossip(clusterTag, bytes)?.message;
    if (message?.type === 'batch') return verdictOf(parts.take(from, message.batch));
    malformed(from);
    return 'reject';
  };
  const pubsub = await join({ topic, members, idOf: batchFrameId, take });
  return {
    publish: (batch: SealedBatch) => pubsub.publish(encodeBatchFrame(clusterTag, batch, 0)),
    setActive: (active) => pubsub.setActive(active),
  };
}

/** Only what every member finds wrong is held against who passed it on: another's log may be behind, and let through what this one's does not. */
function verdictOf(verdict: GossipVerdict): PubsubVerdict {
  if (verdict.type === 'taken') return 'accept';
  return verdict.type === 'rejected' && verdict.why !== 'spoofed' ? 'reject' : 'ignore';
}
