import { crc32 } from 'node:zlib';
import { copyBytes } from '../core/bytes.ts';
import { nodeId, type LogIndex, type NodeId, type Term } from '../core/ids.ts';
import type { Configuration, Entry, EntryKind, HardState, SnapshotMeta } from '../raft/messages.ts';
import { ByteReader, ByteWriter } from './bytes-cursor.ts';
import type { SnapshotId } from './keys.ts';

// Every record begins with a CRC-32 of the rest. A CRC finds every flipped byte for certain, and what is missing or misplaced with all but 2^-32 of
// doubt; nothing here defends against someone who rewrites the files. It costs 9 us for 64 KiB where SHA-256 costs 33 us.

/** Rises with every change of the layout. */
export const formatVersion = 3;

export interface StoreIdentity {
  readonly clusterId: string;
  readonly nodeId: NodeId;
}

/** A point of the log and the checksum of everything before it. */
export interface ChainPoint {
  readonly index: LogIndex;
  readonly term: Term;
  readonly chain: number;
}

/**
 * Written anew with every write, in the same batch: LevelDB applies a batch whole or not at all, so whatever the head names must be there, and
 * whatever is there beyond it must not.
 */
export interface Head {
  /** Number of this write, from 1 and without gaps. */
  readonly sequence: number;
  /** Checksum of the head before this one, 0 for the first. */
  readonly previous: number;
  readonly boot: number;
  readonly hardState: HardState;
  /** The entry before the first. */
  readonly base: ChainPoint;
  readonly last: ChainPoint;
  /** The current snapshot and the checksum of its record. */
  readonly snapshot: { readonly id: SnapshotId; readonly checksum: number } | undefined;
}

export interface SnapshotRecord {
  readonly meta: SnapshotMeta;
  readonly chunks: number;
  /** `chunkDigest` over the checksums of all chunks. */
  readonly digest: number;
}

const entryHeaderBytes = 25;
const entryKinds: readonly EntryKind[] = ['noop', 'command', 'configuration', 'rejoin', 'guarded'];

/** Where each checksum begins, so that a record that has got into the place of one of another kind is no record there. An entry's begins with its predecessor's. */
const seeds = { identity: 1, head: 2, snapshot: 3, chunk: 4, vote: 5 } as const;
type Sealed = Exclude<keyof typeof seeds, 'vote'>;

/** The checksum that a record begins with. */
export const checksumOf = (record: Uint8Array): number => new DataView(record.buffer, record.byteOffset, record.byteLength).getUint32(0);

/** An entry with the chain up to and including it: its checksum goes on from its predecessor's, so none can be missing or of another log. */
export function encodeEntry(entry: Entry, previousChain: number): Uint8Array {
  const record = new Uint8Array(entryHeaderBytes + entry.data.length);
  const view = new DataView(record.buffer);
  view.setUint8(4, entryKinds.indexOf(entry.kind));
  view.setUint32(5, entry.count);
  view.setFloat64(9, entry.term);
  view.setFloat64(17, entry.index);
  record.set(entry.data, entryHeaderBytes);
  view.setUint32(0, crc32(record.subarray(4), previousChain));
  return record;
}

/** `undefined` when the record isn't what follows `previousChain`. */
export function decodeEntry(record: Uint8Array, previousChain: number): Entry | undefined {
  if (record.length < entryHeaderBytes || checksumOf(record) !== crc32(record.subarray(4), previousChain)) return undefined;
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const kind = entryKinds[view.getUint8(4)];
  if (kind === undefined) return undefined;
  return { kind, count: view.getUint32(5), term: view.getFloat64(9), index: view.getFloat64(17), data: record.slice(entryHeaderBytes) };
}

/** The term in an entry's record, which is not checked. */
export const termOf = (record: Uint8Array): Term => new DataView(record.buffer, record.byteOffset, record.byteLength).getFloat64(9);

const chunkHeaderBytes = 8;

/** A chunk and its place, so that two can't change places. */
export function encodeChunk(chunk: number, data: Uint8Array): Uint8Array {
  const record = new Uint8Array(chunkHeaderBytes + data.length);
  const view = new DataView(record.buffer);
  view.setUint32(4, chunk);
  record.set(data, chunkHeaderBytes);
  view.setUint32(0, crc32(record.subarray(4), seeds.chunk));
  return record;
}

/** The bytes of the chunk, as a view of the record. */
export function decodeChunk(chunk: number, record: Uint8Array): Uint8Array | undefined {
  const body = checkedBody(record, 'chunk');
  return body !== undefined && body.length >= 4 && checksumOf(body) === chunk ? body.subarray(4) : undefined;
}

/** Goes from one chunk to the next: the digest so far and the next chunk's record give the next digest. Begins at 0. */
export const chunkDigest = (digest: number, record: Uint8Array): number => crc32(record.subarray(0, 4), digest);

/** A record of the votes. Its checksum begins with its key's, so that two can't change places. */
export function encodeVote(key: Uint8Array, value: Uint8Array): Uint8Array {
  const record = new Uint8Array(4 + value.length);
  record.set(value, 4);
  new DataView(record.buffer).setUint32(0, crc32(value, crc32(key, seeds.vote)));
  return record;
}

