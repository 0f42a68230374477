import { expect } from 'chai';
import type { Trust } from '../../src/byzantine/certificate.ts';
import { isProven } from '../../src/byzantine/evidence-check.ts';
import { decodeAccusation, encodeAccusation } from '../../src/byzantine/evidence-encoding.ts';
import type { Evidence } from '../../src/byzantine/evidence.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Electorate } from './electorate.ts';
import { statement, x, y } from './support.ts';

const electorate = new Electorate(4);
const proposal = electorate.proposal();
const trust: Trust = { hashes: nodeHashes, verify: verifySignature, configuration: electorate.configuration };

const expiry = (items: number) => {
  const word = { proposal: proposal.id, voter: 2, items: Uint8Array.of(items) };
  return { expiry: word, signature: electorate.sign(2, { type: 'expiry', expiry: word }) };
};
const attestation = (choice: number) => ({
  proposal: proposal.id,
  member: 2,
  outcome: Uint8Array.of(choice),
  signature: electorate.sign(2, { type: 'attestation', attestation: electorate.attestation(proposal, [choice]) }),
});
const about = { proposal: proposal.id, member: 2 };
const transferable: readonly Evidence[] = [
  { kind: 'double_ballot', ...about, first: electorate.ballot(2, proposal, [0]), second: electorate.ballot(2, proposal, [1]) },
  { kind: 'double_expiry', ...about, first: expiry(0b01), second: expiry(0b10) },
  { kind: 'double_attestation', ...about, first: attestation(0), second: attestation(1) },
];
const local: Evidence = {
  kind: 'equivocation_mac',
  ...about,
  before: statement({ current: [x, undefined, undefined, undefined] }),
  after: statement({ revision: 2, current: [y, undefined, undefined, undefined] }),
  why: 'a vote changed',
};

describe("byzantine: evidence's bytes", () => {
  for (const evidence of [...transferable, local])
    it(`give back ${evidence.kind}, and are refused cut or with more behind`, () => {
      const bytes = encodeAccusation({ epoch: 3, evidence });

      expect(decodeAccusation(bytes)).to.deep.equal({ epoch: 3, evidence });
      for (let length = 0; length < bytes.length; length++) expect(decodeAccusation(bytes.subarray(0, length))).to.equal(undefined);
      expect(decodeAccusation(Uint8Array.of(...bytes, 0))).to.equal(undefined);
    });

  it('still prove what they prove', () => {
    for (const evidence of transferable) {
      const decoded = decodeAccusation(encodeAccusation({ epoch: 0, evidence }));

      expect(decoded !== undefined && isProven(decoded.evidence, trust)).to.equal(true);
    }
  });

  it('are none of two statements that agree, or of an unknown kind', () => {
    const agreeing = encodeAccusation({ epoch: 0, evidence: { ...local, after: local.before } });
    const unknown = Uint8Array.of(...agreeing.subarray(0, 4), 5, ...agreeing.subarray(5));

    expect(decodeAccusation(agreeing)).to.equal(undefined);
    expect(decodeAccusation(unknown)).to.equal(undefined);
  });
});
