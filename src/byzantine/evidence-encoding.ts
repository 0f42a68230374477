import { type ByteReader, type ByteWriter, decodeStrictly, encode } from './bytes.ts';
import { readSignedBallot, readSignedExpiry, writeSignedBallot, writeSignedExpiry } from './encoding.ts';
import { maxMembers } from './epoch.ts';
import type { Accusation, Evidence } from './evidence.ts';
import { readSignedAttestation, writeSignedAttestation } from './records.ts';
import { regressionOf } from './statement.ts';
import { readStatement, writeStatement } from './statement-encoding.ts';

// The number of a kind never changes its meaning.
const numbers = { double_ballot: 1, double_expiry: 2, double_attestation: 3, equivocation_mac: 4 } as const satisfies Record<
  Evidence['kind'],
  number
>;

function writeEvidence(writer: ByteWriter, evidence: Evidence): void {
  writer.u8(numbers[evidence.kind]).digest(evidence.proposal).u16(evidence.member);
  switch (evidence.kind) {
    case 'double_ballot':
      writeSignedBallot(writer, evidence.first);
      return writeSignedBallot(writer, evidence.second);
    case 'double_expiry':
      writeSignedExpiry(writer, evidence.first);
      return writeSignedExpiry(writer, evidence.second);
    case 'double_attestation':
      writeSignedAttestation(writer, evidence.first);
      return writeSignedAttestation(writer, evidence.second);
    case 'equivocation_mac':
      writeStatement(writer, evidence.before);
      return writeStatement(writer, evidence.after);
  }
}

function readEvidence(reader: ByteReader): Evidence {
  const kind = reader.u8(1, 4);
  const about = { proposal: reader.digest(), member: reader.u16(0, maxMembers - 1) };
  if (kind === numbers.double_ballot)
    return { kind: 'double_ballot', ...about, first: readSignedBallot(reader), second: readSignedBallot(reader) };
  if (kind === numbers.double_expiry)
    return { kind: 'double_expiry', ...about, first: readSignedExpiry(reader), second: readSignedExpiry(reader) };
  if (kind === numbers.double_attestation)
    return { kind: 'double_attestation', ...about, first: readSignedAttestation(reader), second: readSignedAttestation(reader) };
  const [before, after] = [readStatement(reader), readStatement(reader)];
  // The reason is in the statements.
  const why = regressionOf(before, after);
  if (why === undefined) reader.fail();
  return { kind: 'equivocation_mac', ...about, before, after, why: why ?? '' };
}

function writeAccusation(writer: ByteWriter, { epoch, evidence }: Accusation): void {
  writer.u32(epoch);
  writeEvidence(writer, evidence);
}

const readAccusation = (reader: ByteReader): Accusation => ({ epoch: reader.u32(), evidence: readEvidence(reader) });

/** Evidence as it is kept and handed to others. */
export const encodeAccusation = (accusation: Accusation): Uint8Array => encode(accusation, writeAccusation);

/** Reads evidence of anyone: well-formed, not yet known to prove anything (`isProven`). */
export const decodeAccusation = (bytes: Uint8Array): Accusation | undefined => decodeStrictly(bytes, readAccusation, writeAccusation);
