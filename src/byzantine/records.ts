import { assert } from '../core/assert.ts';
import type { SignedAttestation } from './attestation.ts';
import type { SignedBallot, SignedExpiry } from './ballot.ts';
import { ByteReader, ByteWriter, encode } from './bytes.ts';
import { maxCertificateBytes } from './certificate.ts';
import type { Digest } from './digest.ts';
import {
  maxSignedProposalBytes,
  readBatchSignature,
  readSignedBallot,
  readSignedExpiry,
  readWitness,
  writeBatchSignature,
  writeSignedBallot,
  writeSignedExpiry,
  writeWitness,
} from './encoding.ts';
import { maxMembers } from './epoch.ts';
import type { ByzantineMessage, StatementMessage } from './messages.ts';
import { type ProposalId, proposalLimits } from './proposal.ts';
import { readStatement, writeStatement } from './statement-encoding.ts';
import type { Value, Witness } from './witness.ts';

/** One thing that a frame carries. */
export type FrameRecord =
  | StatementRecord
  | { readonly type: 'ballot'; readonly ballot: SignedBallot }
  | { readonly type: 'expiry'; readonly expiry: SignedExpiry }
  | { readonly type: 'witness'; readonly witness: Witness }
  | { readonly type: 'want'; readonly proposal: ProposalId; readonly value: Value }
  | { readonly type: 'attestation'; readonly attestation: SignedAttestation }
  /** `bytes` are read by `decodeSignedProposal`, and hashed as they came. */
  | { readonly type: 'proposal'; readonly bytes: Uint8Array }
  /** `bytes` are read by `decodeCertificate`. */
  | { readonly type: 'certificate'; readonly bytes: Uint8Array }
  /** "Send me the payload with this digest." */
  | { readonly type: 'get'; readonly digest: Digest }
  | { readonly type: 'blob'; readonly bytes: Uint8Array }
  /** "I approve these kinds without asking anyone", and with `asks`: "tell me what you do". */
  | { readonly type: 'policy'; readonly kinds: readonly string[]; readonly asks: boolean };

export interface StatementRecord extends StatementMessage {
  readonly proposal: ProposalId;
}

type Type = FrameRecord['type'];

// The number of a type never changes its meaning.
const numbers = {
  statement: 1,
  ballot: 2,
  expiry: 3,
  witness: 4,
  want: 5,
  attestation: 6,
  proposal: 7,
  certificate: 8,
  get: 9,
  blob: 10,
  policy: 11,
} as const satisfies Record<Type, number>;

const isType = (name: string): name is Type => name in numbers;
const typeOf = new Map<number, Type>(
  Object.keys(numbers)
    .filter(isType)
    .map((type) => [numbers[type], type]),
);

/** At most this many records share a frame. */
export const maxRecords = 512;
/** At most this many bytes of records share a frame: a frame is below 1 MiB. */
export const maxPayloadBytes = 1_048_576 - 8192;

const maxBitmapBytes = maxMembers / 8;
/** Kinds that a policy names; the rest of a longer one is not told. */
export const maxPolicyKinds = 256;

function writeRecord(writer: ByteWriter, record: FrameRecord): void {
  writer.u8(numbers[record.type]);
  switch (record.type) {
    case 'statement':
      return writeStatementMessage(writer, record.proposal, record);
    case 'ballot':
      return writeSignedBallot(writer, record.ballot);
    case 'expiry':
      return writeSignedExpiry(writer, record.expiry);
    case 'witness':
      return writeWitness(writer, record.witness);
    case 'want':
      return void writer.digest(record.proposal).digest(record.value);
    case 'attestation':
      return writeSignedAttestation(writer, record.attestation);
    case 'proposal':
    case 'certificate':
    case 'blob':
      return void writer.bytes32(record.bytes);
    case 'get':
      return void writer.digest(record.digest);
    case 'policy':
      writer.flag(record.asks).u16(record.kinds.length);
      for (const kind of record.kinds) writer.text(kind);
      return undefined;
  }
}

