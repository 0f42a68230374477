import { assert } from '../core/assert.ts';
import { type Attestation, readAttestation, verifyBatched, writeAttestation } from './attestation.ts';
import { type BatchSignature, type SignedBallot, abstain } from './ballot.ts';
import { type ByteReader, type ByteWriter, decodeStrictly, encode, label } from './bytes.ts';
import type { Hashes, VerifySignature } from './crypto.ts';
import {
  configurationDigest,
  decodeSignedProposal,
  encodeSignedProposal,
  format,
  maxSignedProposalBytes,
  readBatchSignature,
  readSignedBallot,
  writeBatchSignature,
  writeSignedBallot,
} from './encoding.ts';
import { type EpochConfiguration, maxMembers, type MemberIndex } from './epoch.ts';
import { bitmapOf, hasBit } from './motion.ts';
import { invalidField, type ProposalField } from './proposal-validity.ts';
import type { SignedProposal } from './proposal.ts';
import { byzantineQuorum, faultTolerance } from './quorum.ts';
import { expired, split } from './witness.ts';

/** A member's signature under the attestation of a certificate. */
export interface Attester {
  readonly member: MemberIndex;
  readonly signature: BatchSignature;
}

/**
 * The proof of a decision for anyone who knows the epoch's members (protocol design 1.6): what was proposed, what was decided, and a quorum's signatures. Any
 * two certificates of an epoch share an honest signer. Nobody acts on a decision without one.
 */
export interface Certificate {
  readonly attestation: Attestation;
  /** N of the epoch: the width of the bitmap of signers. */
  readonly memberCount: number;
  /** By member, ascending, each once. */
  readonly attesters: readonly Attester[];
  readonly proposal: SignedProposal;
  /** Who chose what, by voter, ascending, each once; empty if it was left out. */
  readonly ballots: readonly SignedBallot[];
}

/** Why a certificate does not hold. */
export type Flaw =
  | { readonly code: 'wrong_cluster'; readonly expected: string; readonly found: string }
  | { readonly code: 'wrong_epoch'; readonly expected: number; readonly found: number }
  /** It is about other members than those known, or counts them differently. */
  | { readonly code: 'wrong_configuration' }
  /** Fewer than 4 members: one liar decides. */
  | { readonly code: 'no_fault_tolerance'; readonly members: number }
  /** The signatures are about another proposal than the one enclosed. */
  | { readonly code: 'wrong_proposal'; readonly attested: string; readonly enclosed: string }
  | { readonly code: 'invalid_proposal'; readonly field: ProposalField }
  | { readonly code: 'bad_proposal_signature'; readonly proposer: MemberIndex }
  /** The outcome of an item is none that the proposal allows. */
  | { readonly code: 'invalid_outcome'; readonly item: number }
  | { readonly code: 'bad_signature'; readonly member: MemberIndex }
  | { readonly code: 'quorum_short'; readonly signatures: number; readonly quorum: number }
  | { readonly code: 'bad_ballot'; readonly member: MemberIndex; readonly detail: string }
  /** There are ballots, but not enough for the option that won. */
  | { readonly code: 'unsupported'; readonly item: number; readonly ballots: number; readonly minSupport: number };

const magic = label('QCRT');
/** Above the largest certificate, of 128 members with ballots and a full bundle; a larger one is not read. */
export const maxCertificateBytes = 640 * 1024;

type Raw = Omit<Certificate, 'proposal'> & { readonly proposal: Uint8Array };

function writeRaw(writer: ByteWriter, { attestation, memberCount, attesters, proposal, ballots }: Raw): void {
  writer.fixed(magic).u8(format);
  writeAttestation(writer, attestation);
  const signers = new Set(attesters.map(({ member }) => member));
  writer.u16(memberCount).fixed(bitmapOf(memberCount, (member) => signers.has(member)));
  for (const { signature } of attesters) writeBatchSignature(writer, signature);
  writer.bytes32(proposal).u16(ballots.length);
  for (const ballot of ballots) writeSignedBallot(writer, ballot);
}

function readRaw(reader: ByteReader): Raw {
  if (reader.fixed(magic.length).some((byte, i) => byte !== magic[i])) reader.fail();
  reader.u8(format, format);
  const attestation = readAttestation(reader);
  const memberCount = reader.u16(1, maxMembers);
  const bitmap = reader.fixed(Math.ceil(memberCount / 8));
  const signers = Array.from({ length: memberCount }, (_, member) => member).filter((member) => hasBit(bitmap, member));
  return {
    attestation,
    memberCount,
    attesters: signers.map((member) => ({ member, signature: readBatchSignature(reader) })),
    proposal: reader.bytes32(maxSignedProposalBytes),
    ballots: reader.list(reader.u16(0, maxMembers), () => readSignedBallot(reader)),
  };
}

/** The bytes of a certificate, as it is stored, sent and written into files. */
export function encodeCertificate(certificate: Certificate): Uint8Array {
  const signers = certificate.attesters.map(({ member }) => member);
  assert(
    signers.every((member, i) => member < certificate.memberCount && member > (signers[i - 1] ?? -1)),
    "a certificate's signers are members, in their order",
  );
  return encode({ ...certificate, proposal: encodeSignedProposal(certificate.proposal) }, writeRaw);
}

