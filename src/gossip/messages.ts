import type { NodeId } from '../core/ids.ts';
import type { SealedBatch } from './batch.ts';
import type { BucketHashes } from './buckets.ts';
import type { Entry } from './entry.ts';
import type { Digest } from './streams.ts';

/** Fresh updates of one origin, by whatever way they came. */
export interface BatchMessage {
  readonly type: 'batch';
  readonly batch: SealedBatch;
}

/** What the sender has: the other answers with what it lacks. */
export interface DigestMessage {
  readonly type: 'digest';
  readonly have: Digest;
  readonly buckets: BucketHashes;
  /** The configuration that the sender has applied. */
  readonly epoch: number;
  /** Is itself an answer: to be answered with a delta alone. */
  readonly isAnswer: boolean;
}

/** The same for the streams it names alone, when a batch has shown a gap. */
export interface NeedMessage {
  readonly type: 'need';
  readonly have: Digest;
}

/** All that stands of one start of a node's writes after one counter, up to another. */
export interface Range {
  readonly node: NodeId;
  readonly after: number;
  readonly upTo: number;
}

export interface DeltaMessage {
  readonly type: 'delta';
  /**
   * Whose writes are here as a whole. A range says where it begins, since an answer may come late: to one that was restarted meanwhile and has lost what it
   * had when it asked.
   */
  readonly ranges: readonly Range[];
  readonly entries: readonly (readonly [key: string, entry: Entry])[];
  /** Buckets that are here as a whole, as a set of bits: what the other has of them beyond this, and the sender has seen, is gone. */
  readonly whole: number;
  /** There is more: ask again. */
  readonly isPart: boolean;
}

export type GossipMessage = BatchMessage | DigestMessage | NeedMessage | DeltaMessage;

/** To one member, by a direct link. */
export interface OutgoingGossip {
  readonly to: NodeId;
  readonly message: Exclude<GossipMessage, BatchMessage>;
}
