import { expect } from 'chai';
import * as fc from 'fast-check';
import { peerIdOf, publicKeyOf } from '../../src/byzantine/peer-id.ts';
import { signingKey, verifySignature } from '../../src/crypto/node.ts';
import { createIdentity, loadIdentity } from '../../src/transport/identity.ts';

describe('byzantine: the key in a peer id', () => {
  it("is the one that libp2p's identity signs with", async () => {
    for (let i = 0; i < 20; i++) {
      const { nodeId, privateKeyBytes } = await createIdentity();
      const raw = loadIdentity(privateKeyBytes).privateKey.raw;
      const key = signingKey(raw.subarray(0, 32));
      const message = Uint8Array.of(1, 2, 3);

      expect(publicKeyOf(nodeId)).to.deep.equal(key.publicKey);
      expect(peerIdOf(key.publicKey)).to.equal(nodeId);
      expect(verifySignature(key.publicKey, message, key.sign(message))).to.equal(true);
    }
  });

  it('is read back for every key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
        expect(publicKeyOf(peerIdOf(key))).to.deep.equal(key);
      }),
    );
  });

  it('is in no other text', () => {
    const id = peerIdOf(new Uint8Array(32).fill(9));

    for (const text of ['', 'node-1', '1', `1${id}`, id.slice(1), id.slice(0, -1), `${id}1`, id.replace('12D3', '12d3'), '1'.repeat(500)])
      expect(publicKeyOf(text), text).to.equal(undefined);
    // Of a secp256k1 key, and of an RSA key by its hash.
    expect(publicKeyOf('16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ')).to.equal(undefined);
    expect(publicKeyOf('QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N')).to.equal(undefined);
  });
});
