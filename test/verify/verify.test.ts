import { expect } from 'chai';
import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeConfiguration } from '../../src/byzantine/encoding.ts';
import { nextConfiguration, successionAction } from '../../src/byzantine/epoch-chain.ts';
import { publicKeyOf } from '../../src/byzantine/peer-id.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { certificateVerifier, type Expectation, type Objection, verifyCertificate } from '../../src/verify/index.ts';
import { certificateDocument } from '../../src/verify/document.ts';
import { Electorate, fixedSeeds, someDigest } from '../byzantine/electorate.ts';

const electorate = new Electorate(4);
const subject = 'deploy:web@sha256:1234';
const fileOf = (certificate = electorate.certificate({ withBallots: true }), configuration = electorate.configuration): string =>
  JSON.stringify(certificateDocument(certificate, configuration), undefined, 2);

const objections = (file: string, expected?: Expectation, genesis = electorate.genesis): readonly Objection[] => {
  const verdict = verifyCertificate(file, genesis, expected);
  return verdict.valid ? [] : verdict.objections;
};
const codes = (...args: Parameters<typeof objections>): string[] => objections(...args).map(({ code }) => code);

describe('verify: a certificate file by the genesis alone', () => {
  for (const n of [4, 5, 6, 7, 10]) {
    it(`is valid with a quorum of ${n} members, and one short with one less`, () => {
      const members = new Electorate(n);
      const full = fileOf(members.certificate(), members.configuration);
      const short = fileOf(members.certificate({ signers: members.quorum - 1 }), members.configuration);

      expect(objections(full, {}, members.genesis)).to.deep.equal([]);
      expect(objections(short, {}, members.genesis)).to.deep.equal([
        { code: 'quorum_short', detail: `${members.quorum - 1} right signatures, 1 short of the quorum of ${members.quorum}` },
      ]);
    });
  }

  it('says what was decided, by whom, and who chose what', () => {
    const verdict = verifyCertificate(fileOf(), electorate.genesis);
    const [a, b, c] = electorate.configuration.members.map(({ nodeId }) => nodeId);

    expect(verdict).to.deep.include({ valid: true });
    expect(verdict.valid && verdict.document).to.deep.include({
      cluster: 'cluster-a',
      epoch: 0,
      kind: 'deployment-approve',
      items: [{ subject, payloadDigest: someDigest(7), result: 'decided', option: 'approve' }],
      n: 4,
      f: 1,
      quorum: 3,
      proposer: b,
      signers: [a, b, c],
      ballots: [a, b, c].map((node) => ({ node, choices: ['approve'] })),
    });
  });

  it('names the member whose signature is wrong', () => {
    const certificate = electorate.certificate({ signers: 4 });
    const [first, ...others] = certificate.attesters;
    const other = electorate.certificate({ outcome: [1] }).attesters[0] ?? first;
    const file = fileOf({ ...certificate, attesters: other === undefined ? [] : [other, ...others] });

    expect(objections(file)).to.deep.equal([
      { code: 'bad_signature', detail: `the signature of ${electorate.configuration.members[0]?.nodeId} is not right` },
    ]);
  });

  it('is not valid for another cluster, other members or a later epoch', () => {
    const later = new Electorate(4, { epoch: 1 });

    expect(codes(fileOf(), {}, new Electorate(4, { cluster: 'cluster-b' }).genesis)).to.deep.equal(['wrong_cluster']);
    expect(codes(fileOf(), {}, new Electorate(7).genesis)).to.deep.equal(['wrong_configuration']);
    expect(codes(fileOf(later.certificate(), later.configuration))).to.deep.equal(['wrong_epoch']);
  });

  it('says what differs from what the caller expects', () => {
    const refusal = fileOf(electorate.certificate({ outcome: [1] }));
    const payloadDigest = someDigest(7);
    const notAfterMs = electorate.proposal().proposal.notAfterMs;

    expect(codes(fileOf(), { kind: 'deployment-approve', subject, payloadDigest, option: 'approve', nowMs: notAfterMs })).to.deep.equal([]);
    expect(codes(refusal)).to.deep.equal([]);
    expect(codes(refusal, { option: 'approve' })).to.deep.equal(['other_outcome']);
    expect(codes(fileOf(electorate.certificate({ outcome: [255] })), { option: 'approve' })).to.deep.equal(['other_outcome']);
    expect(codes(fileOf(), { subject: 'deploy:other' })).to.deep.equal(['other_subject']);
    expect(codes(fileOf(), { kind: 'evict' })).to.deep.equal(['other_kind']);
    expect(codes(fileOf(), { payloadDigest: someDigest(8) })).to.deep.equal(['other_payload']);
    expect(codes(fileOf(), { nowMs: notAfterMs + 2001 })).to.deep.equal(['too_late']);
  });

  it('lets no refused item of a bundle hide behind an approved one', () => {
    const items = ['a', 'b', 'b'].map((one) => ({ subject: one, payloadDigest: someDigest(7) }));
    const bundle = fileOf(electorate.certificate({ proposal: electorate.proposal({ items }), outcome: [0, 0, 1] }));

    expect(codes(bundle, { subject: 'a', option: 'approve' })).to.deep.equal([]);
    expect(codes(bundle, { subject: 'b', option: 'approve' })).to.deep.equal(['other_outcome']);
    expect(codes(bundle, { option: 'approve' })).to.deep.equal(['other_outcome']);
  });

  it('refuses fields for people that the signed bytes do not bear out', () => {
    const file = JSON.parse(fileOf());

    expect(codes(JSON.stringify({ ...file, items: [{ ...file.items[0], subject: 'deploy:other' }] }))).to.deep.equal(['altered']);
    expect(codes(JSON.stringify({ ...file, note: 'approved by me' }))).to.deep.equal(['altered']);
    expect(codes(JSON.stringify({ ...file, signers: undefined }))).to.deep.equal(['altered']);
    expect(codes(JSON.stringify({ ...file, certificate: `${file.certificate} ` }))).to.deep.equal(['altered']);
  });

  it('refuses a field that is there twice, of which people may read the other', () => {
    const [first, ...rest] = fileOf();

    expect(codes(`${first}"kind":"evict",${rest.join('')}`)).to.deep.equal(['malformed']);
    expect(codes(fileOf().replace('"node":', '"node":"somebody","node":'))).to.deep.equal(['malformed']);
    expect(codes(fileOf(electorate.certificate({ proposal: electorate.proposal({ kind: 'a "kind": \\' }) })))).to.deep.equal([]);
  });

  it('does not mind other white space or another order of fields', () => {
    const file = JSON.parse(fileOf());

    expect(codes(JSON.stringify(Object.fromEntries(Object.entries(file).toReversed())))).to.deep.equal([]);
  });

  it('is not valid when any one bit of the file is flipped', () => {
    const text = fileOf(electorate.certificate());
    const bytes = new Uint8Array(Buffer.from(text));
    // Of the base64 only both ends: the bits in it are those of the certificate's own test.
    const start = text.indexOf('"certificate": "') + 20;
    const end = text.lastIndexOf('"') - 8;
    const bits = Array.from({ length: bytes.length * 8 }, (_, bit) => bit).filter((bit) => bit >> 3 < start || bit >> 3 > end);

    const unnoticed = bits.filter((bit) => {
      const flipped = Uint8Array.from(bytes, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      return verifyCertificate(Buffer.from(flipped).toString('utf8'), electorate.genesis).valid;
    });

    expect(unnoticed).to.deep.equal([]);
  });

  it('calls anything else malformed', () => {
    for (const text of ['', 'null', '[]', '{', '{}', '{"certificate":7}', '{"certificate":"AAAA"}', 'x'.repeat(5 * 1024 * 1024)])
      expect(codes(text)).to.deep.equal(['malformed']);
  });

  it('gives a verdict on any JSON, whatever it holds and however deep', () => {
    const file = JSON.parse(fileOf());
    const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;

    expect(codes(`{"certificate":"${file.certificate}","kind":${deep}}`)).to.deep.equal(['malformed']);
    expect(codes(deep)).to.deep.equal(['malformed']);
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(file)), fc.jsonValue(), (field, value) => {
        const changed = JSON.stringify({ ...file, [field]: value });

        if (JSON.stringify(file[field]) !== JSON.stringify(value)) expect(codes(changed)).to.have.length(1);
      }),
      { numRuns: 300 },
    );
  });

  it('says the same of each when many are checked, though it remembers signatures', () => {
    const verify = certificateVerifier(electorate.genesis);
    const [right, wrong] = [fileOf(), fileOf(electorate.certificate({ signers: 2 }))];

    for (const file of [right, wrong, right, wrong]) expect(verify(file)).to.deep.equal(verifyCertificate(file, electorate.genesis));
    expect(verify(right, { option: 'reject' })).to.deep.equal(verifyCertificate(right, electorate.genesis, { option: 'reject' }));
    expect(() => certificateVerifier('{')).to.throw(RangeError);
  });

  it('throws if the genesis is of no use, and says why', () => {
    const genesis = JSON.parse(electorate.genesis);
    const withMembers = (members: unknown) => JSON.stringify({ ...genesis, members });

    expect(() => objections(fileOf(), {}, '{')).to.throw(RangeError, 'not JSON of version 1');
    expect(() => objections(fileOf(), {}, withMembers(7))).to.throw(RangeError, 'no members');
    expect(() => objections(fileOf(), {}, withMembers([{}]))).to.throw(RangeError, 'has no nodeId');
    expect(() => objections(fileOf(), {}, withMembers([]))).to.throw(RangeError, '0 members');
    expect(() => objections(fileOf(), {}, withMembers([{ nodeId: 'node-1' }]))).to.throw(RangeError, '"node-1" is no Ed25519 peer id');
    expect(() => objections(fileOf(), {}, withMembers([...genesis.members, genesis.members[0]]))).to.throw(RangeError, 'there twice');
  });
});

