import { expect } from 'chai';
import { ByteReader, ByteWriter } from '../../src/storage/bytes-cursor.ts';

describe('storage: bytes', () => {
  it('are read back as they were written, wherever the buffer has to grow', () => {
    for (let filled = 240; filled <= 260; filled++) {
      const writer = new ByteWriter().raw(new Uint8Array(filled));

      const reader = new ByteReader(
        writer
          .int(2 ** 40)
          .u32(7)
          .u8(3)
          .text('n1')
          .finish(),
      );

      expect(reader.raw(filled)).to.have.length(filled);
      expect([reader.int(), reader.u32(), reader.u8(), reader.text()]).to.deep.equal([2 ** 40, 7, 3, 'n1']);
      expect(reader.isAtEnd).to.equal(true);
    }
  });
});
