import { expect } from 'chai';
import * as fc from 'fast-check';
import { type Certificate, checkCertificate, decodeCertificate, encodeCertificate } from '../../src/byzantine/certificate.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Electorate, someDigest } from './electorate.ts';

const flawsOf = (certificate: Certificate, { configuration }: Electorate, allowNoFaultTolerance = false) =>
  checkCertificate(certificate, { hashes: nodeHashes, verify: verifySignature, configuration, allowNoFaultTolerance });

const codesOf = (certificate: Certificate, electorate: Electorate) => flawsOf(certificate, electorate).map(({ code }) => code);

/** Whoever gets these bytes takes them for a proof. */
const convinces = (bytes: Uint8Array, electorate: Electorate): boolean => {
  const certificate = decodeCertificate(nodeHashes, bytes);
  return certificate !== undefined && flawsOf(certificate, electorate).length === 0;
};

describe('byzantine: certificates (protocol design 1.6)', () => {
  for (const [n, quorum] of [
    [4, 3],
    [5, 4],
    [6, 4],
    [7, 5],
    [10, 7],
  ] as const) {
    it(`holds with ${quorum} of ${n} signatures, and with all`, () => {
      const electorate = new Electorate(n);

      expect(electorate.quorum).to.equal(quorum);
      expect(flawsOf(electorate.certificate(), electorate)).to.deep.equal([]);
      expect(flawsOf(electorate.certificate({ signers: n, withBallots: true }), electorate)).to.deep.equal([]);
    });

    it(`is one short with ${quorum - 1} of ${n} signatures`, () => {
      const electorate = new Electorate(n);

      const flaws = flawsOf(electorate.certificate({ signers: quorum - 1 }), electorate);

      expect(flaws).to.deep.equal([{ code: 'quorum_short', signatures: quorum - 1, quorum }]);
    });
  }

  it('is read back as it was written', () => {
    const electorate = new Electorate(10);
    const certificate = electorate.certificate({ signers: 9, withBallots: true });

    expect(decodeCertificate(nodeHashes, encodeCertificate(certificate))).to.deep.equal(certificate);
  });

  for (const withBallots of [false, true]) {
    it(`convinces nobody when any one bit of it is flipped, ${withBallots ? 'with' : 'without'} ballots`, () => {
      const electorate = new Electorate(4);
      const bytes = encodeCertificate(electorate.certificate({ withBallots }));
      expect(convinces(bytes, electorate)).to.equal(true);

      const unnoticed = Array.from({ length: bytes.length * 8 }, (_, bit) => bit).filter((bit) => {
        const flipped = Uint8Array.from(bytes, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
        return convinces(flipped, electorate);
      });

      expect(unnoticed).to.deep.equal([]);
    });
  }

  it('convinces nobody when it is cut short or has more behind it', () => {
    const electorate = new Electorate(4);
    const bytes = encodeCertificate(electorate.certificate());

    for (let length = 0; length < bytes.length; length++) expect(convinces(bytes.subarray(0, length), electorate)).to.equal(false);
    expect(convinces(Uint8Array.of(...bytes, 0), electorate)).to.equal(false);
  });

  it('can be read from any bytes without an error', () => {
    const electorate = new Electorate(4);
    const whole = encodeCertificate(electorate.certificate({ withBallots: true }));

    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.nat(whole.length), (noise, at) => {
        expect(convinces(noise, electorate)).to.equal(false);
        const mixed = Uint8Array.of(...whole.subarray(0, at), ...noise);
        const certificate = decodeCertificate(nodeHashes, mixed);
        if (certificate !== undefined) expect(encodeCertificate(certificate)).to.deep.equal(mixed);
      }),
    );
  });

  it('names the member whose signature is about another proposal', () => {
    const electorate = new Electorate(7);
    const certificate = electorate.certificate();
    const other = electorate.certificate({ proposal: electorate.proposal({ proposerSeq: 10 }) });

    const mixed = { ...certificate, attesters: certificate.attesters.map((one, i) => (i === 2 ? (other.attesters[2] ?? one) : one)) };

    expect(flawsOf(mixed, electorate)).to.deep.equal([
      { code: 'bad_signature', member: 2 },
      { code: 'quorum_short', signatures: 4, quorum: 5 },
    ]);
  });

  it('does not hold with one wrong signature beside a quorum of right ones', () => {
    const electorate = new Electorate(7);
    const certificate = electorate.certificate({ signers: 6 });
    const other = electorate.certificate({ signers: 6, outcome: [1] });

    const mixed = { ...certificate, attesters: [...certificate.attesters.slice(0, 5), ...other.attesters.slice(5)] };

    expect(flawsOf(mixed, electorate)).to.deep.equal([{ code: 'bad_signature', member: 5 }]);
  });

  it('counts a member once, and nobody who is none', () => {
    const electorate = new Electorate(4);
    const certificate = electorate.certificate({ signers: 2 });
    const [first] = certificate.attesters;
    const twice = {
      ...certificate,
      attesters: [...certificate.attesters, ...(first === undefined ? [] : [first, { ...first, member: 9 }])],
    };

    expect(flawsOf(twice, electorate)).to.deep.equal([
      { code: 'bad_signature', member: 0 },
      { code: 'bad_signature', member: 9 },
      { code: 'quorum_short', signatures: 2, quorum: 3 },
    ]);
  });

  it("takes no member's signature for another's", () => {
    const electorate = new Electorate(4);
    const certificate = electorate.certificate();

    const moved = { ...certificate, attesters: certificate.attesters.map((one) => ({ ...one, member: one.member + 1 })) };

    expect(codesOf(moved, electorate)).to.deep.equal(['bad_signature', 'bad_signature', 'bad_signature', 'quorum_short']);
  });

  it('holds for its own cluster, epoch and members only', () => {
    const electorate = new Electorate(4);
    const certificate = electorate.certificate();

    expect(flawsOf(certificate, new Electorate(4, { cluster: 'cluster-b' }))).to.deep.equal([
      { code: 'wrong_cluster', expected: 'cluster-b', found: 'cluster-a' },
    ]);
    expect(flawsOf(certificate, new Electorate(4, { epoch: 3 }))).to.deep.equal([{ code: 'wrong_epoch', expected: 3, found: 0 }]);
    expect(flawsOf(certificate, new Electorate(5))).to.deep.equal([{ code: 'wrong_configuration' }]);
    const otherKinds = { ...electorate.configuration, kindsVersion: 2 };
    expect(checkCertificate(certificate, { hashes: nodeHashes, verify: verifySignature, configuration: otherKinds })).to.deep.equal([
      { code: 'wrong_configuration' },
    ]);
  });

  it('encloses the very proposal that was attested', () => {
    const electorate = new Electorate(4);
    const certificate = electorate.certificate();
    const other = electorate.proposal({ items: [{ subject: 'deploy:other', payloadDigest: someDigest(7) }] });

    expect(flawsOf({ ...certificate, proposal: other }, electorate)).to.deep.equal([
      { code: 'wrong_proposal', attested: certificate.proposal.id, enclosed: other.id },
    ]);
  });

  it('needs a proposal that is valid and signed by its proposer', () => {
    const electorate = new Electorate(4);
    const flawOf = (proposal = electorate.proposal()) => flawsOf(electorate.certificate({ proposal }), electorate);
    const stranger = { ...electorate.proposal(), signature: electorate.proposal({ proposer: 2 }).signature };

    expect(flawOf(stranger)).to.deep.equal([{ code: 'bad_proposal_signature', proposer: 1 }]);
    expect(flawOf(electorate.proposal({ minSupport: 2 }))).to.deep.equal([{ code: 'invalid_proposal', field: 'minSupport' }]);
    expect(flawOf(electorate.proposal({ minSupport: 5 }))).to.deep.equal([{ code: 'invalid_proposal', field: 'minSupport' }]);
    expect(flawOf(electorate.proposal({ options: ['approve', 'approve'] }))).to.deep.equal([
      { code: 'invalid_proposal', field: 'options' },
    ]);
  });

  it('has one outcome of the proposal for each item', () => {
    const electorate = new Electorate(4);

    for (const outcome of [[0], [1], [254], [255]]) expect(flawsOf(electorate.certificate({ outcome }), electorate)).to.deep.equal([]);
    for (const outcome of [[2], [253], []])
      expect(codesOf(electorate.certificate({ outcome }), electorate)).to.deep.equal(['invalid_outcome']);
    expect(flawsOf(electorate.certificate({ outcome: [0, 0] }), electorate)).to.deep.equal([{ code: 'invalid_outcome', item: 1 }]);
  });

  it('shows ballots only if they are right and bear the outcome out', () => {
    const electorate = new Electorate(4);
    const certificate = electorate.certificate({ withBallots: true });
    const withBallots = (...ballots: Certificate['ballots']) => flawsOf({ ...certificate, ballots }, electorate);
    const [a, b, c] = certificate.ballots;
    if (a === undefined || b === undefined || c === undefined) throw new Error('there are three ballots');
    const unsupported = { code: 'unsupported', item: 0, ballots: 2, minSupport: 3 };

    expect(withBallots(a, b)).to.deep.equal([unsupported]);
    expect(withBallots(a, b, electorate.ballot(3, certificate.proposal, [1]))).to.deep.equal([unsupported]);
    expect(withBallots(a, b, b)).to.deep.equal([{ code: 'bad_ballot', member: 1, detail: 'the voter is there twice or out of order' }]);
    expect(withBallots(a, b, { ...c, signature: a.signature })).to.deep.equal([
      { code: 'bad_ballot', member: 2, detail: 'the signature is not right' },
    ]);
    expect(withBallots(a, b, electorate.ballot(2, electorate.proposal({ proposerSeq: 2 }), [0]))).to.deep.equal([
      { code: 'bad_ballot', member: 2, detail: 'it is about another proposal' },
    ]);
  });

  it('is refused from fewer than 4 members unless one asks for it', () => {
    const electorate = new Electorate(3);
    const certificate = electorate.certificate();

    expect(flawsOf(certificate, electorate)).to.deep.equal([{ code: 'no_fault_tolerance', members: 3 }]);
    expect(flawsOf(certificate, electorate, true)).to.deep.equal([]);
  });
});
