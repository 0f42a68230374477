import { createHash } from 'node:crypto';
import { ClusterState } from '../tasks/state.ts';
import { lineOf, type SnapshotRecord } from '../tasks/snapshot.ts';
import type { SavedState } from './new-cluster.ts';
import { readSnapshotFile, SnapshotFileError, type SnapshotHeader } from './snapshot-file.ts';
import { decodeSnapshot } from '../wire/snapshot.ts';

export interface SnapshotContents {
  readonly header: SnapshotHeader;
  /** How many there are of each kind of record: keys, tasks, agents, … */
  readonly counts: Readonly<Record<string, number>>;
  /** Of the state alone, as `ClusterState.hash` has it: equal for all nodes at one index. */
  readonly stateHash: string;
}

/** Not things of the state: a snapshot's first and last record, and the continuation of a session. */
const framing: ReadonlySet<string> = new Set(['state', 'end', 'results']);

/** Reads a snapshot file to its end, and says what is in it. @throws SnapshotFileError */
export async function inspectSnapshot(source: AsyncIterable<Uint8Array>): Promise<SnapshotContents> {
  const counts: Record<string, number> = { key: 0, task: 0, agent: 0, session: 0 };
  const hash = createHash('sha256');
  const header = await eachRecord(source, (record) => {
    hash.update(lineOf(record));
    const kind = String(record[0]);
    if (!framing.has(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  });
  return { header, counts, stateHash: hash.digest('hex') };
}

/** The state in a snapshot file, to found a new cluster with. @throws SnapshotFileError */
export async function loadSnapshot(source: AsyncIterable<Uint8Array>): Promise<SavedState & { readonly header: SnapshotHeader }> {
  const restoring = ClusterState.restoring();
  const header = await eachRecord(source, (record) => restoring.take(record));
  return { header, state: restoring.finish(), index: header.index, term: header.term };
}

async function eachRecord(source: AsyncIterable<Uint8Array>, take: (record: SnapshotRecord) => void): Promise<SnapshotHeader> {
  const { header, chunks } = await readSnapshotFile(source);
  try {
    for await (const chunk of chunks) for (const record of decodeSnapshot([chunk])) take(record);
  } catch (error) {
    // Records that make no sense are met before the checksum that tells why.
    if (error instanceof RangeError || error instanceof TypeError) throw new SnapshotFileError(`its content is damaged (${error.message})`);
    throw error;
  }
  return header;
}
