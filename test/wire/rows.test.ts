import { expect } from 'chai';
import * as fc from 'fast-check';
import { nodeId } from '../../src/core/ids.ts';
import type { Row } from '../../src/partition/row.ts';
import { gossipLimits } from '../../src/gossip/limits.ts';
import { decodeRow, encodeRow, placesOf } from '../../src/wire/rows.ts';

const members = Array.from({ length: 1024 }, (_, i) => nodeId(`n${i}`));
const places = placesOf(members);
const row: Row = {
  node: places.members[1000] ?? members[0] ?? nodeId('none'),
  boot: Number.MAX_SAFE_INTEGER,
  seq: Number.MAX_SAFE_INTEGER,
  heard: places.members.filter((_, i) => i % 3 !== 0),
  term: Number.MAX_SAFE_INTEGER,
  leader: places.members[1023],
  commitIndex: Number.MAX_SAFE_INTEGER,
  electable: true,
  healing: true,
  score: 8,
  signature: new Uint8Array(64).fill(9),
};

describe('wire: rows by themselves', () => {
  it('come back as they were, and the largest is a value that the gossip takes', () => {
    const bytes = encodeRow(places, row);

    expect(decodeRow(places, bytes)).to.deep.equal(row);
    expect(bytes.length).to.be.at.most(gossipLimits.valueBytes);
  });

  it('are refused in a word: another list of members, not a row', () => {
    const bytes = encodeRow(places, row);

    expect(decodeRow(placesOf(members.slice(1)), bytes)).to.equal('members');
    expect(decodeRow(places, bytes.subarray(0, 30))).to.equal('malformed');
    expect(decodeRow(places, Uint8Array.of(0x91, 2))).to.equal('version');
  });

  it('never make the reader throw, whatever bytes come', () => {
    const sample = encodeRow(places, row);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = Uint8Array.from(sample);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const read = decodeRow(places, bytes);
        if (typeof read !== 'string') expect(read.signature.length).to.be.at.most(64);
      }),
      { numRuns: 2000 },
    );
  });
});
