import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeRecord, encodeRecord, maxPayloadBytes, maxRecords, packRecords, unpackRecords } from '../../src/byzantine/records.ts';
import { records } from './arbitraries.ts';
import { someDigest } from './electorate.ts';

const get = encodeRecord({ type: 'get', digest: someDigest(1) });
const unpackAll = (payloads: readonly Uint8Array[]) => payloads.map((payload) => unpackRecords(payload)?.length);

describe('byzantine: records of a frame', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(decodeRecord(encodeRecord(record))).to.deep.equal(record);
      }),
      { numRuns: 500 },
    );
  });

  it('have one encoding only: whatever can be read would be written so', () => {
    fc.assert(
      fc.property(records, fc.nat(), fc.integer({ min: 1, max: 255 }), (record, place, change) => {
        const bytes = encodeRecord(record);
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;

        const read = decodeRecord(bytes);

        if (read !== undefined) expect(encodeRecord(read)).to.deep.equal(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it('are not read when they are cut short or have more behind them', () => {
    fc.assert(
      fc.property(records, fc.nat(), (record, length) => {
        const bytes = encodeRecord(record);

        expect(decodeRecord(bytes.subarray(0, length % bytes.length))).to.equal(undefined);
        expect(decodeRecord(Uint8Array.of(...bytes, 0))).to.equal(undefined);
      }),
    );
  });

  it('can be read from any bytes without an error', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.uint8Array({ maxLength: 400 }), (type, noise) => {
        const bytes = Uint8Array.of(type, ...noise);
        const read = decodeRecord(bytes);

        if (read !== undefined) expect(encodeRecord(read)).to.deep.equal(bytes);
        unpackRecords(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('share a payload, in their order', () => {
    fc.assert(
      fc.property(fc.array(records, { minLength: 1, maxLength: 10 }), (some) => {
        const [payload, ...more] = packRecords(some.map(encodeRecord));

        expect(more).to.deep.equal([]);
        expect(payload && unpackRecords(payload)).to.deep.equal(some);
      }),
    );
  });

  it('go into further payloads when one is full', () => {
    const blob = encodeRecord({ type: 'blob', bytes: new Uint8Array(60_000) });

    expect(packRecords([])).to.deep.equal([]);
    expect(unpackAll(packRecords(Array.from({ length: maxRecords + 1 }, () => get)))).to.deep.equal([maxRecords, 1]);
    expect(unpackAll(packRecords(Array.from({ length: 20 }, () => blob)))).to.deep.equal([17, 3]);
  });

  it('count for nothing if one of their payload is malformed, or if they are too many or too large', () => {
    const [two] = packRecords([get, get]);
    const payload = two ?? new Uint8Array(0);
    const [full] = packRecords(Array.from({ length: maxRecords }, () => get));
    const spoilt = payload.slice();
    spoilt[payload.length - 33] = 0;

    expect(unpackRecords(payload)).to.have.length(2);
    expect(unpackRecords(spoilt)).to.equal(undefined);
    expect(unpackRecords(payload.subarray(0, -1))).to.equal(undefined);
    expect(unpackRecords(Uint8Array.of(...payload, 1))).to.equal(undefined);
    expect(unpackRecords(Uint8Array.of(...(full ?? []), ...payload.subarray(0, 4 + get.length)))).to.equal(undefined);
    expect(unpackRecords(new Uint8Array(maxPayloadBytes + 1))).to.equal(undefined);
  });
});
