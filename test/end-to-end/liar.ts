import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Signable, signBatch } from '../../src/byzantine/attestation.ts';
import { Authenticator } from '../../src/byzantine/authenticator.ts';
import { genesisConfiguration } from '../../src/byzantine/configuration.ts';
import type { Digest } from '../../src/byzantine/digest.ts';
import { configurationDigest, outcomeValue } from '../../src/byzantine/encoding.ts';
import type { MemberIndex } from '../../src/byzantine/epoch.ts';
import type { ProposalId } from '../../src/byzantine/proposal.ts';
import { encodeRecord, type FrameRecord, packRecords, unpackRecords } from '../../src/byzantine/records.ts';
import type { Statement } from '../../src/byzantine/statement.ts';
import { nodeHashes, signingKey } from '../../src/crypto/node.ts';
import { loadIdentity } from '../../src/transport/identity.ts';

// A daemon that lies in Byzantine votes, and is honest in everything else: `node liar.js start --data-dir DIR …` as the executable takes it. It keeps its keys and
// its disk, and changes what leaves:
//
// - members with an odd number hear another ballot, another attestation and other statements than those with an even one, all authentic and rightly signed;
// - those with an even number hear both ballots, as from a liar that is careless;
// - to the first and the last member every other frame has a wrong tag (one of them may be a liar too), and the second one hears nothing at all.

const dataDir = process.argv[process.argv.indexOf('--data-dir') + 1] ?? '';
const { nodeId, privateKey } = loadIdentity(Buffer.from(readFileSync(join(dataDir, 'key'), 'utf8'), 'base64'));
const { clusterId, members } = JSON.parse(readFileSync(join(dataDir, '..', 'genesis.json'), 'utf8')) as {
  readonly clusterId: string;
  readonly members: readonly { readonly nodeId: string }[];
};
const configuration = genesisConfiguration(
  clusterId,
  members.map((member) => member.nodeId),
);
const self = configuration.members.findIndex((member) => member.nodeId === nodeId);
const { sign } = signingKey(privateKey.raw.slice(0, 32));
const others = configuration.members.map((_, member) => member).filter((member) => member !== self);
const spoiltTo = [others.at(0), others.at(-1)];
const silentTo = others.at(1);

function signatureOf(thing: Signable) {
  const [signature] = signBatch(nodeHashes, sign, [thing]);
  if (signature === undefined) throw new Error('a batch of one has a signature');
  return signature;
}

/** The first option becomes the second, and everything else the first. */
const other = (choices: Uint8Array): Uint8Array => choices.map((choice) => (choice === 0 ? 1 : 0));

/** Votes for the first option become votes for the second, and all others for the first. */
function otherStatement(proposal: ProposalId, statement: Statement): Statement {
  const outcomes = [0, 1].map((choice) => outcomeValue(nodeHashes, proposal, Uint8Array.of(choice)));
  const swap = <T extends Digest | undefined>(value: T): T | Digest =>
    value === outcomes[0] ? (outcomes[1] ?? value) : (outcomes[0] ?? value);
  const cast = (value: Digest | undefined): Digest | undefined => (value === undefined ? undefined : swap(value));
  const [a, b, c, d] = statement.current;
  return { ...statement, current: [cast(a), cast(b), cast(c), cast(d)], decided: cast(statement.decided) };
}

function lie(record: FrameRecord): FrameRecord {
  if (record.type === 'statement') return { ...record, statement: otherStatement(record.proposal, record.statement) };
  if (record.type === 'ballot' && record.ballot.ballot.voter === self) {
    const ballot = { ...record.ballot.ballot, choices: other(record.ballot.ballot.choices) };
    return { type: 'ballot', ballot: { ballot, signature: signatureOf({ type: 'ballot', ballot }) } };
  }
  if (record.type === 'attestation' && record.attestation.member === self) {
    const { proposal } = record.attestation;
    const outcome = other(record.attestation.outcome);
    const { cluster, epoch } = configuration;
    const attestation = { cluster, epoch, configuration: configurationDigest(nodeHashes, configuration), proposal, outcome };
    return {
      type: 'attestation',
      attestation: { proposal, member: self, outcome, signature: signatureOf({ type: 'attestation', attestation }) },
    };
  }
  return record;
}

function told(to: MemberIndex, records: readonly FrameRecord[]): readonly FrameRecord[] {
  if (to % 2 === 1) return records.map(lie);
  return records.flatMap((record) => (record.type === 'ballot' ? [record, lie(record)] : [record]));
}

// oxlint-disable-next-line typescript/unbound-method -- it is called on what it is taken from
const { seal } = Authenticator.prototype;
let frames = 0;
Authenticator.prototype.seal = function liarsSeal(this: Authenticator, to: MemberIndex, payload: Uint8Array): Uint8Array | undefined {
  if (to === silentTo) return undefined;
  const [lies = payload] = packRecords(told(to, unpackRecords(payload) ?? []).map((record) => encodeRecord(record)));
  const frame = seal.call(this, to, lies);
  if (frame !== undefined && spoiltTo.includes(to) && frames++ % 2 === 0) frame[frame.length - 1] = (frame.at(-1) ?? 0) ^ 1;
  return frame;
};

await import('../../daemon/main.ts');
