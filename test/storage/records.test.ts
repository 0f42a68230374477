import { expect } from 'chai';
import { nodeId } from '../../src/core/ids.ts';
import {
  decodeChunk,
  decodeEntry,
  decodeHead,
  decodeIdentity,
  decodeSnapshot,
  encodeChunk,
  encodeEntry,
  encodeHead,
  encodeIdentity,
  encodeSnapshot,
} from '../../src/storage/records.ts';

const start = { index: 0, term: 0, chain: 0 };
const configuration = { voters: [nodeId('n1')], outgoing: [], learners: [], learnersNext: [], autoLeave: false };

describe('storage: records', () => {
  const written = {
    identity: encodeIdentity({ clusterId: 'c', nodeId: nodeId('n1') }),
    head: encodeHead({
      sequence: 1,
      previous: 0,
      boot: 1,
      hardState: { currentTerm: 3, votedFor: nodeId('n1'), commitIndex: 0, rejoining: 0 },
      base: start,
      last: start,
      snapshot: undefined,
    }),
    snapshot: encodeSnapshot({ meta: { index: 7, term: 2, configuration, chain: new Uint8Array(32) }, chunks: 1, digest: 5 }),
    chunk: encodeChunk(0, Uint8Array.of(1, 2, 3)),
    entry: encodeEntry({ term: 1, index: 1, count: 1, kind: 'command', data: Uint8Array.of(4) }, 0),
  };
  const readers: Record<keyof typeof written, (record: Uint8Array) => unknown> = {
    identity: decodeIdentity,
    head: decodeHead,
    snapshot: decodeSnapshot,
    chunk: (record) => decodeChunk(0, record),
    entry: (record) => decodeEntry(record, 0),
  };
  const kinds = Object.keys(written) as (keyof typeof written)[];

  it('are read in their own place and in no other', () => {
    for (const kind of kinds) {
      for (const place of kinds) {
        if (kind === place) expect(readers[place](written[kind]), kind).not.to.equal(undefined);
        else expect(readers[place](written[kind]), `${kind} in the place of ${place}`).to.equal(undefined);
      }
    }
  });
});
