import { expect } from 'chai';
import * as fc from 'fast-check';
import { nobleHashes } from '../../src/crypto/noble.ts';
import { nodeHashes } from '../../src/crypto/node.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const range = (from: number, to: number): Uint8Array => Uint8Array.from({ length: to - from + 1 }, (_, i) => from + i);
const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

// RFC 4231 §4.2-4.8; case 5 gives only the first 128 bits of its tag.
const hmacVectors = [
  [1, filled(20, 0x0b), ascii('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  [2, ascii('Jefe'), ascii('what do ya want for nothing?'), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'],
  [3, filled(20, 0xaa), filled(50, 0xdd), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  [4, range(1, 25), filled(50, 0xcd), '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b'],
  [5, filled(20, 0x0c), ascii('Test With Truncation'), 'a3b6167473100ee06e0c796c2955552b'],
  [
    6,
    filled(131, 0xaa),
    ascii('Test Using Larger Than Block-Size Key - Hash Key First'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
  [
    7,
    filled(131, 0xaa),
    ascii(
      'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
    ),
    '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  ],
] as const;

// RFC 5869 appendix A.1-A.3, those with SHA-256.
const hkdfVectors = [
  {
    section: 'A.1',
    secret: filled(22, 0x0b),
    salt: range(0x00, 0x0c),
    info: range(0xf0, 0xf9),
    okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  },
  {
    section: 'A.2',
    secret: range(0x00, 0x4f),
    salt: range(0x60, 0xaf),
    info: range(0xb0, 0xff),
    okm: `b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09
      da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87`,
  },
  {
    section: 'A.3',
    secret: filled(22, 0x0b),
    salt: new Uint8Array(0),
    info: new Uint8Array(0),
    okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  },
];

for (const [name, hashes] of [
  ['noble', nobleHashes],
  ['node:crypto', nodeHashes],
] as const) {
  describe(`crypto: hashes by ${name}`, () => {
    it('hashes the two classic messages of FIPS 180-4', () => {
      expect(hex(hashes.sha256(ascii('')))).to.equal('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
      expect(hex(hashes.sha256(ascii('abc')))).to.equal('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    });

    for (const [number, key, message, tag] of hmacVectors) {
      it(`computes the HMAC of RFC 4231, test case ${number}`, () => {
        expect(hex(hashes.hmac(key)(message)).slice(0, tag.length)).to.equal(tag);
      });
    }

    for (const { section, secret, salt, info, okm } of hkdfVectors) {
      it(`derives the key of RFC 5869, ${section}`, () => {
        const expected = bytes(okm);

        expect(hex(hashes.hkdf(secret, salt, info, expected.length))).to.equal(hex(expected));
      });
    }

    it('uses a prepared key again and again', () => {
      const tagOf = hashes.hmac(ascii('key'));

      const first = tagOf(ascii('one'));
      tagOf(ascii('two'));

      expect(tagOf(ascii('one'))).to.deep.equal(first);
    });
  });
}

describe('crypto: the two implementations of hashes', () => {
  it('are equal on any input', () => {
    const input = () => fc.uint8Array({ maxLength: 300 });

    fc.assert(
      fc.property(input(), input(), input(), fc.integer({ min: 1, max: 200 }), (one, two, three, length) => {
        expect(nodeHashes.sha256(one)).to.deep.equal(nobleHashes.sha256(one));
        expect(nodeHashes.hmac(one)(two)).to.deep.equal(nobleHashes.hmac(one)(two));
        expect(nodeHashes.hkdf(one, two, three, length)).to.deep.equal(nobleHashes.hkdf(one, two, three, length));
      }),
    );
  });
});
