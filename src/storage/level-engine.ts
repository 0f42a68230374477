import type { Level } from 'level';
import type { Logger } from '../core/logger.ts';
import type { Engine, Operation, SlotNumber } from './engine.ts';
import { type GuardFiles, readGuardFiles } from './guard-files.ts';
import type { Done } from './store.ts';

/** What `level` gives on Node; its types leave out what a browser's store lacks. */
export type Database = Level<Uint8Array, Uint8Array> & { compactRange(start: Uint8Array, end: Uint8Array): Promise<void> };

/** Read at once from LevelDB while everything is checked, in bytes. */
const readAheadBytes = 1024 * 1024;

/** The engine on a real disk: LevelDB, and the guard's files beside it. */
export class LevelEngine implements Engine {
  readonly #directory: string;
  readonly #db: Database;
  readonly #guard: GuardFiles;
  readonly #logger: Logger | undefined;
  /** LevelDB gives space back: one range after the other. */
  #reclaiming: Promise<void> = Promise.resolve();
  #isClosing = false;

  constructor(directory: string, db: Database, guard: GuardFiles, logger: Logger | undefined) {
    this.#directory = directory;
    this.#db = db;
    this.#guard = guard;
    this.#logger = logger;
  }

  write(operations: readonly Operation[], { sync }: { readonly sync: boolean }, done: Done): void {
    void answer(this.#db.batch([...operations], { sync }), done);
  }

  writeSlot(slot: SlotNumber, parts: readonly Uint8Array[], done: Done): void {
    this.#guard.write(slot, parts, done);
  }

  get(key: Uint8Array, done: (error: Error | undefined, value: Uint8Array | undefined) => void): void {
    void answer(this.#db.get(key), done);
  }

  scan(take: (key: Uint8Array, value: Uint8Array) => void, done: Done): void {
    void answer(this.#scan(take), done);
  }

  readSlots(done: Parameters<Engine['readSlots']>[0]): void {
    void answer(readGuardFiles(this.#directory), (error, slots) => done(error, slots ?? [undefined, undefined]));
  }

  /** Without this LevelDB may keep what was deleted for as long as nothing is written near it. */
  reclaim(first: Uint8Array, last: Uint8Array): void {
    this.#reclaiming = this.#reclaiming
      .then(() => (this.#isClosing ? undefined : this.#db.compactRange(first, last)))
      .catch((error: unknown) => this.#logger?.warn({ error }, 'the database could not give space back'));
  }

  defer(job: () => void): void {
    queueMicrotask(job);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#reclaiming;
    await this.#db.close();
    await this.#guard.close();
  }

  async #scan(take: (key: Uint8Array, value: Uint8Array) => void): Promise<void> {
    for await (const [key, value] of this.#db.iterator({ fillCache: false, highWaterMarkBytes: readAheadBytes })) take(key, value);
  }
}

/** Calls back outside of the promise, so that what the callback throws ends the process and isn't taken for an error of the disk. */
async function answer<T>(promise: Promise<T>, done: (error: Error | undefined, value?: T) => void): Promise<void> {
  try {
    const value = await promise;
    queueMicrotask(() => done(undefined, value));
  } catch (error) {
    queueMicrotask(() => done(error instanceof Error ? error : new Error(String(error), { cause: error })));
  }
}
