import { expect } from 'chai';
import * as fc from 'fast-check';
import { toHex } from '../../src/byzantine/bytes.ts';
import {
  configurationDigest,
  decodeConfiguration,
  decodeSignedProposal,
  encodeConfiguration,
  encodeProposal,
  encodeSignedProposal,
  outcomeValue,
  proposalId,
} from '../../src/byzantine/encoding.ts';
import type { Proposal } from '../../src/byzantine/proposal.ts';
import { nobleHashes } from '../../src/crypto/noble.ts';
import { nodeHashes } from '../../src/crypto/node.ts';
import { bytes, proposals } from './arbitraries.ts';
import { Electorate, someDigest } from './electorate.ts';

const electorate = new Electorate(4);
const signature = new Uint8Array(64).fill(3);

describe('byzantine: the bytes of a proposal (protocol design 1.4)', () => {
  it('are these, field after field', () => {
    const proposal: Proposal = {
      cluster: 'c',
      epoch: 2,
      kind: 'k',
      items: [{ subject: 's', payloadDigest: someDigest(0xee) }],
      options: ['no', 'yes'],
      minSupport: 3,
      proposer: 1,
      proposerSeq: 2 ** 32 + 5,
      timeoutMs: 5000,
      notAfterMs: 1,
    };

    expect(toHex(encodeProposal(proposal))).to.equal(
      [
        '01', // format
        '010063', // cluster
        '02000000', // epoch
        '01006b', // kind
        '0100', // items
        '010073', // subject
        'ee'.repeat(32), // payload digest
        '02', // options
        '02006e6f',
        '0300796573',
        '0300', // minSupport
        '0100', // proposer
        '0500000001000000', // proposerSeq
        '88130000', // timeoutMs
        '0100000000000000', // notAfterMs
      ].join(''),
    );
  });

  it('are read back, and name the proposal', () => {
    fc.assert(
      fc.property(proposals, bytes(64), (proposal, signed) => {
        const id = proposalId(nodeHashes, proposal);
        const encoded = encodeSignedProposal({ id, proposal, signature: signed });

        expect(decodeSignedProposal(nobleHashes, encoded)).to.deep.equal({ id, proposal, signature: signed });
      }),
    );
  });

  it('are the only ones: another byte is another proposal or none', () => {
    fc.assert(
      fc.property(proposals, fc.nat(), fc.integer({ min: 1, max: 255 }), (proposal, place, change) => {
        const id = proposalId(nodeHashes, proposal);
        const encoded = encodeSignedProposal({ id, proposal, signature });
        const at = place % (encoded.length - 64);
        encoded[at] = (encoded[at] ?? 0) ^ change;

        const read = decodeSignedProposal(nodeHashes, encoded);

        expect(read?.id).to.not.equal(id);
        if (read !== undefined) expect(encodeSignedProposal(read)).to.deep.equal(encoded);
      }),
    );
  });

  it('keep to their bounds', () => {
    const encoded = (changes: Partial<Proposal>) => encodeSignedProposal(electorate.proposal(changes));
    const item = { subject: 's', payloadDigest: someDigest(1) };
    const beyond: readonly Partial<Proposal>[] = [
      { cluster: '' },
      { cluster: 'c'.repeat(129) },
      { kind: '' },
      { kind: 'k'.repeat(65) },
      { items: [] },
      { items: Array.from({ length: 1025 }, () => item) },
      { items: [{ ...item, subject: 's'.repeat(257) }] },
      { options: ['one'] },
      { options: ['1', '2', '3', '4', '5', '6', '7', '8', '9'] },
      { options: ['one', ''] },
      { options: ['one', 'o'.repeat(65)] },
      { minSupport: 0 },
      { timeoutMs: 99 },
      { timeoutMs: 604_800_001 },
    ];

    expect(decodeSignedProposal(nodeHashes, encoded({ items: Array.from({ length: 1024 }, () => item) }))).to.not.equal(undefined);
    for (const changes of beyond)
      expect(decodeSignedProposal(nodeHashes, encoded(changes)), JSON.stringify(changes).slice(0, 60)).to.equal(undefined);
  });

  it('hold no text that is not UTF-8', () => {
    const encoded = encodeSignedProposal(electorate.proposal({ kind: 'kk' }));
    const at = encoded.findIndex((byte, i) => byte === 0x6b && encoded[i + 1] === 0x6b);
    encoded.set([0xc3, 0x28], at);

    expect(decodeSignedProposal(nodeHashes, encoded)).to.equal(undefined);
  });
});

describe('byzantine: what is hashed', () => {
  const { id } = electorate.proposal();

  it('is the same by both implementations, and differs with every part', () => {
    const approve = Uint8Array.of(0);

    expect(outcomeValue(nodeHashes, id, approve)).to.equal(outcomeValue(nobleHashes, id, approve));
    expect(outcomeValue(nodeHashes, id, approve)).to.not.equal(outcomeValue(nodeHashes, id, Uint8Array.of(1)));
    expect(outcomeValue(nodeHashes, id, approve)).to.not.equal(outcomeValue(nodeHashes, someDigest(1), approve));
  });

  it("binds a configuration's cluster, epoch, members and predecessor", () => {
    const { configuration } = electorate;
    const others = [
      configuration,
      { ...configuration, cluster: 'cluster-b' },
      { ...configuration, epoch: 1 },
      { ...configuration, members: configuration.members.slice(1) },
      { ...configuration, previous: someDigest(1) },
      { ...configuration, kindsVersion: 2 },
    ];

    expect(new Set(others.map((other) => configurationDigest(nodeHashes, other))).size).to.equal(others.length);
    for (const other of others) expect(decodeConfiguration(encodeConfiguration(other))).to.deep.equal(other);
  });
});
