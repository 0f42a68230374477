import { concatBytes, copyBytes } from '../core/bytes.ts';
import { type NodeId, nodeId } from '../core/ids.ts';
import type { SealedBatch } from '../gossip/batch.ts';
import { bucketCount } from '../gossip/buckets.ts';
import { type Dot, bootOf, maxCounter, vectorOf } from '../gossip/dot.ts';
import type { Entry, Sibling } from '../gossip/entry.ts';
import { gossipLimits } from '../gossip/limits.ts';
import type { BatchMessage, DeltaMessage, DigestMessage, GossipMessage, NeedMessage, Range } from '../gossip/messages.ts';
import { batchIdOf, decodeBatch, readKey, readValue } from './gossip-batch.ts';
import { gossipMark } from './marks.ts';
import { pack, unpack } from './pack.ts';
import { FieldReader } from './reader.ts';

// Frames of the gossip: after their gossipMark a version, a kind and the cluster.
// A batch goes on as its origin made it, behind the number of links it has come over; the rest is msgpack, with each node's name written once.

const version = 1;
const kinds = ['batch', 'digest', 'need', 'delta'] as const;
const headBytes = 7;
const signatureBytes = 64;
const maxNames = 2 * gossipLimits.vectorNodes;
const maxDots = 4 * gossipLimits.vectorNodes;

export interface GossipFrame {
  readonly message: GossipMessage;
  /** Links that a batch has come over; 0 for the rest. */
  readonly hops: number;
}

export const isGossipFrame = (frame: Uint8Array): boolean => frame[0] === gossipMark;

function head(clusterTag: number, kind: GossipMessage['type']): Uint8Array {
  const bytes = new Uint8Array(headBytes);
  const view = new DataView(bytes.buffer);
  bytes.set([gossipMark, version, kinds.indexOf(kind)]);
  view.setUint32(3, clusterTag, true);
  return bytes;
}

/** @param hops links that the batch will have come over when this arrives, up to 255. */
export const encodeBatchFrame = (clusterTag: number, { bytes, signature }: SealedBatch, hops: number): Uint8Array =>
  concatBytes([head(clusterTag, 'batch'), Uint8Array.of(hops), signature, bytes]);

/**
 * Tells batch frames apart by their origin and last counter, without looking at the rest. A member that forges a frame can thus delay the true one, until
 * anti-entropy brings it.
 */
export function batchFrameId(frame: Uint8Array): Uint8Array {
  return batchIdOf(frame.subarray(headBytes + 1 + signatureBytes));
}

export function encodeGossip(clusterTag: number, message: Exclude<GossipMessage, BatchMessage>): Uint8Array {
  return concatBytes([head(clusterTag, message.type), pack(fieldsOf(message))]);
}

function fieldsOf(message: Exclude<GossipMessage, BatchMessage>): readonly unknown[] {
  const names = new Map<NodeId, number>();
  const place = (node: NodeId): number => {
    if (!names.has(node)) names.set(node, names.size);
    return names.get(node) ?? 0;
  };
  const dots = (list: readonly Dot[]) => list.map(({ node, counter }) => [place(node), counter]);
  const fields = ((): readonly unknown[] => {
    switch (message.type) {
      case 'digest':
        return [dots(message.have), message.buckets, message.epoch, message.isAnswer];
      case 'need':
        return [dots(message.have)];
      case 'delta': {
        const siblings = (entry: Entry) =>
          entry.siblings.map((s) => [place(s.dot.node), s.dot.counter, s.stamp, s.generation, s.role === 'owner', s.value ?? null]);
        const entries = message.entries.map(([key, entry]) => [key, dots(entry.vector), siblings(entry)]);
        const ranges = message.ranges.map(({ node, after, upTo }) => [place(node), after, upTo]);
        return [ranges, entries, message.whole, message.isPart];
      }
    }
  })();
  return [[...names.keys()], ...fields];
}

