import type { Done } from './store.ts';

/** One step of a write to the database. */
export type Operation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

/** One of the guard's two slots. */
export type SlotNumber = 0 | 1;

/**
 * What the store needs of a disk: an ordered map that takes batches, as LevelDB is one, and two slots beside it. Every callback comes once, later, never from
 * within the call. `src/storage/level-engine.ts` is made of LevelDB and files; the simulator has one that loses and damages what a real disk may.
 */
export interface Engine {
  /**
   * Applies all of it or none of it. With `sync` it is on stable storage when `done` comes without an error, and so is all that was written before; without,
   * a crash may take it back.
   */
  write(operations: readonly Operation[], options: { readonly sync: boolean }, done: Done): void;
  /** Overwrites a slot, part after part; on stable storage when `done` comes without an error. A crash may leave any mixture of old and new bytes. */
  writeSlot(slot: SlotNumber, parts: readonly Uint8Array[], done: Done): void;
  get(key: Uint8Array, done: (error: Error | undefined, value: Uint8Array | undefined) => void): void;
  /** Hands over every record, in the order of the keys. What `take` throws ends the scan and is its error. */
  scan(take: (key: Uint8Array, value: Uint8Array) => void, done: Done): void;
  /** The bytes in both slots, `undefined` where nothing was ever written. */
  readSlots(done: (error: Error | undefined, slots: readonly [Uint8Array | undefined, Uint8Array | undefined]) => void): void;
  /** Gives back the space of what was deleted between two keys, in the background. */
  reclaim(first: Uint8Array, last: Uint8Array): void;
  /** Runs a job soon: for an answer that needs no disk and must still not come from within the call. */
  defer(job: () => void): void;
  /** Waits for what runs in the background. Nothing else is called afterwards. */
  close(): Promise<void>;
}
