import { concatBytes } from '../core/bytes.ts';
import { type NodeId, nodeId } from '../core/ids.ts';
import type { BatchHeader, SealedBatch, Sealer, Update } from '../gossip/batch.ts';
import { type Dot, maxCounter } from '../gossip/dot.ts';
import { gossipLimits } from '../gossip/limits.ts';
import { pack, unpack } from './pack.ts';
import { FieldReader } from './reader.ts';

// What an origin signs: a header of fixed widths, little endian, of which there is one form only, and the updates as msgpack. The bytes are signed as they are
// and passed on as they are; nobody encodes them again.

const label = new TextEncoder().encode('quorate gossip batch 1\n');
const encoder = new TextEncoder();
const decoder = new TextDecoder('latin1');
/** Cluster, epoch, low, high, stamp, count and the length of the origin's name. */
const fixedBytes = 4 + 4 * 8 + 2 + 1;

const u64 = (view: DataView, at: number): number => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

function encodeHeader(clusterTag: number, { origin, epoch, low, high, stamp, count }: BatchHeader): Uint8Array {
  const name = encoder.encode(origin);
  const bytes = new Uint8Array(fixedBytes + name.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, clusterTag, true);
  for (const [place, value] of [epoch, low, high, stamp].entries()) setU64(view, 4 + 8 * place, value);
  view.setUint16(36, count, true);
  view.setUint8(38, name.length);
  bytes.set(name, fixedBytes);
  return bytes;
}

/** The header of a batch of anyone; `undefined` if it is malformed or of another cluster. */
export function decodeBatch(clusterTag: number, bytes: Uint8Array, signature: Uint8Array): SealedBatch | undefined {
  if (bytes.length < fixedBytes || bytes.length > gossipLimits.batchBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [epoch, low, high, stamp] = [u64(view, 4), u64(view, 12), u64(view, 20), u64(view, 28)];
  if (view.getUint32(0, true) !== clusterTag || ![epoch, low, high, stamp].every(Number.isSafeInteger)) return undefined;
  const origin = nameOf(bytes.subarray(fixedBytes, headerLength(bytes)));
  if (origin === undefined) return undefined;
  return { header: { origin, epoch, low, high, stamp, count: view.getUint16(36, true) }, bytes, signature };
}

/** The last counter, and the origin's name. */
export const batchIdOf = (bytes: Uint8Array): Uint8Array =>
  concatBytes([bytes.subarray(20, 28), bytes.subarray(fixedBytes, headerLength(bytes))]);

const headerLength = (bytes: Uint8Array): number => fixedBytes + (bytes[38] ?? 0);

const nameOf = (bytes: Uint8Array): NodeId | undefined => new FieldReader([decoder.decode(bytes)]).name(nodeId);

export interface SealerParts {
  /** The first bytes of the cluster's id. */
  readonly clusterTag: number;
  /** With this node's identity, Ed25519. */
  readonly sign: (message: Uint8Array) => Uint8Array;
  /** Checks the signature of the node that the id names. */
  readonly verify: (node: NodeId, message: Uint8Array, signature: Uint8Array) => boolean;
}

/** Batches as bytes, signed as a whole: a signature costs as much as some hundred updates. */
export function createSealer({ clusterTag, sign, verify }: SealerParts): Sealer {
  const labelled = (bytes: Uint8Array): Uint8Array => concatBytes([label, bytes]);
  return {
    seal(header, updates) {
      const bytes = concatBytes([encodeHeader(clusterTag, header), pack(updates.map((update) => updateFields(header, update)))]);
      return { header, bytes, signature: sign(labelled(bytes)) };
    },
    isGenuine: ({ header, bytes, signature }) => verify(header.origin, labelled(bytes), signature),
    open: ({ header, bytes }) => readUpdates(header, bytes.subarray(headerLength(bytes))),
  };
}

const updateFields = (header: BatchHeader, { key, counter, vector, stamp, generation, role, value }: Update): readonly unknown[] => [
  key,
  counter - header.low,
  header.stamp - stamp,
  generation,
  role === 'owner',
  value ?? null,
  vector.map((dot) => [dot.node, dot.counter]),
];

function readUpdates(header: BatchHeader, body: Uint8Array): Update[] | undefined {
  const reader = new FieldReader([unpack(body)]);
  const updates = reader.list(gossipLimits.batchEntries, (r): Update => {
    const key = readKey(r);
    const counter = header.low + r.int(0, maxCounter - header.low);
    const stamp = header.stamp - r.int(-header.stamp, header.stamp);
    const generation = r.int();
    return {
      key,
      counter,
      stamp,
      generation,
      role: r.boolean() ? 'owner' : 'observer',
      value: readValue(r),
      vector: r.list(gossipLimits.vectorNodes, readDot),
    };
  });
  return reader.ok ? updates : undefined;
}

export function readKey(reader: FieldReader): string {
  const key = reader.text(gossipLimits.keyLength);
  if (key === '') reader.reject();
  return key;
}

/** Copied, since the frame is only lent. */
export const readValue = (reader: FieldReader): Uint8Array | undefined =>
  reader.optional(() => new Uint8Array(reader.bytes(gossipLimits.valueBytes)));

function readDot(reader: FieldReader): Dot {
  return { node: reader.name(nodeId) ?? anyNode, counter: reader.int(1, maxCounter) };
}

const anyNode = nodeId('none');
