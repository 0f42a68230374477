import { type ByteReader, type ByteWriter, decodeStrictly, digestBytes, encode, toHex } from '../../byzantine/bytes.ts';
import type { Digest } from '../../byzantine/digest.ts';
import { digest } from '../../byzantine/digest.ts';
import { decodeSignedProposal, encodeSignedProposal } from '../../byzantine/encoding.ts';
import { type Certificate, decodeCertificate } from '../../byzantine/certificate.ts';
import type { Hashes } from '../../byzantine/crypto.ts';
import { decodeAccusation, encodeAccusation } from '../../byzantine/evidence-encoding.ts';
import type { Accusation } from '../../byzantine/evidence.ts';
import type { Proposal, ProposalId, SignedProposal } from '../../byzantine/proposal.ts';
import type { Memory } from '../../byzantine/ready.ts';
import { decodeRecord, encodeRecord } from '../../byzantine/records.ts';
import type { Statement } from '../../byzantine/statement.ts';
import type { LogIndex } from '../../core/ids.ts';
import { concatBytes, emptyBytes } from '../../core/bytes.ts';
import type { VoteChange, VoteRecord, VoteStore } from '../../storage/vote-store.ts';
import { Journal } from './journal.ts';
import { Renewals } from './renewals.ts';

/**
 * What a node keeps of its votes, under keys of a letter and digests:
 *
 *   `b`                 boot: how often the node started, its newest key's generation, whether it may vote, and which proposals are too old
 *   `p` proposal        a proposal that is open here
 *   `m` proposal        what this node has said of it: its newest statement
 *   `v` proposal        its ballot
 *   `x` proposal        its expiry
 *   `w` proposal value  a witness for what it has said
 *   `d` proposal digest a payload
 *   `c` proposal        a certificate; the six above are deleted with it
 *   `e` number          evidence, counted from 0 in four bytes, big endian
 *   `r` proposal        a vote whose epoch ended before it was decided: u32 epoch, 0 or (1, digest of the proposal in which it goes on)
 *   `k` digest of a key a request under an idempotency key: u64 milliseconds since 1970, digest of the request, digest of the proposal
 *
 * Those that end with the vote, but for payloads, are in the pages of a `Journal`.
 */
const letters = {
  boot: 'b',
  proposal: 'p',
  memory: 'm',
  ballot: 'v',
  expiry: 'x',
  witness: 'w',
  payload: 'd',
  certificate: 'c',
  evidence: 'e',
  renewal: 'r',
  repeat: 'k',
} as const;
type Kind = keyof typeof letters;

const encoder = new TextEncoder();

const key = (kind: Kind, ...digests: readonly Digest[]): Uint8Array =>
  concatBytes([encoder.encode(letters[kind]), ...digests.map(digestBytes)]);

const shortLived = new Set(
  [letters.proposal, letters.memory, letters.ballot, letters.expiry, letters.witness].map((letter) => letter.charCodeAt(0)),
);

/** The record is written anew many times, and deleted soon. */
const isShortLived = ([letter = 0]: Uint8Array): boolean => shortLived.has(letter);

