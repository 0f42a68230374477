import { isName, nodeId } from '../core/ids.ts';
import { type BatchSignature, maxPath, type Ballot, type Expiry, type SignedBallot, type SignedExpiry } from './ballot.ts';
import { type ByteReader, type ByteWriter, decodeStrictly, digestBytes, digestOf, encode, label, labelled } from './bytes.ts';
import { hashBytes, type Hashes, publicKeyBytes, signatureBytes } from './crypto.ts';
import type { Digest } from './digest.ts';
import { type EpochConfiguration, maxMembers, type Member } from './epoch.ts';
import { type Item, type Proposal, type ProposalId, proposalLimits as limits, type SignedProposal } from './proposal.ts';
import type { Outcome, Value, Witness } from './witness.ts';

// The canonical bytes of what is hashed, signed and stored; `docs/byzantine.md` has the tables. A number or layout never changes its meaning: a new layout
// gets a new format number. A decoder checks sizes and ranges that need no context; `validate` and the engine check the rest.

/** The first byte of a proposal, a configuration and a certificate. */
export const format = 1;

/** Above the largest proposal: 1,024 items of 290 bytes. */
export const maxSignedProposalBytes = 320 * 1024;

const maxIndex = maxMembers - 1;
const maxNodeIdBytes = 128;

/** The label of each signature says what was signed, so that one can't be passed off as another. */
const labels = {
  proposal: label('prop'),
  outcome: label('out'),
  configuration: label('quorate/bft/v1/configuration'),
  signedProposal: label('quorate/bft/v1/proposal'),
} as const;

function writeProposal(writer: ByteWriter, proposal: Proposal): void {
  writer.u8(format).text(proposal.cluster).u32(proposal.epoch).text(proposal.kind).u16(proposal.items.length);
  for (const { subject, payloadDigest } of proposal.items) writer.text(subject).digest(payloadDigest);
  writer.u8(proposal.options.length);
  for (const option of proposal.options) writer.text(option);
  writer.u16(proposal.minSupport).u16(proposal.proposer).u64(proposal.proposerSeq).u32(proposal.timeoutMs).u64(proposal.notAfterMs);
}

function readProposal(reader: ByteReader): Proposal {
  reader.u8(format, format);
  return {
    cluster: reader.text(1, limits.clusterBytes),
    epoch: reader.u32(),
    kind: reader.text(1, limits.kindBytes),
    items: reader.list(reader.u16(1, limits.items), () => readItem(reader)),
    options: reader.list(reader.u8(limits.options.min, limits.options.max), () => reader.text(1, limits.optionBytes)),
    minSupport: reader.u16(1, maxMembers),
    proposer: reader.u16(0, maxIndex),
    proposerSeq: reader.u64(),
    timeoutMs: reader.u32(limits.timeoutMs.min, limits.timeoutMs.max),
    notAfterMs: reader.u64(),
  };
}

const readItem = (reader: ByteReader): Item => ({ subject: reader.text(1, limits.subjectBytes), payloadDigest: reader.digest() });

/** The canonical bytes of a proposal, without its signature. */
export const encodeProposal = (proposal: Proposal): Uint8Array => encode(proposal, writeProposal);

/** The id of a proposal: SHA-256 of "prop" and its canonical bytes. */
export const proposalId = (hashes: Hashes, proposal: Proposal): ProposalId =>
  digestOf(hashes.sha256(labelled(labels.proposal, encodeProposal(proposal))));

/** What a proposer signs. */
export const proposalMessage = (id: ProposalId): Uint8Array => labelled(labels.signedProposal, digestBytes(id));

/** What an instance decides on: SHA-256 of "out", the proposal's id and one byte an item. */
export const outcomeValue = (hashes: Hashes, proposal: ProposalId, outcome: Outcome): Value =>
  digestOf(hashes.sha256(labelled(labels.outcome, digestBytes(proposal), outcome)));

function writeSignedProposal(writer: ByteWriter, { proposal, signature }: Omit<SignedProposal, 'id'>): void {
  writeProposal(writer, proposal);
  writer.fixed(signature);
}

const readSignedProposal = (reader: ByteReader): Omit<SignedProposal, 'id'> => ({
  proposal: readProposal(reader),
  signature: reader.fixed(signatureBytes),
});

/** A proposal is sent, kept and put into a certificate: it is encoded once. */
const encodedProposals = new WeakMap<SignedProposal, Uint8Array>();

/** A proposal with its signature, as it travels and is stored. */
export function encodeSignedProposal(signed: SignedProposal): Uint8Array {
  const bytes = encodedProposals.get(signed) ?? encode(signed, writeSignedProposal);
  encodedProposals.set(signed, bytes);
  return bytes;
}

/** Reads a proposal of anyone and names it; its signature is not checked. Keeps the bytes. */
export function decodeSignedProposal(hashes: Hashes, bytes: Uint8Array): SignedProposal | undefined {
  const decoded = decodeStrictly(bytes, readSignedProposal, writeSignedProposal);
  if (decoded === undefined) return undefined;
  const content = bytes.subarray(0, bytes.length - signatureBytes);
  const signed = { id: digestOf(hashes.sha256(labelled(labels.proposal, content))), ...decoded };
  encodedProposals.set(signed, bytes);
  return signed;
}

