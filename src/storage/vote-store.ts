import type { Done } from './store.ts';

/** Something a node keeps of its votes; what it means is for their driver to know. */
export interface VoteRecord {
  /** 1 to 254 bytes. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** One step of a write; without a value the record is deleted. */
export interface VoteChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/**
 * Stable storage of a node's votes, beside Raft's and under the same guard: a write that was acknowledged and is gone is noticed at the next opening, and the
 * node then knows that it has forgotten. At most one write is on its way at a time. After an error the node must stop.
 */
export interface VoteStore {
  /** All of it or none of it, on stable storage before `done`, which is called once, later. */
  saveVotes(changes: readonly VoteChange[], done: Done): void;
}
