import { expect } from 'chai';
import type { SignedAttestation } from '../../src/byzantine/attestation.ts';
import { Attestations } from '../../src/byzantine/attestations.ts';
import { checkCertificate, type Trust } from '../../src/byzantine/certificate.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Electorate } from './electorate.ts';

const electorate = new Electorate(7);
const proposal = electorate.proposal();
const trust: Trust = { hashes: nodeHashes, verify: verifySignature, configuration: electorate.configuration };

const by = (member: number, outcome = [0], about = proposal): SignedAttestation => ({
  proposal: about.id,
  member,
  outcome: Uint8Array.from(outcome),
  signature: electorate.sign(member, { type: 'attestation', attestation: electorate.attestation(about, outcome) }),
});

describe('byzantine: gathering attestations', () => {
  it('makes a certificate of a quorum, in whatever order they come', () => {
    const attestations = new Attestations(proposal, trust);
    const ballots = [4, 3, 2, 1, 0].map((voter) => electorate.ballot(voter, proposal, [0]));
    for (const member of [6, 2, 0, 5]) expect(attestations.add(by(member))).to.equal('new');
    expect(attestations.certificate(() => ballots)).to.equal(undefined);

    expect(attestations.add(by(1))).to.equal('new');

    const certificate = attestations.certificate(() => ballots);
    expect(certificate?.attesters.map(({ member }) => member)).to.deep.equal([0, 1, 2, 5, 6]);
    expect(certificate && checkCertificate(certificate, trust)).to.deep.equal([]);
  });

  it('counts those for one outcome together, and a member once', () => {
    const attestations = new Attestations(proposal, trust);
    for (const member of [0, 1, 2, 3]) attestations.add(by(member));
    for (const member of [4, 5]) attestations.add(by(member, [1]));

    expect(attestations.add(by(3))).to.equal('known');
    expect(attestations.certificate(() => [])).to.equal(undefined);
    attestations.add(by(6));
    expect(attestations.certificate(() => [])?.attestation.outcome).to.deep.equal(Uint8Array.of(0));
  });

  it('holds on to the first word of a member that says two things, and shows both', () => {
    const attestations = new Attestations(proposal, trust);
    const [first, second] = [by(0, [0]), by(0, [1])];
    attestations.add(first);

    expect(attestations.add(second)).to.deep.equal({ kind: 'double_attestation', proposal: proposal.id, member: 0, first, second });
    expect(attestations.add(first)).to.equal('known');
  });

  it('takes nothing that is not signed, of the instance, by a member and about its options', () => {
    const attestations = new Attestations(proposal, trust);
    const refused = [
      { ...by(0), member: 1 },
      { ...by(0), member: 7 },
      { ...by(0), outcome: Uint8Array.of(1) },
      by(0, [0], electorate.proposal({ proposerSeq: 10 })),
      by(0, [2]),
      by(0, [0, 0]),
      by(0, []),
    ];

    for (const signed of refused) expect(attestations.add(signed)).to.equal('refused');
    for (const outcome of [[254], [255]]) expect(new Attestations(proposal, trust).add(by(0, outcome))).to.equal('new');
  });
});
