import { constants, fdatasync, writev } from 'node:fs';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { SlotNumber } from './engine.ts';
import type { Done } from './store.ts';

const slotPath = (directory: string, slot: SlotNumber): string => join(directory, `guard-${slot}`);

/** The guard's two slots as files. */
export class GuardFiles {
  readonly #handles: readonly [FileHandle, FileHandle];

  private constructor(handles: readonly [FileHandle, FileHandle]) {
    this.#handles = handles;
  }

  static async open(directory: string): Promise<GuardFiles> {
    const first = await open(slotPath(directory, 0), constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      return new GuardFiles([first, await open(slotPath(directory, 1), constants.O_RDWR | constants.O_CREAT, 0o600)]);
    } catch (error) {
      await first.close();
      throw error;
    }
  }

  /** A slot is overwritten in place: once it has grown to the largest write, a sync moves data only, no metadata. */
  write(slot: SlotNumber, parts: readonly Uint8Array[], done: Done): void {
    const { fd } = this.#handles[slot];
    writev(fd, parts, 0, (error, bytesWritten) => {
      if (error !== null) return done(error);
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      if (bytesWritten !== bytes) return done(new Error(`the disk took ${bytesWritten} of ${bytes} bytes`));
      fdatasync(fd, (failure) => done(failure ?? undefined));
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#handles.map((handle) => handle.close()));
  }
}

/** What is in the files; `undefined` for one that isn't there. */
export async function readGuardFiles(directory: string): Promise<readonly [Uint8Array | undefined, Uint8Array | undefined]> {
  return Promise.all([readSlot(directory, 0), readSlot(directory, 1)]);
}

async function readSlot(directory: string, slot: SlotNumber): Promise<Uint8Array | undefined> {
  try {
    return await readFile(slotPath(directory, slot));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
