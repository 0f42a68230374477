import { expect } from 'chai';
import type { VerifySignature } from '../../src/byzantine/crypto.ts';
import { outcomeValue } from '../../src/byzantine/encoding.ts';
import { memberNotary, rememberSignatures } from '../../src/byzantine/member-notary.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Electorate } from './electorate.ts';

const electorate = new Electorate(4);
const proposal = electorate.proposal();

describe('byzantine: the notary of an epoch', () => {
  const notary = memberNotary(nodeHashes, verifySignature, electorate.configuration);

  it("knows a voter's ballot from another's and from a changed one", () => {
    const signed = electorate.ballot(2, proposal, [1]);

    expect(notary.isBallotSigned(signed)).to.equal(true);
    expect(notary.isBallotSigned({ ...signed, ballot: { ...signed.ballot, voter: 1 } })).to.equal(false);
    expect(notary.isBallotSigned({ ...signed, ballot: { ...signed.ballot, voter: 4 } })).to.equal(false);
    expect(notary.isBallotSigned({ ...signed, ballot: { ...signed.ballot, choices: Uint8Array.of(0) } })).to.equal(false);
  });

  it('knows expiries in the same way', () => {
    const expiry = { proposal: proposal.id, voter: 2, items: Uint8Array.of(1) };
    const signature = electorate.sign(2, { type: 'expiry', expiry });

    expect(notary.isExpirySigned({ expiry, signature })).to.equal(true);
    expect(notary.isExpirySigned({ expiry: { ...expiry, items: Uint8Array.of(0) }, signature })).to.equal(false);
    expect(notary.isExpirySigned({ expiry: { ...expiry, voter: 9 }, signature })).to.equal(false);
  });

  it('values an outcome by the hash of proposal and outcome', () => {
    expect(notary.valueOf(proposal.id, Uint8Array.of(1))).to.equal(outcomeValue(nodeHashes, proposal.id, Uint8Array.of(1)));
  });
});

describe('byzantine: remembered signatures', () => {
  const message = Uint8Array.of(7);
  const key = electorate.keyOf(0);

  function counted(): { readonly verify: VerifySignature; checks: number } {
    const counter = {
      checks: 0,
      verify: (...args: Parameters<VerifySignature>): boolean => {
        counter.checks++;
        return verifySignature(...args);
      },
    };
    return counter;
  }

  it('are checked once', () => {
    const counter = counted();
    const verify = rememberSignatures(counter.verify, 10);

    expect([verify(key.publicKey, message, key.sign(message)), verify(key.publicKey, message, key.sign(message))]).to.deep.equal([
      true,
      true,
    ]);
    expect(counter.checks).to.equal(1);
  });

  it('are of one key and message, and wrong ones are not remembered', () => {
    const counter = counted();
    const verify = rememberSignatures(counter.verify, 10);
    verify(key.publicKey, message, key.sign(message));

    expect(verify(electorate.keyOf(1).publicKey, message, key.sign(message))).to.equal(false);
    expect(verify(key.publicKey, Uint8Array.of(8), key.sign(message))).to.equal(false);
    expect(verify(key.publicKey, Uint8Array.of(8), key.sign(message))).to.equal(false);
    expect(counter.checks).to.equal(4);
  });

  it('are at most so many: the oldest goes', () => {
    const counter = counted();
    const verify = rememberSignatures(counter.verify, 2);
    const check = (byte: number): boolean => verify(key.publicKey, Uint8Array.of(byte), key.sign(Uint8Array.of(byte)));
    [1, 2, 3].forEach(check);

    check(3);
    check(2);
    expect(counter.checks).to.equal(3);
    check(1);
    expect(counter.checks).to.equal(4);
  });
});
