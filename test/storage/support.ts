import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '../../src/core/random.ts';
import { nodeId } from '../../src/core/ids.ts';
import type { Configuration, Entry, EntryKind, SnapshotMeta } from '../../src/raft/messages.ts';
import type { StoreIdentity } from '../../src/storage/records.ts';
import type { RaftStore, SaveBatch, StoredState } from '../../src/storage/store.ts';

export const n1 = nodeId('n1');
export const n2 = nodeId('n2');
export const identity: StoreIdentity = { clusterId: 'c1', nodeId: n1 };

export const configuration: Configuration = {
  voters: [n1, n2],
  outgoing: [n1],
  learners: [nodeId('n3')],
  learnersNext: [],
  autoLeave: true,
};

export const meta = (index: number, term = 1): SnapshotMeta => ({ index, term, configuration, chain: noise(32, index) });

/** Bytes that hardly compress and that tell which they are. */
export function noise(length: number, seed: number): Uint8Array {
  const random = new SeededRandom(seed);
  return Uint8Array.from({ length }, () => random.below(256));
}

export interface EntryFields {
  readonly term?: number;
  readonly count?: number;
  readonly kind?: EntryKind;
  readonly data?: Uint8Array;
}

export const entry = (index: number, { term = 1, count = 1, kind = 'command', data = noise(40, index) }: EntryFields = {}): Entry => ({
  term,
  index,
  count,
  kind,
  data,
});

/** Entries of one command each, from `first` to `last`. */
export const entries = (first: number, last: number, fields: EntryFields = {}): readonly Entry[] =>
  Array.from({ length: last - first + 1 }, (_, i) => entry(first + i, fields));

const settled = (start: (done: (error: Error | undefined) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error) => (error === undefined ? resolve() : reject(error)));
  });

export const save = (store: RaftStore, batch: SaveBatch): Promise<void> => settled((done) => store.save(batch, done));

export const saveSnapshot = (store: RaftStore, snapshot: SnapshotMeta, chunks: Iterable<Uint8Array>): Promise<void> =>
  settled((done) => store.saveSnapshot(snapshot, chunks, done));

export const compact = (store: RaftStore, index: number, term = 1): Promise<void> => settled((done) => store.compact(index, term, done));

export const readChunk = (
  store: RaftStore,
  index: number,
  chunk: number,
): Promise<{ data: Uint8Array | undefined; chunks: number | undefined }> =>
  new Promise((resolve, reject) => {
    store.readChunk(index, chunk, (error, data, chunks) => (error === undefined ? resolve({ data, chunks }) : reject(error)));
  });

/** All that a store answers after it was opened, in a form to compare. */
export async function everything(store: RaftStore, state: StoredState): Promise<unknown> {
  const chunks: (readonly number[])[] = [];
  for (let chunk = 0; chunk < (state.snapshot?.chunks ?? 0); chunk++) {
    const { data } = await readChunk(store, state.snapshot?.meta.index ?? 0, chunk);
    chunks.push([...(data ?? [])]);
  }
  return { ...state, entries: state.entries.map((e) => ({ ...e, data: [...e.data] })), chunks, logBytes: store.logBytes };
}

export async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
