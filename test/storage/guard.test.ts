import { expect } from 'chai';
import { decodeSlots, encodeSlot, type GuardSlot } from '../../src/storage/guard.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

const slot: GuardSlot = {
  sequence: 4,
  previous: 17,
  head: 23,
  operations: [
    { type: 'put', key: bytes(1, 2), value: bytes(3, 4, 5) },
    { type: 'del', key: bytes(9) },
    { type: 'put', key: bytes(7), value: bytes() },
  ],
};

describe('storage: slots of the guard', () => {
  const written = Buffer.concat(encodeSlot(slot));

  it('are read back as they were written', () => {
    expect(decodeSlots([written, undefined])).to.deep.equal([slot]);
  });

  it('are not read when any one bit is flipped, or when cut short anywhere', () => {
    for (let bit = 0; bit < written.length * 8; bit++) {
      const flipped = Uint8Array.from(written);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));

      expect(decodeSlots([flipped, undefined]), `bit ${bit}`).to.deep.equal([]);
    }
    for (let length = 0; length < written.length; length++) expect(decodeSlots([written.subarray(0, length), undefined])).to.deep.equal([]);
  });
});
