import { expect } from 'chai';
import { createAgreementKey, signingKey, verifySignature } from '../../src/crypto/node.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

// RFC 8032 §7.1, test 3.
const vector = {
  seed: bytes('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7'),
  publicKey: bytes('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025'),
  message: bytes('af82'),
  signature: bytes(
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ),
};

describe('crypto: Ed25519', () => {
  it('signs and checks the message of RFC 8032, test 3', () => {
    const { seed, publicKey, message, signature } = vector;

    expect(signingKey(seed).publicKey).to.deep.equal(publicKey);
    expect(signingKey(seed).sign(message)).to.deep.equal(signature);
    expect(verifySignature(publicKey, message, signature)).to.equal(true);
  });

  it('refuses another message, another key and anything malformed, without an error', () => {
    const { publicKey, message, signature } = vector;

    expect(verifySignature(publicKey, bytes('af83'), signature)).to.equal(false);
    expect(verifySignature(signature.subarray(0, 32), message, signature)).to.equal(false);
    expect(verifySignature(publicKey.subarray(1), message, signature)).to.equal(false);
    expect(verifySignature(publicKey, message, signature.subarray(1))).to.equal(false);
    expect(() => signingKey(publicKey.subarray(1))).to.throw(RangeError);
  });
});

describe('crypto: X25519', () => {
  it('gives both sides the same secret', () => {
    const one = createAgreementKey();
    const two = createAgreementKey();

    expect(one.agree(two.publicKey)).to.have.length(32);
    expect(one.agree(two.publicKey)).to.deep.equal(two.agree(one.publicKey));
  });

  it('refuses the points of low order, whose secret is all zeros (RFC 7748 §6.1), and keys of another length', () => {
    const key = createAgreementKey();
    const one = new Uint8Array(32);
    one[0] = 1;
    const orderEight = bytes('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800');

    for (const point of [new Uint8Array(32), one, orderEight, new Uint8Array(31), new Uint8Array(33)])
      expect(key.agree(point)).to.equal(undefined);
  });
});