/** The value, as a copy. */
export function decodeVote(key: Uint8Array, record: Uint8Array): Uint8Array | undefined {
  if (record.length < 4 || checksumOf(record) !== crc32(record.subarray(4), crc32(key, seeds.vote))) return undefined;
  return record.slice(4);
}

export function encodeHead(head: Head): Uint8Array {
  const { hardState, base, last, snapshot } = head;
  const w = new ByteWriter(192).u32(0).int(head.sequence).u32(head.previous).u32(head.boot);
  w.int(hardState.currentTerm)
    .int(hardState.commitIndex)
    .int(hardState.rejoining)
    .text(hardState.votedFor ?? '');
  for (const point of [base, last]) w.int(point.index).int(point.term).u32(point.chain);
  w.u8(snapshot === undefined ? 0 : 1);
  if (snapshot !== undefined) w.u32(snapshot.id.boot).u32(snapshot.id.number).u32(snapshot.checksum);
  return seal(w, 'head');
}

export function decodeHead(record: Uint8Array): Head | undefined {
  return decode(record, 'head', (r) => {
    const sequence = r.int();
    const previous = r.u32();
    const boot = r.u32();
    const currentTerm = r.int();
    const commitIndex = r.int();
    const rejoining = r.int();
    const vote = r.text();
    const base = point(r);
    const last = point(r);
    const snapshot = r.u8() === 0 ? undefined : { id: { boot: r.u32(), number: r.u32() }, checksum: r.u32() };
    return {
      sequence,
      previous,
      boot,
      hardState: { currentTerm, commitIndex, votedFor: vote === '' ? undefined : nodeId(vote), rejoining },
      base,
      last,
      snapshot,
    };
  });
}

export function encodeIdentity(identity: StoreIdentity): Uint8Array {
  return seal(new ByteWriter().u32(0).u32(formatVersion).text(identity.clusterId).text(identity.nodeId), 'identity');
}

/** The format comes alone when it is not ours: what follows is then unknown. */
export function decodeIdentity(
  record: Uint8Array,
): { readonly format: number; readonly clusterId: string; readonly nodeId: string } | undefined {
  const body = checkedBody(record, 'identity');
  if (body === undefined || body.length < 4) return undefined;
  const format = checksumOf(body);
  if (format !== formatVersion) return { format, clusterId: '', nodeId: '' };
  return decode(record, 'identity', (r) => ({ format: r.u32(), clusterId: r.text(), nodeId: r.text() }));
}

export function encodeSnapshot({ meta, chunks, digest }: SnapshotRecord): Uint8Array {
  const w = new ByteWriter(1024).u32(0).int(meta.index).int(meta.term).u32(chunks).u32(digest);
  const { voters, outgoing, learners, learnersNext, autoLeave } = meta.configuration;
  for (const list of [voters, outgoing, learners, learnersNext]) {
    w.u32(list.length);
    for (const id of list) w.text(id);
  }
  return seal(
    w
      .u8(autoLeave ? 1 : 0)
      .u32(meta.chain.length)
      .raw(meta.chain),
    'snapshot',
  );
}

export function decodeSnapshot(record: Uint8Array): SnapshotRecord | undefined {
  return decode(record, 'snapshot', (r) => {
    const index = r.int();
    const term = r.int();
    const chunks = r.u32();
    const digest = r.u32();
    const configuration: Configuration = {
      voters: nodeIds(r),
      outgoing: nodeIds(r),
      learners: nodeIds(r),
      learnersNext: nodeIds(r),
      autoLeave: r.u8() === 1,
    };
    return { meta: { index, term, configuration, chain: copyBytes(r.raw(r.u32())) }, chunks, digest };
  });
}

const point = (r: ByteReader): ChainPoint => ({ index: r.int(), term: r.int(), chain: r.u32() });

function nodeIds(r: ByteReader): readonly NodeId[] {
  const ids: NodeId[] = [];
  for (let left = r.u32(); left > 0; left--) ids.push(nodeId(r.text()));
  return ids;
}

/** Puts the checksum into the four bytes kept free for it. */
function seal(w: ByteWriter, kind: Sealed): Uint8Array {
  const record = w.finish();
  new DataView(record.buffer, record.byteOffset).setUint32(0, crc32(record.subarray(4), seeds[kind]));
  return record;
}

/** What follows the checksum, if it is right. */
function checkedBody(record: Uint8Array, kind: Sealed): Uint8Array | undefined {
  if (record.length < 4) return undefined;
  const body = record.subarray(4);
  return checksumOf(record) === crc32(body, seeds[kind]) ? body : undefined;
}

/** A record whose checksum is right and which still can't be read was written by another program: damaged all the same. */
function decode<T>(record: Uint8Array, kind: Sealed, read: (r: ByteReader) => T): T | undefined {
  const body = checkedBody(record, kind);
  if (body === undefined) return undefined;
  const reader = new ByteReader(body);
  try {
    const value = read(reader);
    return reader.isAtEnd ? value : undefined;
  } catch {
    return undefined;
  }
}
