import * as fc from 'fast-check';
import type { BatchSignature, SignedBallot, SignedExpiry } from '../../src/byzantine/ballot.ts';
import { digestOf } from '../../src/byzantine/bytes.ts';
import type { FrameRecord } from '../../src/byzantine/records.ts';
import type { Proposal } from '../../src/byzantine/proposal.ts';
import type { Statement } from '../../src/byzantine/statement.ts';

// Anything that the encodings can hold; most of it is no sensible vote.

export const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
export const digests = bytes(32).map(digestOf);
const u32 = fc.nat(0xffff_ffff);
const members = fc.nat(127);
const text = (maxLength: number) =>
  fc.string({ unit: 'grapheme', minLength: 1, maxLength }).filter((one) => Buffer.byteLength(one) <= maxLength);
const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });

const batchSignatures: fc.Arbitrary<BatchSignature> = fc
  .array(bytes(32), { maxLength: 6 })
  .chain((path) => fc.record({ signature: bytes(64), index: fc.nat(2 ** path.length - 1), path: fc.constant(path) }));

export const ballots: fc.Arbitrary<SignedBallot> = fc.record({
  ballot: fc.record({ proposal: digests, voter: members, choices: bytes(0, 20) }),
  signature: batchSignatures,
});

export const expiries: fc.Arbitrary<SignedExpiry> = fc.record({
  expiry: fc.record({ proposal: digests, voter: members, items: bytes(0, 20) }),
  signature: batchSignatures,
});

export const proposals: fc.Arbitrary<Proposal> = fc.record({
  cluster: text(128),
  epoch: u32,
  kind: text(64),
  items: fc.array(fc.record({ subject: text(256), payloadDigest: digests }), { minLength: 1, maxLength: 5 }),
  options: fc.array(text(64), { minLength: 2, maxLength: 8 }),
  minSupport: fc.integer({ min: 1, max: 128 }),
  proposer: members,
  proposerSeq: fc.maxSafeNat(),
  timeoutMs: fc.integer({ min: 100, max: 604_800_000 }),
  notAfterMs: fc.maxSafeNat(),
});

/** Few values, so that they repeat. */
const values = fc.nat(14).map((byte) => digestOf(new Uint8Array(32).fill(byte)));
const votes = maybe(fc.record({ view: u32, value: values }));
const singles = maybe(values);

export const statements: fc.Arbitrary<Statement> = fc.record({
  boot: u32,
  revision: u32,
  view: u32,
  viewChange: u32,
  frozen: fc.tuple(votes, votes, votes, votes),
  previous: fc.tuple(votes, votes),
  current: fc.tuple(singles, singles, singles, singles),
  proposed: singles,
  decided: singles,
});

export const records: fc.Arbitrary<FrameRecord> = fc.oneof(
  fc.record({
    type: fc.constant('statement' as const),
    proposal: digests,
    statement: statements,
    seen: maybe(fc.record({ boot: u32, revision: u32 })),
    ballots: bytes(0, 16),
    expiries: bytes(0, 16),
    asks: fc.boolean(),
  }),
  fc.record({ type: fc.constant('ballot' as const), ballot: ballots }),
  fc.record({ type: fc.constant('expiry' as const), expiry: expiries }),
  fc.record({
    type: fc.constant('witness' as const),
    witness: fc.record({
      proposal: digests,
      value: digests,
      outcome: bytes(0, 20),
      ballots: fc.array(ballots, { maxLength: 5 }),
      expiries: fc.array(expiries, { maxLength: 5 }),
    }),
  }),
  fc.record({ type: fc.constant('want' as const), proposal: digests, value: digests }),
  fc.record({
    type: fc.constant('attestation' as const),
    attestation: fc.record({ proposal: digests, member: members, outcome: bytes(0, 20), signature: batchSignatures }),
  }),
  fc.record({ type: fc.constantFrom('proposal' as const, 'certificate' as const, 'blob' as const), bytes: bytes(0, 100) }),
  fc.record({ type: fc.constant('get' as const), digest: digests }),
  fc.record({
    type: fc.constant('policy' as const),
    asks: fc.boolean(),
    kinds: fc.array(fc.string({ minLength: 1, maxLength: 16 }), { maxLength: 5 }),
  }),
);