function writeConfiguration(writer: ByteWriter, configuration: EpochConfiguration): void {
  const { cluster, epoch, members, previous, kindsVersion } = configuration;
  writer.u8(format).text(cluster).u32(epoch).u16(members.length);
  for (const member of members) writer.text(member.nodeId).fixed(member.ed25519PublicKey);
  writer.flag(previous !== undefined);
  if (previous !== undefined) writer.digest(previous);
  writer.u32(kindsVersion);
}

function readConfiguration(reader: ByteReader): EpochConfiguration {
  reader.u8(format, format);
  return {
    cluster: reader.text(1, limits.clusterBytes),
    epoch: reader.u32(),
    members: reader.list(reader.u16(1, maxMembers), () => readMember(reader)),
    previous: reader.flag() ? reader.digest() : undefined,
    kindsVersion: reader.u32(),
  };
}

const someNode = nodeId('none');

function readMember(reader: ByteReader): Member {
  const text = reader.text(1, maxNodeIdBytes);
  if (!isName(text)) reader.fail();
  return { nodeId: isName(text) ? nodeId(text) : someNode, ed25519PublicKey: reader.fixed(publicKeyBytes) };
}

/** The canonical bytes of an epoch's configuration. */
export const encodeConfiguration = (configuration: EpochConfiguration): Uint8Array => encode(configuration, writeConfiguration);

/** Reads a configuration of anyone: well-formed, not yet known to be right. */
export const decodeConfiguration = (bytes: Uint8Array): EpochConfiguration | undefined =>
  decodeStrictly(bytes, readConfiguration, writeConfiguration);

const configurationDigests = new WeakMap<EpochConfiguration, Digest>();

/** What binds keys, attestations and certificates to an epoch. */
export function configurationDigest(hashes: Hashes, configuration: EpochConfiguration): Digest {
  const known = configurationDigests.get(configuration);
  if (known !== undefined) return known;
  const made = digestOf(hashes.sha256(labelled(labels.configuration, encodeConfiguration(configuration))));
  configurationDigests.set(configuration, made);
  return made;
}

export function writeBallot(writer: ByteWriter, { proposal, voter, choices }: Ballot): void {
  writer.digest(proposal).u16(voter).bytes16(choices);
}

export const readBallot = (reader: ByteReader): Ballot => ({
  proposal: reader.digest(),
  voter: reader.u16(0, maxIndex),
  choices: reader.bytes16(limits.items),
});

export function writeExpiry(writer: ByteWriter, { proposal, voter, items }: Expiry): void {
  writer.digest(proposal).u16(voter).bytes16(items);
}

export const readExpiry = (reader: ByteReader): Expiry => ({
  proposal: reader.digest(),
  voter: reader.u16(0, maxIndex),
  items: reader.bytes16(limits.items / 8),
});

export function writeBatchSignature(writer: ByteWriter, { signature, index, path }: BatchSignature): void {
  writer.u8(path.length).u8(index);
  for (const sibling of path) writer.fixed(sibling);
  writer.fixed(signature);
}

export function readBatchSignature(reader: ByteReader): BatchSignature {
  const depth = reader.u8(0, maxPath);
  const index = reader.u8(0, 2 ** depth - 1);
  const path = reader.list(depth, () => reader.fixed(hashBytes));
  return { signature: reader.fixed(signatureBytes), index, path };
}

export function writeSignedBallot(writer: ByteWriter, { ballot, signature }: SignedBallot): void {
  writeBallot(writer, ballot);
  writeBatchSignature(writer, signature);
}

export const readSignedBallot = (reader: ByteReader): SignedBallot => ({
  ballot: readBallot(reader),
  signature: readBatchSignature(reader),
});

export function writeSignedExpiry(writer: ByteWriter, { expiry, signature }: SignedExpiry): void {
  writeExpiry(writer, expiry);
  writeBatchSignature(writer, signature);
}

export const readSignedExpiry = (reader: ByteReader): SignedExpiry => ({
  expiry: readExpiry(reader),
  signature: readBatchSignature(reader),
});

export function writeWitness(writer: ByteWriter, { proposal, value, outcome, ballots, expiries }: Witness): void {
  writer.digest(proposal).digest(value).bytes16(outcome).u16(ballots.length);
  for (const ballot of ballots) writeSignedBallot(writer, ballot);
  writer.u16(expiries.length);
  for (const expiry of expiries) writeSignedExpiry(writer, expiry);
}

export const readWitness = (reader: ByteReader): Witness => ({
  proposal: reader.digest(),
  value: reader.digest(),
  outcome: reader.bytes16(limits.items),
  ballots: reader.list(reader.u16(0, maxMembers), () => readSignedBallot(reader)),
  expiries: reader.list(reader.u16(0, maxMembers), () => readSignedExpiry(reader)),
});
