import type { NetworkFaults } from './network.ts';

/** Who a step is about: a node by number from 0, or whoever has the part when the step begins. `others`: all nodes that the step doesn't name. */
export type Target = number | 'leader' | 'follower' | 'others' | 'all';

export type Action =
  /** Nodes of different groups don't hear each other. */
  | { readonly kind: 'split'; readonly groups: readonly (readonly Target[])[] }
  /** Frames from the first group to the second are lost; the other direction works. */
  | { readonly kind: 'cut'; readonly groups: readonly (readonly Target[])[] }
  /** The outer groups hear each other only by way of the middle one. */
  | { readonly kind: 'bridge'; readonly groups: readonly (readonly Target[])[] }
  /** Frames from the first group to the second wait until the step is over, and then all come. */
  | { readonly kind: 'clog'; readonly groups: readonly (readonly Target[])[] }
  /** While it lasts every new leader is killed or cut off after at most so many frames: entries that reached a few pile up (Raft figure 8). */
  | { readonly kind: 'ambush'; readonly frames: number }
  /** The voters are to be these and no others; what it takes is done step by step. */
  | { readonly kind: 'members'; readonly who: readonly Target[] }
  /** The leader hands over to the first of these. */
  | { readonly kind: 'transfer'; readonly who: readonly Target[] }
  /** The node is started again as a program of another version, which its peers can't understand; and again as this one when the step is over. */
  | { readonly kind: 'skew'; readonly who: readonly Target[] }
  /** While it lasts these let into their logs, as leaders or from one, what no certificate permits. */
  | { readonly kind: 'lie'; readonly who: readonly Target[] }
  /** Every node is alone. */
  | { readonly kind: 'shatter' }
  /** `kill -9`, or loss of power: writes in flight reach the disk or not. The node is started again when the step is over. */
  | { readonly kind: 'crash'; readonly who: readonly Target[] }
  /** As `crash`, and the disk is gone with all that was on it. */
  | { readonly kind: 'lose'; readonly who: readonly Target[] }
  /** As `crash`, and a bit on the disk is flipped: nothing comes of it, or the node notices and is one that lost its disk. */
  | { readonly kind: 'flip'; readonly who: readonly Target[] }
  /** As `crash`, and a committed entry on the disk is another one, with right checksums. When the step is over it must have been noticed; the disk is then emptied. */
  | { readonly kind: 'rewrite'; readonly who: readonly Target[] }
  | { readonly kind: 'pause'; readonly who: readonly Target[] }
  /** The disk's next write fails (EIO, ENOSPC): the node stops, and is started again when the step is over. */
  | { readonly kind: 'fail'; readonly who: readonly Target[] }
  /** Every write takes at least so long. */
  | { readonly kind: 'slow'; readonly who: readonly Target[]; readonly ms: number }
  /** The wall clock jumps. */
  | { readonly kind: 'clock'; readonly who: readonly Target[]; readonly ms: number }
  /** Timers run faster (positive) or slower by so many percent. */
  | { readonly kind: 'drift'; readonly who: readonly Target[]; readonly percent: number };

/** One fault: when it begins, how long it lasts, in virtual milliseconds. */
export interface Step {
  readonly atMs: number;
  readonly forMs: number;
  readonly action: Action;
}

export interface DiskSpeed {
  readonly minWriteUs: number;
  readonly maxWriteUs: number;
}

/** The production store on a virtual disk, or its twin in memory, which is quicker. */
export type StorageKind = 'level' | 'memory';

/** How many of each kind of client a world has. */
export interface Clients {
  readonly writers: number;
  readonly readers: number;
  readonly agents: number;
  /** Clients that have decisions of the members carried out, and liars among them. With any, the nodes have keys and verify certificates. */
  readonly deciders: number;
}

/** Everything that is done to a world: with a seed for what is drawn on the way (delays, losses, election timeouts), a plan replays a run. */
export interface Plan {
  readonly title: string;
  readonly nodes: number;
  /** How many of them, the first ones, are members from the beginning. */
  readonly founders: number;
  /** Virtual milliseconds with faults; then they end, and the world must become whole. */
  readonly faultyMs: number;
  readonly network: NetworkFaults;
  readonly disk: DiskSpeed;
  readonly storage: StorageKind;
  readonly clients: Clients;
  /** Bytes of log after which a node takes a snapshot. */
  readonly snapshotBytes: number;
  /** Bytes of entries in one AppendEntries: with few, a follower has a part of what its leader sent. */
  readonly appendBytes: number;
  /** Nodes differ in how much they send and when they compact, as in a cluster whose settings are being changed. */
  readonly mixed: boolean;
  /** How the nodes confirm linearizable reads. */
  readonly reads: 'safe' | 'lease';
  /** By time of their beginning. */
  readonly steps: readonly Step[];
}

/** Nodes of a plan at most. */
export const maxNodes = 15;

export const calmNetwork: NetworkFaults = { minDelayUs: 200, maxDelayUs: 1000, lossChance: 0, duplicateChance: 0, tailChance: 0 };
export const calmDisk: DiskSpeed = { minWriteUs: 100, maxWriteUs: 500 };
/** Small, so that a run of a minute takes snapshots and sends some. */
const defaultSnapshotBytes = 8000;
const defaultAppendBytes = 1_000_000;
const defaultClients: Clients = { writers: 3, readers: 1, agents: 3, deciders: 0 };

/** A world in which nothing goes wrong by itself. */
export const calmPlan: Plan = {
  title: '',
  nodes: 5,
  founders: 5,
  faultyMs: 20_000,
  network: calmNetwork,
  disk: calmDisk,
  storage: 'memory',
  clients: defaultClients,
  snapshotBytes: defaultSnapshotBytes,
  appendBytes: defaultAppendBytes,
  mixed: false,
  reads: 'safe',
  steps: [],
};
