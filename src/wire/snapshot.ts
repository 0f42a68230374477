import { concatBytes } from '../core/bytes.ts';
import type { SnapshotRecord } from '../tasks/snapshot.ts';
import { pack, unpack } from './pack.ts';

/** Packs a snapshot's records, in order, into chunks of about `chunkBytes`; a chunk is a whole number of records. Takes records only as chunks are asked for. */
export function* encodeSnapshot(records: Iterable<unknown>, chunkBytes: number): Generator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  const close = (): Uint8Array => {
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, parts.length, true);
    return concatBytes([count, ...parts]);
  };
  for (const record of records) {
    const packed = pack(record);
    const header = new Uint8Array(4);
    new DataView(header.buffer).setUint32(0, packed.length, true);
    parts.push(concatBytes([header, packed]));
    bytes += packed.length + 4;
    if (bytes >= chunkBytes) {
      yield close();
      parts = [];
      bytes = 0;
    }
  }
  if (parts.length > 0) yield close();
}

/**
 * The records of chunks that `encodeSnapshot` made. The store has checked every byte, and who reads a record checks its fields.
 *
 * @throws RangeError if a chunk is not one of ours.
 */
export function* decodeSnapshot(chunks: Iterable<Uint8Array>): Generator<SnapshotRecord, void, undefined> {
  for (const chunk of chunks) {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const count = view.getUint32(0, true);
    let offset = 4;
    for (let i = 0; i < count; i++) {
      const length = view.getUint32(offset, true);
      offset += 4;
      if (offset + length > chunk.length) throw new RangeError('a snapshot record reaches beyond its chunk');
      const record = unpack(chunk.subarray(offset, offset + length));
      if (!isRecord(record)) throw new RangeError('a snapshot record is not a list');
      yield record;
      offset += length;
    }
    if (offset !== chunk.length) throw new RangeError('a snapshot chunk has bytes left over');
  }
}

const isRecord = (value: unknown): value is SnapshotRecord => Array.isArray(value);
