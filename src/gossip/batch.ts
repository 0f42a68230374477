import type { NodeId } from '../core/ids.ts';
import type { VersionVector } from './dot.ts';
import type { WriterRole } from './entry.ts';

/** A write as its node spreads it. Its dot is the origin's: a batch has no place for another node's. */
export interface Update {
  readonly key: string;
  readonly counter: number;
  /** What the writer had seen of the others; its own place is the dot's. */
  readonly vector: VersionVector;
  readonly stamp: number;
  readonly generation: number;
  readonly role: WriterRole;
  readonly value: Uint8Array | undefined;
}

export interface BatchHeader {
  readonly origin: NodeId;
  /** The configuration that the origin has applied, as its log index. */
  readonly epoch: number;
  /** Counters of one boot: the newest write of each key from `low` to `high` is in the batch. */
  readonly low: number;
  readonly high: number;
  /** When it was made, by the origin's hybrid clock. */
  readonly stamp: number;
  readonly count: number;
}

/** A batch as it travels: the origin signs the bytes, and whoever passes it on passes the bytes on. */
export interface SealedBatch {
  readonly header: BatchHeader;
  /** What is signed: the header, and the updates in a form of its own. */
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** What the gossip needs of encodings and keys. This folder is pure, so it is given them. */
export interface Sealer {
  seal(header: BatchHeader, updates: readonly Update[]): SealedBatch;
  /** Whether the origin that the header names has signed the bytes. */
  isGenuine(batch: SealedBatch): boolean;
  /** The updates, within the bounds of `gossipLimits`; `undefined` if the bytes are malformed. */
  open(batch: SealedBatch): readonly Update[] | undefined;
}
