import { digestBytes, toHex } from '../../byzantine/bytes.ts';
import type { Digest } from '../../byzantine/digest.ts';
import { digest } from '../../byzantine/digest.ts';
import { decodeSignedProposal, encodeSignedProposal } from '../../byzantine/encoding.ts';
import { type Certificate, decodeCertificate } from '../../byzantine/certificate.ts';
import type { Hashes } from '../../byzantine/crypto.ts';
import { decodeEvidence, encodeEvidence } from '../../byzantine/evidence-encoding.ts';
import type { Evidence } from '../../byzantine/evidence.ts';
import type { ProposalId, SignedProposal } from '../../byzantine/proposal.ts';
import type { Memory } from '../../byzantine/ready.ts';
import { decodeRecord, encodeRecord, packRecords, unpackRecords } from '../../byzantine/records.ts';
import type { Statement } from '../../byzantine/statement.ts';
import { concatBytes, emptyBytes } from '../../core/bytes.ts';
import type { VoteChange, VoteRecord } from '../../storage/vote-store.ts';

/**
 * What a node keeps of its votes, under keys of a letter and digests:
 *
 *   `b`                 boot: how often the node started, its newest key's generation, whether it may vote, and which proposals are too old
 *   `p` proposal        a proposal that is open here
 *   `m` proposal        what this node has said of it: statement, ballot, expiry
 *   `w` proposal value  a witness for what it has said
 *   `d` proposal digest a payload
 *   `c` proposal        a certificate; the four above are deleted with it
 *   `e` number          evidence, counted from 0 in four bytes, big endian
 */
const letters = { boot: 'b', proposal: 'p', memory: 'm', witness: 'w', payload: 'd', certificate: 'c', evidence: 'e' } as const;
type Kind = keyof typeof letters;

const encoder = new TextEncoder();

const key = (kind: Kind, ...digests: readonly Digest[]): Uint8Array =>
  concatBytes([encoder.encode(letters[kind]), ...digests.map(digestBytes)]);

/** This node's own beginnings. */
export interface BootRecord {
  /** Above that of every start before. */
  readonly boot: number;
  /** Of its newest X25519 key. */
  readonly generation: number;
  /** False once it has lost what it had said: it must not vote in this epoch again. */
  readonly mayVote: boolean;
  /** For each member, the highest `proposerSeq` of its proposals that this node has forgotten: an unknown one at or below is not voted on again. */
  readonly forgotten: readonly number[];
}

export const bootChange = (boot: BootRecord): VoteChange => ({ key: key('boot'), value: encoder.encode(JSON.stringify(boot)) });

export const proposalChange = (signed: SignedProposal): VoteChange => ({
  key: key('proposal', signed.id),
  value: encodeSignedProposal(signed),
});

export const payloadChange = (id: ProposalId, of: Digest, value: Uint8Array): VoteChange => ({ key: key('payload', id, of), value });

export const certificateChange = (id: ProposalId, value: Uint8Array): VoteChange => ({ key: key('certificate', id), value });

export const forgetCertificate = (id: ProposalId): VoteChange => ({ key: key('certificate', id), value: undefined });

export function evidenceChange(number: number, evidence: Evidence): VoteChange {
  const place = new Uint8Array(4);
  new DataView(place.buffer).setUint32(0, number);
  return { key: concatBytes([key('evidence'), place]), value: encodeEvidence(evidence) };
}

/** The changes that keep a memory; `saved` are the values of the witnesses that are on disk, which is brought up to date. */
export function memoryChanges(id: ProposalId, { statement, ballot, expiry, witnesses }: Memory, saved: Set<Digest>): VoteChange[] {
  const records = [
    encodeStatement(id, statement),
    ...(ballot === undefined ? [] : [encodeRecord({ type: 'ballot', ballot })]),
    ...(expiry === undefined ? [] : [encodeRecord({ type: 'expiry', expiry })]),
  ];
  const changes: VoteChange[] = [{ key: key('memory', id), value: packRecords(records)[0] ?? emptyBytes }];
  const kept = new Set(witnesses.map(({ value }) => value));
  for (const witness of witnesses) {
    if (saved.has(witness.value)) continue;
    saved.add(witness.value);
    changes.push({ key: key('witness', id, witness.value), value: encodeRecord({ type: 'witness', witness }) });
  }
  for (const value of saved) {
    if (kept.has(value)) continue;
    saved.delete(value);
    changes.push({ key: key('witness', id, value), value: undefined });
  }
  return changes;
}

