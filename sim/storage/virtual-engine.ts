import type { Engine, Operation, SlotNumber } from '../../src/storage/engine.ts';
import type { Done } from '../../src/storage/store.ts';
import type { VirtualDisk } from './virtual-disk.ts';

/** Runs a job later, never at once. */
export interface Timing {
  /** After the time that a synced write takes. */
  readonly later: (job: () => void) => void;
  /** After the time that a read takes from memory. */
  readonly soon: (job: () => void) => void;
}

/** The engine of a process that runs on a virtual disk: writes take virtual time and may fail, and after a crash nothing calls back. */
export class VirtualEngine implements Engine {
  readonly #disk: VirtualDisk;
  readonly #timing: Timing;
  #nextError: Error | undefined;
  #isGone = false;

  constructor(disk: VirtualDisk, timing: Timing) {
    this.#disk = disk;
    this.#timing = timing;
  }

  /** The next synced write to end fails with `error`: nobody knows what of it reached the disk. */
  failNextWrite(error: Error): void {
    this.#nextError = error;
  }

  /** The process is gone. */
  stop(): void {
    this.#isGone = true;
  }

  write(operations: readonly Operation[], { sync }: { readonly sync: boolean }, done: Done): void {
    const end = this.#disk.append(operations);
    if (sync) this.#sync(() => this.#disk.sync(end), done);
    else this.defer(() => done(undefined));
  }

  writeSlot(slot: SlotNumber, parts: readonly Uint8Array[], done: Done): void {
    this.#disk.beginSlot(slot, parts);
    this.#sync(() => this.#disk.syncSlot(slot), done);
  }

  get(key: Uint8Array, done: (error: Error | undefined, value: Uint8Array | undefined) => void): void {
    this.defer(() => done(undefined, this.#disk.get(key)));
  }

  scan(take: (key: Uint8Array, value: Uint8Array) => void, done: Done): void {
    this.defer(() => {
      try {
        for (const [key, value] of this.#disk.records()) take(key, value);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        return done(error);
      }
      done(undefined);
    });
  }

  readSlots(done: Parameters<Engine['readSlots']>[0]): void {
    this.defer(() => done(undefined, this.#disk.slots));
  }

  /** There is always room. */
  reclaim(): void {}

  defer(job: () => void): void {
    this.#timing.soon(() => {
      if (!this.#isGone) job();
    });
  }

  close(): Promise<void> {
    this.stop();
    return Promise.resolve();
  }

  #sync(reach: () => void, done: Done): void {
    this.#timing.later(() => {
      if (this.#isGone) return;
      const error = this.#nextError;
      this.#nextError = undefined;
      if (error === undefined) reach();
      done(error);
    });
  }
}