/** A frame of anyone; `undefined` when it is malformed, of another version or of another cluster. What is kept is copied out of the lent frame. */
export function decodeGossip(clusterTag: number, frame: Uint8Array): GossipFrame | undefined {
  if (frame.length <= headBytes || frame[0] !== gossipMark || frame[1] !== version) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(3, true) !== clusterTag) return undefined;
  const kind = kinds[frame[2] ?? kinds.length];
  const content = frame.subarray(headBytes);
  if (kind === 'batch') {
    // Copied as a whole: it may be passed on, and its signed bytes with it.
    const own = copyBytes(content);
    const batch = decodeBatch(clusterTag, own.subarray(1 + signatureBytes), own.subarray(1, 1 + signatureBytes));
    return batch === undefined ? undefined : { message: { type: kind, batch }, hops: own[0] ?? 0 };
  }
  const reader = new FieldReader(unpack(content));
  const message = readMessage(kind, reader);
  return message !== undefined && reader.ok ? { message, hops: 0 } : undefined;
}

function readMessage(
  kind: DigestMessage['type'] | NeedMessage['type'] | DeltaMessage['type'] | undefined,
  r: FieldReader,
): GossipMessage | undefined {
  const names = r.names(maxNames, nodeId);
  const node = (reader: FieldReader): NodeId => {
    const name = names[reader.int(0, maxNames)];
    if (name === undefined) reader.reject();
    return name ?? anyNode;
  };
  const dot = (reader: FieldReader): Dot => ({ node: node(reader), counter: reader.int(1, maxCounter) });
  switch (kind) {
    case 'digest':
      return { type: kind, have: r.list(maxDots, dot), buckets: readBuckets(r), epoch: r.int(), isAnswer: r.boolean() };
    case 'need':
      return { type: kind, have: readPlaces(r, node) };
    case 'delta': {
      const ranges = r.list(maxDots, (range) => readRange(range, node));
      const entries = r.list(gossipLimits.bucketEntries, (e): readonly [string, Entry] => [readKey(e), readEntry(e, dot)]);
      return { type: kind, ranges, entries, whole: r.int(0, 2 ** bucketCount - 1), isPart: r.boolean() };
    }
    case undefined:
      return undefined;
  }
}

/** Of a stream that one has nothing of, the counter is the one before its first. */
const readPlaces = (r: FieldReader, node: (reader: FieldReader) => NodeId): Dot[] =>
  r.list(maxDots, (place) => ({ node: node(place), counter: place.int(0, maxCounter) }));

function readRange(r: FieldReader, node: (reader: FieldReader) => NodeId): Range {
  const [of, after, upTo] = [node(r), r.int(0, maxCounter), r.int(1, maxCounter)];
  if (after > upTo || bootOf(after) !== bootOf(upTo)) r.reject();
  return { node: of, after, upTo };
}

function readBuckets(reader: FieldReader): readonly number[] {
  const value = reader.any();
  const isHalf = (half: unknown): half is number => typeof half === 'number' && Number.isInteger(half);
  if (Array.isArray(value) && value.length === 2 * bucketCount && value.every(isHalf)) return value;
  reader.reject();
  return [];
}

function readEntry(r: FieldReader, dot: (reader: FieldReader) => Dot): Entry {
  const vector = vectorOf(r.list(gossipLimits.vectorNodes, dot));
  const siblings = r.list(
    gossipLimits.siblings,
    (s): Sibling => ({ dot: dot(s), stamp: s.int(), generation: s.int(), role: s.boolean() ? 'owner' : 'observer', value: readValue(s) }),
  );
  // A node stands once in a vector, and has one value of a key, which the vector covers.
  const isOnce = (nodes: readonly NodeId[]): boolean => new Set(nodes).size === nodes.length;
  const isSound = isOnce(vector.map(({ node }) => node)) && isOnce(siblings.map((s) => s.dot.node)) && siblings.length > 0;
  if (!isSound || !siblings.every((s) => vector.some((held) => held.node === s.dot.node && held.counter >= s.dot.counter))) r.reject();
  return { vector, siblings };
}

const anyNode = nodeId('none');
