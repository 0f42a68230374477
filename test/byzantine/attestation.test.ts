import { expect } from 'chai';
import { maxBatch, type Signable, signBatch, verifyBatched } from '../../src/byzantine/attestation.ts';
import type { BatchSignature } from '../../src/byzantine/ballot.ts';
import { nodeHashes, signingKey, verifySignature } from '../../src/crypto/node.ts';
import { someDigest } from './electorate.ts';

const key = signingKey(new Uint8Array(32).fill(5));
const ballot = (n: number): Signable => ({
  type: 'ballot',
  ballot: { proposal: someDigest(n), voter: 3, choices: Uint8Array.of(0) },
});
const ballots = (count: number): Signable[] => Array.from({ length: count }, (_, i) => ballot(i));
const isRight = (thing: Signable, signature: BatchSignature, publicKey = key.publicKey): boolean =>
  verifyBatched(nodeHashes, verifySignature, publicKey, thing, signature);

describe('byzantine: one signature for a batch (protocol design 1.4)', () => {
  it('is right for each thing of a batch of any size, and for no other thing of it', () => {
    for (const count of [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 63, 64]) {
      const things = ballots(count);

      const signatures = signBatch(nodeHashes, key.sign, things);

      expect(signatures).to.have.length(count);
      for (const [i, signature] of signatures.entries()) {
        expect(isRight(ballot(i), signature), `${i} of ${count}`).to.equal(true);
        expect(isRight(ballot((i + 1) % Math.max(count, 2)), signature), `${i} of ${count}`).to.equal(false);
      }
    }
  });

  it('signs once, and takes at most six steps', () => {
    let signed = 0;
    const sign = (message: Uint8Array): Uint8Array => {
      signed++;
      return key.sign(message);
    };

    const signatures = signBatch(nodeHashes, sign, ballots(maxBatch));

    expect(signed).to.equal(1);
    expect(Math.max(...signatures.map(({ path }) => path.length))).to.equal(6);
  });

  it('binds a leaf to its place, even among equal ones', () => {
    const [first, second] = signBatch(nodeHashes, key.sign, [ballot(1), ballot(1)]);
    if (first === undefined || second === undefined) throw new Error('there are two signatures');

    expect(isRight(ballot(1), first)).to.equal(true);
    expect(isRight(ballot(1), { ...first, index: 1 })).to.equal(false);
    expect(isRight(ballot(1), { ...first, index: 2 })).to.equal(false);
    expect(isRight(ballot(1), { ...first, index: 300 })).to.equal(false);
    expect(isRight(ballot(1), { ...first, path: second.path })).to.equal(false);
  });

  it('takes no subtree for a leaf and no shorter path', () => {
    const [signature] = signBatch(nodeHashes, key.sign, ballots(4));
    if (signature === undefined) throw new Error('there is a first signature');

    expect(isRight(ballot(0), { ...signature, path: signature.path.slice(1) })).to.equal(false);
    expect(isRight(ballot(0), { ...signature, path: signature.path.slice(0, 1) })).to.equal(false);
    expect(isRight(ballot(0), { ...signature, path: [...signature.path, new Uint8Array(32)] })).to.equal(false);
    expect(isRight(ballot(0), { ...signature, path: Array.from({ length: 7 }, () => new Uint8Array(32)) })).to.equal(false);
    expect(isRight(ballot(0), { ...signature, path: [...signature.path.slice(1), new Uint8Array(31)] })).to.equal(false);
  });

  it("is right under the signer's key only, and for things of its kind only", () => {
    const expiry: Signable = { type: 'expiry', expiry: { proposal: someDigest(1), voter: 3, items: Uint8Array.of(0) } };
    const [signature] = signBatch(nodeHashes, key.sign, [ballot(1)]);
    if (signature === undefined) throw new Error('there is a signature');

    expect(isRight(ballot(1), signature)).to.equal(true);
    expect(isRight(expiry, signature)).to.equal(false);
    expect(isRight(ballot(1), signature, signingKey(new Uint8Array(32).fill(6)).publicKey)).to.equal(false);
  });
});
