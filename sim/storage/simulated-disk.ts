import type { SeededRandom } from '../../src/core/random.ts';
import type { HardState } from '../../src/raft/messages.ts';
import type { RaftStore, StoredState } from '../../src/storage/store.ts';
import type { Timing } from './virtual-engine.ts';

/** What a node starts from. */
export interface OpenedDisk {
  readonly store: RaftStore;
  readonly state: StoredState;
  readonly chunks: readonly Uint8Array[];
}

/** What a crash could not take back. */
export interface Durable {
  readonly hardState: HardState;
  readonly lastIndex: number;
  /** All promises that were given on it are still there. */
  readonly isWhole: boolean;
}

/** The disk of a simulated node, with a store of one kind or another. It outlives the node's processes. */
export interface SimulatedDisk {
  readonly durable: Durable;
  /** The term of the durable entry that ends at `index`. */
  termAt(index: number): number | undefined;
  /** Opens the store, at once or after some time. `failed`: the disk refused, or the store was damaged although nobody damaged it. */
  open(timing: Timing, ready: (opened: OpenedDisk) => void, failed: (error: unknown) => void): void;
  /** The next write fails. Only while the store is open. */
  failNextWrite(error: Error): void;
  /** The process is gone; writes in flight reach the disk or not. */
  crash(): void;
  /** All is gone, while the node is down. */
  lose(): void;
  /** A bit is not as it was written, somewhere, while the node is down. */
  flip(random: SeededRandom): void;
  /** Somebody changes a committed entry, with right checksums, while the node is down. False when there is none that the node would apply again. */
  rewrite(random: SeededRandom): boolean;
}
