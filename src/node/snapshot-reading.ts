import type { LogIndex } from '../core/ids.ts';
import type { RaftStore } from '../storage/store.ts';

/** A chunk of the store's current snapshot. Rejects when that is not the one of `index`, or has no such chunk. */
export function readChunk(store: RaftStore, index: LogIndex, chunk: number): Promise<{ readonly data: Uint8Array; readonly chunks: number }> {
  return new Promise((resolve, reject) => {
    store.readChunk(index, chunk, (error, data, chunks) => {
      if (data === undefined || chunks === undefined) reject(error ?? new Error(`chunk ${chunk} of the snapshot at index ${index} is gone`));
      else resolve({ data, chunks });
    });
  });
}
