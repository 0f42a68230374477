import { isName, nodeId, type NodeId } from '../core/ids.ts';
import { type ByteReader, type ByteWriter, decodeStrictly, encode, label, labelled } from './bytes.ts';
import { publicKeyBytes, type Sign, signatureBytes, type VerifySignature } from './crypto.ts';
import { proposalLimits } from './proposal.ts';

/** Which X25519 key a node uses for the keys of its MACs: its word, under its identity. */
export interface KeyAnnouncement {
  readonly cluster: string;
  readonly nodeId: NodeId;
  /** Counts the node's keys, never backwards: it is durable before the key is announced. */
  readonly generation: number;
  /** Counts the node's starts. */
  readonly boot: number;
  readonly publicKey: Uint8Array;
}

export interface SignedKeyAnnouncement {
  readonly announcement: KeyAnnouncement;
  readonly signature: Uint8Array;
}

// Another magic than a frame's: the two share a stream.
const magic = 0x4b51;
const version = 1;
const domain = label('quorate/bft/v1/key');

function writeAnnouncement(writer: ByteWriter, { cluster, nodeId: id, generation, boot, publicKey }: KeyAnnouncement): void {
  writer.u16(magic).u8(version).text(cluster).text(id).u32(generation).u32(boot).fixed(publicKey);
}

function writeSigned(writer: ByteWriter, { announcement, signature }: SignedKeyAnnouncement): void {
  writeAnnouncement(writer, announcement);
  writer.fixed(signature);
}

const someNode = nodeId('none');

function readSigned(reader: ByteReader): SignedKeyAnnouncement {
  reader.u16(magic, magic);
  reader.u8(version, version);
  const cluster = reader.text(1, proposalLimits.clusterBytes);
  const name = reader.text(1, 128);
  if (!isName(name)) reader.fail();
  const id = isName(name) ? nodeId(name) : someNode;
  const announcement = { cluster, nodeId: id, generation: reader.u32(1), boot: reader.u32(), publicKey: reader.fixed(publicKeyBytes) };
  return { announcement, signature: reader.fixed(signatureBytes) };
}

const messageOf = (announcement: KeyAnnouncement): Uint8Array => labelled(domain, encode(announcement, writeAnnouncement));

/** The bytes that tell others of a key. */
export const encodeAnnouncement = (announcement: KeyAnnouncement, sign: Sign): Uint8Array =>
  encode({ announcement, signature: sign(messageOf(announcement)) }, writeSigned);

/** True for bytes that claim to be an announcement and not a frame. */
export const isAnnouncement = (bytes: Uint8Array): boolean => bytes[0] === (magic & 0xff) && bytes[1] === magic >> 8;

/** Reads an announcement of anyone: well-formed, its signature is not checked. */
export const decodeAnnouncement = (bytes: Uint8Array): SignedKeyAnnouncement | undefined => decodeStrictly(bytes, readSigned, writeSigned);

/** True if the node whose identity this is signed it. */
export const isAnnouncementSigned = (
  { announcement, signature }: SignedKeyAnnouncement,
  verify: VerifySignature,
  identity: Uint8Array,
): boolean => verify(identity, messageOf(announcement), signature);