/** Reads a certificate of anyone: well-formed, nothing in it is checked. */
export function decodeCertificate(hashes: Hashes, bytes: Uint8Array): Certificate | undefined {
  if (bytes.length > maxCertificateBytes) return undefined;
  const raw = decodeStrictly(bytes, readRaw, writeRaw);
  const proposal = raw && decodeSignedProposal(hashes, raw.proposal);
  return raw && proposal && { ...raw, proposal };
}

/** What a check of a certificate goes by. */
export interface Trust {
  readonly hashes: Hashes;
  readonly verify: VerifySignature;
  /** The epoch's members, as the checker knows them. */
  readonly configuration: EpochConfiguration;
  /** Also accept fewer than 4 members, of whom none may lie. */
  readonly allowNoFaultTolerance?: boolean;
}

/** All that is wrong with a certificate, most telling first; empty: it holds. Costs one signature check for each attester and ballot, and one more. */
export function checkCertificate(certificate: Certificate, trust: Trust): readonly Flaw[] {
  const flaw = flawOfFrame(certificate, trust) ?? flawOfProposal(certificate.proposal, trust) ?? flawOfOutcome(certificate);
  return flaw === undefined ? [...flawsOfAttesters(certificate, trust), ...flawsOfBallots(certificate, trust)] : [flaw];
}

function flawOfFrame({ attestation, memberCount, proposal }: Certificate, { hashes, configuration, ...trust }: Trust): Flaw | undefined {
  const { cluster, epoch, members } = configuration;
  for (const found of [attestation.cluster, proposal.proposal.cluster])
    if (found !== cluster) return { code: 'wrong_cluster', expected: cluster, found };
  for (const found of [attestation.epoch, proposal.proposal.epoch])
    if (found !== epoch) return { code: 'wrong_epoch', expected: epoch, found };
  if (attestation.configuration !== configurationDigest(hashes, configuration) || memberCount !== members.length)
    return { code: 'wrong_configuration' };
  if (faultTolerance(memberCount) === 0 && trust.allowNoFaultTolerance !== true)
    return { code: 'no_fault_tolerance', members: memberCount };
  if (attestation.proposal !== proposal.id) return { code: 'wrong_proposal', attested: attestation.proposal, enclosed: proposal.id };
  return undefined;
}

function flawOfProposal(signed: SignedProposal, { verify, configuration }: Trust): Flaw | undefined {
  const field = invalidField(signed, configuration, verify);
  if (field === 'signature') return { code: 'bad_proposal_signature', proposer: signed.proposal.proposer };
  return field && { code: 'invalid_proposal', field };
}

function flawOfOutcome({ attestation: { outcome }, proposal: { proposal } }: Certificate): Flaw | undefined {
  if (outcome.length !== proposal.items.length) return { code: 'invalid_outcome', item: Math.min(outcome.length, proposal.items.length) };
  const item = outcome.findIndex((choice) => choice >= proposal.options.length && choice !== split && choice !== expired);
  return item < 0 ? undefined : { code: 'invalid_outcome', item };
}

function flawsOfAttesters({ attestation, attesters }: Certificate, { hashes, verify, configuration }: Trust): readonly Flaw[] {
  const flaws: Flaw[] = [];
  const signers = new Set<MemberIndex>();
  for (const { member, signature } of attesters) {
    const key = configuration.members[member]?.ed25519PublicKey;
    if (!signers.has(member) && key && verifyBatched(hashes, verify, key, { type: 'attestation', attestation }, signature))
      signers.add(member);
    else flaws.push({ code: 'bad_signature', member });
  }
  const quorum = byzantineQuorum(configuration.members.length);
  return signers.size < quorum ? [...flaws, { code: 'quorum_short', signatures: signers.size, quorum }] : flaws;
}

function flawsOfBallots({ attestation: { outcome }, proposal, ballots }: Certificate, trust: Trust): readonly Flaw[] {
  if (ballots.length === 0) return [];
  const flaws = ballots.flatMap((ballot, i): Flaw[] => {
    const detail = flawOfBallot(ballot, ballots[i - 1], proposal, trust);
    return detail === undefined ? [] : [{ code: 'bad_ballot', member: ballot.ballot.voter, detail }];
  });
  const { minSupport } = proposal.proposal;
  for (const [item, choice] of outcome.entries()) {
    const support = ballots.filter(({ ballot }) => ballot.choices[item] === choice).length;
    if (choice !== split && choice !== expired && support < minSupport)
      flaws.push({ code: 'unsupported', item, ballots: support, minSupport });
  }
  return flaws;
}

function flawOfBallot(
  { ballot, signature }: SignedBallot,
  before: SignedBallot | undefined,
  { id, proposal }: SignedProposal,
  { hashes, verify, configuration }: Trust,
): string | undefined {
  const key = configuration.members[ballot.voter]?.ed25519PublicKey;
  if (key === undefined) return 'the voter is no member';
  if (before !== undefined && before.ballot.voter >= ballot.voter) return 'the voter is there twice or out of order';
  if (ballot.proposal !== id) return 'it is about another proposal';
  if (ballot.choices.length !== proposal.items.length) return 'it has not one choice for each item';
  if (ballot.choices.some((choice) => choice >= proposal.options.length && choice !== abstain))
    return 'it chooses an option that is not there';
  return verifyBatched(hashes, verify, key, { type: 'ballot', ballot }, signature) ? undefined : 'the signature is not right';
}
