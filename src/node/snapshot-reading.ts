import type { LogIndex } from '../core/ids.ts';
import type { RaftStore, StoredState } from '../storage/store.ts';
import { ClusterState } from '../tasks/state.ts';
import { decodeSnapshot } from '../wire/snapshot.ts';

/** A chunk of the store's current snapshot. Rejects when that is not the one of `index`, or has no such chunk. */
export function readChunk(
  store: RaftStore,
  index: LogIndex,
  chunk: number,
): Promise<{ readonly data: Uint8Array; readonly chunks: number }> {
  return new Promise((resolve, reject) => {
    store.readChunk(index, chunk, (error, data, chunks) => {
      if (data === undefined || chunks === undefined)
        reject(error ?? new Error(`chunk ${chunk} of the snapshot at index ${index} is gone`));
      else resolve({ data, chunks });
    });
  });
}

/** Reads the state back a chunk at a time: it is in memory once, however large. */
export async function loadState(store: RaftStore, { snapshot }: StoredState): Promise<ClusterState> {
  if (snapshot === undefined) return new ClusterState();
  const state = ClusterState.restoring();
  for (let chunk = 0; chunk < snapshot.chunks; chunk++) {
    for (const record of decodeSnapshot([(await readChunk(store, snapshot.meta.index, chunk)).data])) state.take(record);
  }
  return state.finish();
}