/** This node's own beginnings. */
export interface BootRecord {
  /** Above that of every start before. */
  readonly boot: number;
  /** Of its newest X25519 key. */
  readonly generation: number;
  /** The epoch that the rest is about. */
  readonly epoch: number;
  /** False once it has lost what it had said: it must not vote in this epoch again. */
  readonly mayVote: boolean;
  /** Up to this index of the log it can't tell in which epochs it had voted before it lost its disk; undefined: it never lost it. */
  readonly lostUntil?: LogIndex | undefined;
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

/** Evidence with the number that it is kept under. */
export interface KeptAccusation extends Accusation {
  readonly number: number;
}

export const evidenceChange = (kept: KeptAccusation): VoteChange => ({ key: evidenceKey(kept.number), value: encodeAccusation(kept) });

export const forgetEvidence = ({ number }: KeptAccusation): VoteChange => ({ key: evidenceKey(number), value: undefined });

function evidenceKey(number: number): Uint8Array {
  const place = new Uint8Array(4);
  new DataView(place.buffer).setUint32(0, number);
  return concatBytes([key('evidence'), place]);
}

/** A vote whose epoch ended before it was decided. */
export interface Renewal {
  readonly id: ProposalId;
  readonly epoch: number;
  /** The vote of a later epoch in which it goes on, if it does. */
  readonly next: ProposalId | undefined;
}

export const renewalChange = (renewal: Renewal): VoteChange => ({ key: key('renewal', renewal.id), value: encode(renewal, writeRenewal) });

export const forgetRenewal = (id: ProposalId): VoteChange => ({ key: key('renewal', id), value: undefined });

function writeRenewal(writer: ByteWriter, { epoch, next }: Omit<Renewal, 'id'>): void {
  writer.u32(epoch).flag(next !== undefined);
  if (next !== undefined) writer.digest(next);
}

const readRenewal = (reader: ByteReader): Omit<Renewal, 'id'> => ({
  epoch: reader.u32(),
  next: reader.flag() ? reader.digest() : undefined,
});

/** A vote that a client opened here under a key of its own. */
export interface Repeat {
  /** SHA-256 of the client's key. */
  readonly key: Digest;
  /** When it was first used, in milliseconds since 1970. */
  readonly firstMs: number;
  readonly request: Digest;
  readonly id: ProposalId;
}

export const repeatChange = (repeat: Repeat): VoteChange => ({ key: key('repeat', repeat.key), value: encode(repeat, writeRepeat) });

export const forgetRepeat = (repeat: Repeat): VoteChange => ({ key: key('repeat', repeat.key), value: undefined });

const writeRepeat = (writer: ByteWriter, { firstMs, request, id }: Omit<Repeat, 'key'>): void =>
  void writer.u64(firstMs).digest(request).digest(id);

const readRepeat = (reader: ByteReader): Omit<Repeat, 'key'> => ({ firstMs: reader.u64(), request: reader.digest(), id: reader.digest() });

/** What of a memory never changes once it is on disk. */
export interface Saved {
  ballot: boolean;
  expiry: boolean;
  readonly witnesses: Set<Digest>;
}

export const savedOf = (memory: Memory | undefined): Saved => ({
  ballot: memory?.ballot !== undefined,
  expiry: memory?.expiry !== undefined,
  witnesses: new Set(memory?.witnesses.map(({ value }) => value)),
});

/** The changes that keep a memory; `saved` is brought up to date. */
export function memoryChanges(id: ProposalId, { statement, ballot, expiry, witnesses }: Memory, saved: Saved): VoteChange[] {
  const changes: VoteChange[] = [{ key: key('memory', id), value: encodeStatement(id, statement) }];
  if (ballot !== undefined && !saved.ballot) changes.push({ key: key('ballot', id), value: encodeRecord({ type: 'ballot', ballot }) });
  if (expiry !== undefined && !saved.expiry) changes.push({ key: key('expiry', id), value: encodeRecord({ type: 'expiry', expiry }) });
  saved.ballot = ballot !== undefined;
  saved.expiry = expiry !== undefined;
  for (const witness of witnesses) {
    if (saved.witnesses.has(witness.value)) continue;
    saved.witnesses.add(witness.value);
    changes.push({ key: key('witness', id, witness.value), value: encodeRecord({ type: 'witness', witness }) });
  }
  for (const value of saved.witnesses) {
    if (witnesses.some((witness) => witness.value === value)) continue;
    saved.witnesses.delete(value);
    changes.push({ key: key('witness', id, value), value: undefined });
  }
  return changes;
}

/** Forgets an instance, for its certificate takes its place. */
export const forgetInstance = (id: ProposalId, { witnesses }: Saved, payloads: Iterable<Digest>): VoteChange[] =>
  [
    key('proposal', id),
    key('memory', id),
    key('ballot', id),
    key('expiry', id),
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
  readonly evidence: readonly KeptAccusation[];
  /** Oldest first. */
  readonly repeats: readonly Repeat[];
}

/** What a node holds when it begins to vote in an epoch, with what is still to be made durable and what waits for that. */
export interface HeldVotes extends StoredVotes {
  readonly renewals: Renewals;
  /** Votes of earlier epochs that were still open when these ended. */
  readonly ended: readonly Pick<StoredInstance, 'proposal' | 'payloads'>[];
  /** What this node has to propose again. */
  readonly again: readonly RenewedVote[];
  readonly changes: readonly VoteChange[];
  readonly afterSave: readonly (() => void)[];
}

/** An own proposal for this epoch of what an earlier one left undecided. */
export interface RenewedVote {
  readonly proposal: Proposal;
  readonly payloads: ReadonlyMap<Digest, Uint8Array>;
}

/** What goes on in an epoch: of another one open votes are void until they are renewed. */
export function forEpoch(held: HeldVotes, epoch: number): HeldVotes {
  if (held.boot === undefined || held.boot.epoch === epoch) return held;
  const forgotten = held.instances.flatMap(({ proposal: { id }, memory, payloads }) =>
    forgetInstance(id, savedOf(memory), payloads.keys()),
  );
  return { ...held, instances: [], ended: [...held.ended, ...held.instances], changes: [...held.changes, ...forgotten] };
}

/** The store with the journal in front of it, and what it holds of votes. @throws Error when a record is not one that this program writes. */
export function openVoteStore(
  hashes: Hashes,
  store: VoteStore,
  records: readonly VoteRecord[],
): { readonly store: VoteStore; readonly held: HeldVotes } {
  const journal = new Journal(records, isShortLived);
  const { renewals, ...votes } = readVotes(hashes, [...records, ...journal.records()]);
  return {
    store: { saveVotes: (changes, done) => store.saveVotes(journal.pack(changes), done) },
    held: { ...votes, renewals: new Renewals(renewals), ended: [], again: [], changes: [], afterSave: [] },
  };
}

function readVotes(hashes: Hashes, records: readonly VoteRecord[]): StoredVotes & { readonly renewals: readonly Renewal[] } {
  const bytes = new Map(records.map((record) => [toHex(record.key), record.value]));
  const of = (kind: Kind, prefix = ''): [name: string, value: Uint8Array][] => {
    const start = toHex(encoder.encode(letters[kind])) + prefix;
    return [...bytes].flatMap(([name, value]): [string, Uint8Array][] =>
      name.startsWith(start) ? [[name.slice(start.length), value]] : [],
    );
  };
  const [boot] = of('boot');
  const [memories, ballots, expiries] = [new Map(of('memory')), new Map(of('ballot')), new Map(of('expiry'))];
  return {
    boot: boot && readBoot(boot[1]),
    instances: of('proposal').map(([name, value]) => ({
      proposal: found(decodeSignedProposal(hashes, value)),
      memory: readMemory(
        [memories.get(name), ballots.get(name), expiries.get(name)],
        of('witness', name).map(([, record]) => record),
      ),
      payloads: new Map(of('payload', name).map(([text, payload]) => [digest(text), payload])),
    })),
    certificates: of('certificate').map(([, value]) => ({ certificate: found(decodeCertificate(hashes, value)), bytes: value })),
    evidence: of('evidence')
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ ...found(decodeAccusation(value)), number: Number.parseInt(name, 16) })),
    repeats: of('repeat')
      .map(([name, value]) => ({ key: digest(name), ...found(decodeStrictly(value, readRepeat, writeRepeat)) }))
      .toSorted((a, b) => a.firstMs - b.firstMs),
    renewals: of('renewal').map(([name, value]) => ({ id: digest(name), ...found(decodeStrictly(value, readRenewal, writeRenewal)) })),
  };
}

function readBoot(bytes: Uint8Array): BootRecord {
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  const isBoot = (it: unknown): it is BootRecord =>
    typeof it === 'object' && it !== null && 'boot' in it && 'generation' in it && 'epoch' in it && 'forgotten' in it;
  return found(isBoot(value) ? value : undefined);
}

const encodeStatement = (proposal: ProposalId, statement: Statement): Uint8Array =>
  encodeRecord({ type: 'statement', proposal, statement, seen: undefined, ballots: emptyBytes, expiries: emptyBytes, asks: false });

function readMemory(said: readonly (Uint8Array | undefined)[], witnesses: readonly Uint8Array[]): Memory | undefined {
  const records = said.flatMap((bytes) => (bytes === undefined ? [] : [found(decodeRecord(bytes))]));
  if (records.length === 0) return undefined;
  return {
    statement: found(records.find((record) => record.type === 'statement')?.statement),
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
