import { assert } from '../core/assert.ts';
import { type Ballot, type BatchSignature, type Expiry, maxPath } from './ballot.ts';
import { type ByteReader, type ByteWriter, encode, label, labelled } from './bytes.ts';
import { hashBytes, type Hashes, type Sign, type VerifySignature } from './crypto.ts';
import type { Digest } from './digest.ts';
import { writeBallot, writeExpiry } from './encoding.ts';
import type { MemberIndex } from './epoch.ts';
import { type ProposalId, proposalLimits } from './proposal.ts';
import type { Outcome } from './witness.ts';

// One signature serves all that a node signs in one flush: it signs the root of a Merkle tree of up to 64 leaves, and each leaf carries its way to the root
// (protocol design 1.4). Leaves and nodes have different prefixes, so that a node can't be passed off as a leaf, and a leaf's hash binds its place. A tree is
// filled up with zeros, which no leaf hashes to.

/** A member's word that this is what the instance decided. */
export interface Attestation {
  readonly cluster: string;
  readonly epoch: number;
  /** Digest of the epoch's configuration. */
  readonly configuration: Digest;
  readonly proposal: ProposalId;
  readonly outcome: Outcome;
}

/** A member's attestation on its way to those who build the certificate: cluster, epoch and members are the frame's. */
export interface SignedAttestation {
  readonly proposal: ProposalId;
  readonly member: MemberIndex;
  readonly outcome: Outcome;
  readonly signature: BatchSignature;
}

/** What is signed in batches. */
export type Signable =
  | { readonly type: 'ballot'; readonly ballot: Ballot }
  | { readonly type: 'expiry'; readonly expiry: Expiry }
  | { readonly type: 'attestation'; readonly attestation: Attestation };

/** The number of leaves that one signature can serve. */
export const maxBatch = 2 ** maxPath;

const leafPrefix = 0;
const nodePrefix = 1;
const kinds = { ballot: 1, expiry: 2, attestation: 3 } as const satisfies Record<Signable['type'], number>;
const rootLabel = label('quorate/bft/v1/batch');
const filler = new Uint8Array(hashBytes);

export function writeAttestation(writer: ByteWriter, { cluster, epoch, configuration, proposal, outcome }: Attestation): void {
  writer.text(cluster).u32(epoch).digest(configuration).digest(proposal).bytes16(outcome);
}

export const readAttestation = (reader: ByteReader): Attestation => ({
  cluster: reader.text(1, proposalLimits.clusterBytes),
  epoch: reader.u32(),
  configuration: reader.digest(),
  proposal: reader.digest(),
  outcome: reader.bytes16(proposalLimits.items),
});

function writeSignable(writer: ByteWriter, thing: Signable): void {
  switch (thing.type) {
    case 'ballot':
      return writeBallot(writer, thing.ballot);
    case 'expiry':
      return writeExpiry(writer, thing.expiry);
    case 'attestation':
      return writeAttestation(writer, thing.attestation);
  }
}

function leafOf(hashes: Hashes, thing: Signable, index: number): Uint8Array {
  const leaf = encode(thing, (writer) => writeSignable(writer.u8(leafPrefix).u8(kinds[thing.type]).u8(index), thing));
  return hashes.sha256(leaf);
}

/** Where every inner node is put together: there are up to six for each leaf. */
const node = Uint8Array.of(nodePrefix, ...filler, ...filler);

function nodeOf(hashes: Hashes, left: Uint8Array, right: Uint8Array): Uint8Array {
  node.set(left, 1);
  node.set(right, 1 + hashBytes);
  return hashes.sha256(node);
}

const rootMessage = (root: Uint8Array): Uint8Array => labelled(rootLabel, root);

/** Signs up to `maxBatch` things with one signature; the answer has one for each, in their order. */
export function signBatch(hashes: Hashes, sign: Sign, things: readonly Signable[]): BatchSignature[] {
  assert(things.length >= 1 && things.length <= maxBatch, 'a batch has between one thing and its limit');
  const levels: Uint8Array[][] = [things.map((thing, index) => leafOf(hashes, thing, index))];
  for (let level = levels[0] ?? []; level.length > 1; levels.push(level)) {
    const below = level;
    level = Array.from({ length: Math.ceil(below.length / 2) }, (_, i) =>
      nodeOf(hashes, below[2 * i] ?? filler, below[2 * i + 1] ?? filler),
    );
  }
  const depth = levels.length - 1;
  const signature = sign(rootMessage(levels[depth]?.[0] ?? filler));
  return things.map((_, index) => ({
    signature,
    index,
    path: levels.slice(0, depth).map((level, height) => level[(index >> height) ^ 1] ?? filler),
  }));
}

/** Checks one thing's signature: one Ed25519 check and a hash for each step of the path. Anything malformed is false. */
export function verifyBatched(
  hashes: Hashes,
  verify: VerifySignature,
  publicKey: Uint8Array,
  thing: Signable,
  { signature, index, path }: BatchSignature,
): boolean {
  if (path.length > maxPath || index >= 2 ** path.length) return false;
  let hash = leafOf(hashes, thing, index);
  let place = index;
  for (const sibling of path) {
    if (sibling.length !== hashBytes) return false;
    hash = place % 2 === 0 ? nodeOf(hashes, hash, sibling) : nodeOf(hashes, sibling, hash);
    place >>= 1;
  }
  return verify(publicKey, rootMessage(hash), signature);
}
