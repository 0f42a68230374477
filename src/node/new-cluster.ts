import { randomInt } from 'node:crypto';
import { assert } from '../core/assert.ts';
import type { LogIndex, NodeId, Term } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { nodeHashes } from '../crypto/node.ts';
import { configurationOf } from '../raft/configuration.ts';
import type { SnapshotReceived } from '../raft/ready.ts';
import { openNodeStore } from '../storage/node-store.ts';
import type { RaftStore, SaveBatch } from '../storage/store.ts';
import { forNewCluster } from '../tasks/snapshot.ts';
import type { ClusterState } from '../tasks/state.ts';
import { decodeEntry } from '../wire/commands.ts';
import { snapshotChunkBytes } from '../wire/limits.ts';
import { encodeSnapshot } from '../wire/snapshot.ts';
import { genesisChain } from './log-chain.ts';
import { loadState } from './snapshot-reading.ts';

/** A state and the place in its cluster's log from which a new cluster goes on. */
export interface SavedState {
  readonly state: ClusterState;
  readonly index: LogIndex;
  readonly term: Term;
}

/** Where a node's store is and whose it is. */
export interface StorePlace {
  readonly dataDir: string;
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly logger?: Logger | undefined;
}

/**
 * Indices left out between a state and the cluster that goes on from it. The old cluster may have gone on beyond the state; versions and fences that it
 * gave out there must not be given out again for something else. More writes than these are not made up for by anything but a newer state.
 */
const skippedIndices = 1_000_000_000;

/**
 * Writes the store of a new cluster's first node, whose only voter it is. Members, addresses and tokens of the old cluster are left out: nobody of it
 * belongs to the new one.
 *
 * @throws StorageError
 */
export async function foundStore(place: StorePlace, { state, index, term }: SavedState): Promise<void> {
  const { store, state: found } = await openStore(place);
  try {
    assert(found.snapshot === undefined && found.entries.length === 0, 'a cluster is founded in an empty store');
    const chain = genesisChain(nodeHashes, place.clusterId);
    const snapshot = { index: index + skippedIndices, term, configuration: configurationOf([place.nodeId]), chain };
    const hardState = { currentTerm: term, votedFor: undefined, commitIndex: snapshot.index, rejoining: 0 };
    let chunk = 0;
    let data: Uint8Array | undefined;
    // One behind: the last chunk, which makes the snapshot current, has to say that it is the last.
    for (const next of encodeSnapshot(forNewCluster(state.snapshot()), snapshotChunkBytes)) {
      if (data !== undefined) await save(store, { snapshotChunk: received(snapshot, chunk, chunk + 2, data) });
      if (data !== undefined) chunk++;
      data = next;
    }
    assert(data !== undefined, 'a snapshot has a chunk');
    await save(store, { hardState, snapshotChunk: received(snapshot, chunk, chunk + 1, data) });
  } finally {
    await store.close();
  }
}

/**
 * Everything that a stopped node holds: its snapshot and its whole log, also entries that may not have been committed. Each of those was somebody's
 * request whose outcome is open; those that a majority had acknowledged are among them.
 *
 * @throws StorageError when the store is damaged, in use, lost or another node's.
 */
export async function readStoredState(place: StorePlace): Promise<SavedState & { readonly uncommitted: number }> {
  const { store, state: stored } = await openStore(place);
  try {
    const state = await loadState(store, stored);
    let { index, term } = stored.snapshot?.meta ?? { index: 0, term: 0 };
    for (const entry of stored.entries) {
      if (entry.index <= index) continue;
      const batch = entry.kind === 'command' ? decodeEntry(entry.data) : undefined;
      batch?.commands.forEach((command, i) => {
        if (command !== undefined) state.apply(entry.index - entry.count + 1 + i, batch.ts, command, []);
      });
      ({ index, term } = entry);
    }
    const { currentTerm, commitIndex } = stored.hardState;
    return { state, index, term: Math.max(term, currentTerm), uncommitted: Math.max(0, index - commitIndex) };
  } finally {
    await store.close();
  }
}

const openStore = ({ dataDir, clusterId, nodeId, logger }: StorePlace) =>
  openNodeStore({ dataDir, identity: { clusterId, nodeId }, isAlone: true, nonce: () => randomInt(1, 2 ** 47), logger });

const received = (snapshot: SnapshotReceived['snapshot'], chunk: number, chunks: number, data: Uint8Array): SnapshotReceived => ({
  snapshot,
  chunk,
  chunks,
  data,
});

const save = (store: RaftStore, batch: SaveBatch): Promise<void> =>
  new Promise((resolve, reject) => {
    store.save(batch, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
