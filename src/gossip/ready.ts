import type { NodeId } from '../core/ids.ts';
import type { SealedBatch } from './batch.ts';
import type { Refusal } from './gatekeeper.ts';
import type { OutgoingGossip } from './messages.ts';

/** What came of a message. Only what is `taken` is passed on; `rejected` is somebody's fault and has been counted. */
export type GossipVerdict =
  | { readonly type: 'taken' }
  | { readonly type: 'ignored'; readonly why: Refusal }
  | { readonly type: 'rejected'; readonly why: Refusal };

/** A node sent so much that is wrong that it is not heard for a while. */
export interface SpoofSuspected {
  readonly node: NodeId;
  readonly why: Refusal;
}

/** Outstanding work, handed over whole. Nothing needs a disk but the count of starts, which the driver raises before the first write. */
export interface GossipReady {
  /** Own batches, for the carrier to spread to all members. */
  readonly batches: readonly SealedBatch[];
  readonly messages: readonly OutgoingGossip[];
  /** Keys whose values may have changed; each once. */
  readonly changed: ReadonlySet<string>;
  readonly suspects: readonly SpoofSuspected[];
}