function readRecord(reader: ByteReader): FrameRecord {
  const type = typeOf.get(reader.u8());
  switch (type) {
    case 'statement':
      return readStatementRecord(reader);
    case 'ballot':
      return { type, ballot: readSignedBallot(reader) };
    case 'expiry':
      return { type, expiry: readSignedExpiry(reader) };
    case 'witness':
      return { type, witness: readWitness(reader) };
    case 'want':
      return { type, proposal: reader.digest(), value: reader.digest() };
    case 'attestation':
      return { type, attestation: readSignedAttestation(reader) };
    case 'proposal':
      return { type, bytes: reader.bytes32(maxSignedProposalBytes) };
    case 'certificate':
      return { type, bytes: reader.bytes32(maxCertificateBytes) };
    case 'blob':
      return { type, bytes: reader.bytes32(proposalLimits.payloadBytes) };
    case 'get':
      return { type, digest: reader.digest() };
    case 'policy':
      return {
        type,
        asks: reader.flag(),
        kinds: reader.list(reader.u16(0, maxPolicyKinds), () => reader.text(1, proposalLimits.kindBytes)),
      };
    case undefined:
      reader.fail();
      return { type: 'get', digest: reader.digest() };
  }
}

function writeStatementMessage(writer: ByteWriter, proposal: ProposalId, message: StatementMessage): void {
  const { statement, seen, ballots, expiries, asks } = message;
  writer.digest(proposal).flag(seen !== undefined);
  if (seen !== undefined) writer.u32(seen.boot).u32(seen.revision);
  writer.bytes8(ballots).bytes8(expiries).flag(asks);
  writeStatement(writer, statement);
}

const readStatementRecord = (reader: ByteReader): StatementRecord => ({
  type: 'statement',
  proposal: reader.digest(),
  seen: reader.flag() ? { boot: reader.u32(), revision: reader.u32() } : undefined,
  ballots: reader.bytes8(maxBitmapBytes),
  expiries: reader.bytes8(maxBitmapBytes),
  asks: reader.flag(),
  statement: readStatement(reader),
});

export function writeSignedAttestation(writer: ByteWriter, { proposal, member, outcome, signature }: SignedAttestation): void {
  writer.digest(proposal).u16(member).bytes16(outcome);
  writeBatchSignature(writer, signature);
}

export const readSignedAttestation = (reader: ByteReader): SignedAttestation => ({
  proposal: reader.digest(),
  member: reader.u16(0, maxMembers - 1),
  outcome: reader.bytes16(proposalLimits.items),
  signature: readBatchSignature(reader),
});

/** One record, as it is sent and as a node keeps its own. */
export const encodeRecord = (record: FrameRecord): Uint8Array => encode(record, writeRecord);

/** What an engine says, as a record. */
export function encodeMessage(proposal: ProposalId, message: ByzantineMessage): Uint8Array {
  if (message.type === 'want') return encodeRecord({ ...message, proposal });
  if (message.type !== 'statement') return encodeRecord(message);
  return encode(message, (writer) => writeStatementMessage(writer.u8(numbers.statement), proposal, message));
}

/** Reads a record of anyone. Nothing is encoded anew to compare: no field has two encodings, and a hash of what is in it is made from what was read. */
export function decodeRecord(bytes: Uint8Array): FrameRecord | undefined {
  const reader = new ByteReader(bytes);
  const record = readRecord(reader);
  return reader.done ? record : undefined;
}

/** Joins encoded records into as few frames' payloads as their bounds allow, in their order. A record alone fits a payload. */
export function packRecords(records: readonly Uint8Array[]): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  let writer = new ByteWriter();
  let [count, bytes] = [0, 0];
  for (const record of records) {
    assert(record.length + 4 <= maxPayloadBytes, 'a record fits a frame');
    if (count === maxRecords || bytes + 4 + record.length > maxPayloadBytes) {
      payloads.push(writer.finish());
      writer = new ByteWriter();
      [count, bytes] = [0, 0];
    }
    writer.bytes32(record);
    count++;
    bytes += 4 + record.length;
  }
  return count === 0 ? payloads : [...payloads, writer.finish()];
}

/** The records of a payload; `undefined` if one of them is malformed: then nothing of the frame counts. */
export function unpackRecords(payload: Uint8Array): FrameRecord[] | undefined {
  if (payload.length > maxPayloadBytes) return undefined;
  const reader = new ByteReader(payload);
  const records: FrameRecord[] = [];
  while (!reader.done) {
    const length = reader.u32();
    const end = reader.offset + length;
    const record = readRecord(reader);
    if (records.length === maxRecords || !reader.ok || reader.offset !== end) return undefined;
    records.push(record);
  }
  return records;
}
