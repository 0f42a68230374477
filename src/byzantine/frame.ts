import { concatBytes } from '../core/bytes.ts';
import { ByteReader, encode, label, labelled } from './bytes.ts';
import type { Hashes } from './crypto.ts';
import type { MemberIndex } from './epoch.ts';
import { maxPayloadBytes } from './records.ts';

/** The receiver of a frame that has a tag for each member and may be passed on by others. */
export const toAll = 0xffff;

export const tagBytes = 32;

/** What stands before a frame's payload; all of it is under the MAC. */
export interface FrameHeader {
  /** The first 8 bytes of a hash of the cluster's id. */
  readonly cluster: Uint8Array;
  readonly epoch: number;
  readonly from: MemberIndex;
  /** A member or `toAll`. */
  readonly to: MemberIndex;
  /** The generations of the two keys that the MAC's key is made from; the receiver's is 0 in a frame to all. */
  readonly fromGeneration: number;
  readonly toGeneration: number;
  /** The sender's count of its starts, and of its frames since. */
  readonly boot: number;
  readonly seq: number;
}

export interface Frame {
  readonly header: FrameHeader;
  readonly payload: Uint8Array;
  /** What the tags are about: header and payload, as they came. */
  readonly signed: Uint8Array;
  /** One, or one for each member. */
  readonly tags: readonly Uint8Array[];
}

const magic = 0x5142;
const version = 1;
const recordsType = 1;
const clusterTagBytes = 8;
const headerBytes = 44;

/** 64 bits of a cluster's id. */
export const clusterTagOf = (hashes: Hashes, cluster: string): Uint8Array =>
  hashes.sha256(labelled(label('quorate/bft/v1/cluster'), label(cluster))).slice(0, clusterTagBytes);

/** Header and payload: what the tags are about. */
export function encodeFrame(header: FrameHeader, payload: Uint8Array): Uint8Array {
  const { cluster, epoch, from, to, fromGeneration, toGeneration, boot, seq } = header;
  return encode(payload, (writer) => {
    writer.u16(magic).u8(version).u8(recordsType).fixed(cluster).u32(epoch).u16(from).u16(to);
    writer.u32(fromGeneration).u32(toGeneration).u32(boot).u64(seq).bytes32(payload);
  });
}

/** A frame with its tags, as it travels. */
export const closeFrame = (signed: Uint8Array, tags: readonly Uint8Array[]): Uint8Array => concatBytes([signed, ...tags]);

/** True for bytes that claim to be a frame. */
export const isFrame = (bytes: Uint8Array): boolean => bytes[0] === (magic & 0xff) && bytes[1] === magic >> 8;

/** Takes a frame of anyone apart; `undefined` if it is malformed or has not one tag, or `members` tags if it is to all. Nothing is checked, and nothing copied. */
export function decodeFrame(bytes: Uint8Array, members: number): Frame | undefined {
  if (bytes.length > headerBytes + maxPayloadBytes + members * tagBytes) return undefined;
  const reader = new ByteReader(bytes);
  reader.u16(magic, magic);
  reader.u8(version, version);
  reader.u8(recordsType, recordsType);
  const header: FrameHeader = {
    cluster: reader.fixed(clusterTagBytes),
    epoch: reader.u32(),
    from: reader.u16(0, toAll - 1),
    to: reader.u16(),
    fromGeneration: reader.u32(),
    toGeneration: reader.u32(),
    boot: reader.u32(),
    seq: reader.u64(),
  };
  const length = reader.u32(0, maxPayloadBytes);
  const end = headerBytes + length;
  const tagCount = header.to === toAll ? members : 1;
  if (!reader.ok || bytes.length !== end + tagCount * tagBytes || (header.to === toAll && header.toGeneration !== 0)) return undefined;
  return {
    header,
    payload: bytes.subarray(headerBytes, end),
    signed: bytes.subarray(0, end),
    tags: Array.from({ length: tagCount }, (_, i) => bytes.subarray(end + i * tagBytes, end + (i + 1) * tagBytes)),
  };
}