/** Forgets an instance, for its certificate takes its place. */
export const forgetInstance = (id: ProposalId, witnesses: Iterable<Digest>, payloads: Iterable<Digest>): VoteChange[] =>
  [
    key('proposal', id),
    key('memory', id),
    ...[...witnesses].map((v) => key('witness', id, v)),
    ...[...payloads].map((d) => key('payload', id, d)),
  ].map((each) => ({ key: each, value: undefined }));

/** An instance as it is on disk. */
export interface StoredInstance {
  readonly proposal: SignedProposal;
  readonly memory: Memory | undefined;
  readonly payloads: ReadonlyMap<Digest, Uint8Array>;
}

export interface StoredVotes {
  readonly boot: BootRecord | undefined;
  readonly instances: readonly StoredInstance[];
  readonly certificates: readonly { readonly certificate: Certificate; readonly bytes: Uint8Array }[];
  /** Oldest first. */
  readonly evidence: readonly Evidence[];
}

/** @throws Error when a record is not one that this program writes. */
export function readVotes(hashes: Hashes, records: readonly VoteRecord[]): StoredVotes {
  const bytes = new Map(records.map((record) => [toHex(record.key), record.value]));
  const of = (kind: Kind, prefix = ''): [name: string, value: Uint8Array][] => {
    const start = toHex(encoder.encode(letters[kind])) + prefix;
    return [...bytes].flatMap(([name, value]): [string, Uint8Array][] =>
      name.startsWith(start) ? [[name.slice(start.length), value]] : [],
    );
  };
  const [boot] = of('boot');
  const memories = new Map(of('memory'));
  return {
    boot: boot && readBoot(boot[1]),
    instances: of('proposal').map(([name, value]) => ({
      proposal: found(decodeSignedProposal(hashes, value)),
      memory: readMemory(
        memories.get(name),
        of('witness', name).map(([, record]) => record),
      ),
      payloads: new Map(of('payload', name).map(([text, payload]) => [digest(text), payload])),
    })),
    certificates: of('certificate').map(([, value]) => ({ certificate: found(decodeCertificate(hashes, value)), bytes: value })),
    evidence: of('evidence')
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, value]) => found(decodeEvidence(value))),
  };
}

function readBoot(bytes: Uint8Array): BootRecord {
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  const isBoot = (it: unknown): it is BootRecord =>
    typeof it === 'object' && it !== null && 'boot' in it && 'generation' in it && 'forgotten' in it;
  return found(isBoot(value) ? value : undefined);
}

const encodeStatement = (proposal: ProposalId, statement: Statement): Uint8Array =>
  encodeRecord({ type: 'statement', proposal, statement, seen: undefined, ballots: emptyBytes, expiries: emptyBytes, asks: false });

function readMemory(bytes: Uint8Array | undefined, witnesses: readonly Uint8Array[]): Memory | undefined {
  if (bytes === undefined) return undefined;
  const records = found(unpackRecords(bytes));
  const statement = records.find((record) => record.type === 'statement')?.statement;
  return {
    statement: found(statement),
    ballot: records.find((record) => record.type === 'ballot')?.ballot,
    expiry: records.find((record) => record.type === 'expiry')?.expiry,
    witnesses: witnesses.map((each) => {
      const record = decodeRecord(each);
      return found(record?.type === 'witness' ? record.witness : undefined);
    }),
  };
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a stored record of the votes is not one that this program writes');
  return value;
}
