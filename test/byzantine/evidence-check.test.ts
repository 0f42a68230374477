import { expect } from 'chai';
import type { SignedAttestation } from '../../src/byzantine/attestation.ts';
import type { SignedExpiry } from '../../src/byzantine/ballot.ts';
import type { Trust } from '../../src/byzantine/certificate.ts';
import { isProven } from '../../src/byzantine/evidence-check.ts';
import type { Evidence } from '../../src/byzantine/evidence.ts';
import { firstStatement } from '../../src/byzantine/statement.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Electorate } from './electorate.ts';

const electorate = new Electorate(4);
const proposal = electorate.proposal();
const other = electorate.proposal({ proposerSeq: 10 });
const trust: Trust = { hashes: nodeHashes, verify: verifySignature, configuration: electorate.configuration };

const expiry = (voter: number, items: number): SignedExpiry => {
  const word = { proposal: proposal.id, voter, items: Uint8Array.of(items) };
  return { expiry: word, signature: electorate.sign(voter, { type: 'expiry', expiry: word }) };
};
const attestation = (member: number, choice: number, about = proposal): SignedAttestation => ({
  proposal: about.id,
  member,
  outcome: Uint8Array.of(choice),
  signature: electorate.sign(member, { type: 'attestation', attestation: electorate.attestation(about, [choice]) }),
});
const ballots = (first = electorate.ballot(2, proposal, [0]), second = electorate.ballot(2, proposal, [1]), member = 2): Evidence => ({
  kind: 'double_ballot',
  proposal: proposal.id,
  member,
  first,
  second,
});

describe('byzantine: evidence that convinces others', () => {
  it('is two different ballots, expiries or attestations of one member', () => {
    const pair = { proposal: proposal.id, member: 2 };

    expect(isProven(ballots(), trust)).to.equal(true);
    expect(isProven({ kind: 'double_expiry', ...pair, first: expiry(2, 0b01), second: expiry(2, 0b10) }, trust)).to.equal(true);
    expect(isProven({ kind: 'double_attestation', ...pair, first: attestation(2, 0), second: attestation(2, 1) }, trust)).to.equal(true);
  });

  it('is not the same thing twice, two instances, or two members', () => {
    const pair = { proposal: proposal.id, member: 2 };

    expect(isProven(ballots(electorate.ballot(2, proposal, [1])), trust)).to.equal(false);
    expect(isProven(ballots(electorate.ballot(2, other, [0])), trust)).to.equal(false);
    expect(isProven(ballots(electorate.ballot(1, proposal, [0])), trust)).to.equal(false);
    expect(isProven(ballots(undefined, undefined, 1), trust)).to.equal(false);
    expect(isProven({ kind: 'double_expiry', ...pair, first: expiry(2, 1), second: expiry(2, 1) }, trust)).to.equal(false);
    expect(isProven({ kind: 'double_attestation', ...pair, first: attestation(2, 0), second: attestation(2, 1, other) }, trust)).to.equal(
      false,
    );
  });

  it('is not an expiry that names all items of the other', () => {
    const [some, more] = [expiry(2, 0b01), expiry(2, 0b11)];
    const evidence = { kind: 'double_expiry', proposal: proposal.id, member: 2 } as const;

    expect(isProven({ ...evidence, first: some, second: more }, trust)).to.equal(false);
    expect(isProven({ ...evidence, first: more, second: some }, trust)).to.equal(false);
  });

  it('has right signatures', () => {
    const [first, second] = [electorate.ballot(2, proposal, [0]), electorate.ballot(2, proposal, [1])];

    expect(isProven(ballots(first, { ...second, signature: first.signature }), trust)).to.equal(false);
    expect(isProven(ballots(first, second, 9), trust)).to.equal(false);
  });

  it('is never what only its receiver could check', () => {
    const [before, after] = [firstStatement(1), firstStatement(1)];

    expect(isProven({ kind: 'equivocation_mac', proposal: proposal.id, member: 2, before, after, why: 'a vote changed' }, trust)).to.equal(
      false,
    );
  });
});
