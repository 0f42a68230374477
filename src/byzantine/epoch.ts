import type { NodeId } from '../core/ids.ts';
import type { Digest } from './digest.ts';

/** The position of a member in its epoch's list: a whole number from 0 below 65,535. */
export type MemberIndex = number;

/** At most this many members vote: statements and certificates grow with them. */
export const maxMembers = 128;

/** A cluster changes its voters at most this often: every change is kept for ever, to be verified. */
export const maxEpochs = 10_000;

export interface Member {
  readonly nodeId: NodeId;
  /** 32 raw bytes, the key that `nodeId` is made from. */
  readonly ed25519PublicKey: Uint8Array;
}

/** Who votes in an epoch. Its digest is bound into MAC keys, attestations and certificates. */
export interface EpochConfiguration {
  /** The cluster's id of the genesis record. */
  readonly cluster: string;
  /** From 0, one more with each certified change. */
  readonly epoch: number;
  /** By `nodeId`, ascending, each once; at most `maxMembers`. */
  readonly members: readonly Member[];
  /** Digest of the configuration before; undefined in epoch 0. */
  readonly previous: Digest | undefined;
  /** Version of the list of kinds that all members know. */
  readonly kindsVersion: number;
}