describe('verify: as a part of other programs', () => {
  it('needs nothing but node:crypto', () => {
    const root = fileURLToPath(new URL('../../..', import.meta.url));
    const files = new Set([resolve(root, 'src/verify/index.ts')]);
    const packages = new Set<string>();

    for (const file of files) {
      for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s+'([^']+)'/g)) {
        if (from.startsWith('.')) files.add(resolve(dirname(file), from));
        else packages.add(from);
      }
    }

    expect([...packages]).to.deep.equal(['node:crypto']);
  });

  it('is found under the name quorate/verify', async () => {
    const name = 'quorate/verify';
    const found: unknown = await import(name);

    expect(Object.keys(Object(found)).toSorted()).to.deep.equal([
      'certificateVerifier',
      'decisionText',
      'verifyCertificate',
      'verifyEvidence',
    ]);
  });
});

describe('verify: certificates of later epochs, by a chain', () => {
  const rules = { hashes: nodeHashes, verify: verifySignature, keyOf: publicKeyOf, guardMembership: true };
  const seeds = fixedSeeds(6);
  const all = new Electorate(6, { seeds }).configuration.members.map(({ nodeId }) => nodeId);
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

  /** The members of the next epoch, the certificate that permits them, and the file of one link. */
  function grown(n: number) {
    const before = new Electorate(n, { seeds: seeds.slice(0, n) });
    const ids = before.configuration.members.map(({ nodeId }) => nodeId);
    const next = nextConfiguration(rules, before.configuration, [...ids, ...all.filter((id) => !ids.includes(id)).slice(0, 1)]);
    if (next === undefined) throw new Error('all have keys');
    const certificate = n < 4 ? null : base64(before.approval(successionAction(before.configuration, next)));
    const after = new Electorate(n + 1, { seeds, configuration: next });
    const link = { configuration: base64(encodeConfiguration(next)), certificate };
    return { before, after, link, chain: JSON.stringify({ format: 'quorate-epochs/1', links: [link] }) };
  }

  it('holds when every change of the members was certified by those before', () => {
    const { before, after, chain } = grown(4);
    const file = fileOf(after.certificate(), after.configuration);

    expect(codes(file, {}, before.genesis)).to.deep.equal(['wrong_epoch']);
    expect(codes(file, { chain }, before.genesis)).to.deep.equal([]);
    expect(codes(fileOf(before.certificate(), before.configuration), { chain }, before.genesis)).to.deep.equal([]);
  });

  it('does not hold with a link that is not certified, is certified for others, or is malformed', () => {
    const { before, after, link } = grown(4);
    const file = fileOf(after.certificate(), after.configuration);
    const other = base64(before.approval({ kind: 'membership', subject: 'epoch:1', payload: '' }));

    for (const chain of [
      '',
      '{}',
      JSON.stringify({ links: [{}] }),
      JSON.stringify({ links: [{ ...link, certificate: null }] }),
      JSON.stringify({ links: [{ ...link, certificate: other }] }),
      JSON.stringify({ links: [link, link] }),
    ])
      expect(codes(file, { chain }, before.genesis), chain.slice(0, 40)).to.deep.equal(['bad_chain']);
  });

  it('believes members whom fewer than four changed among themselves only if asked to', () => {
    const { before, after, chain } = grown(3);
    const file = fileOf(after.certificate(), after.configuration);

    expect(codes(file, { chain }, before.genesis)).to.deep.equal(['bad_chain']);
    expect(codes(file, { chain, allowUncertified: true }, before.genesis)).to.deep.equal([]);
  });
});
