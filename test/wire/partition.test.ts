import { expect } from 'chai';
import * as fc from 'fast-check';
import { nodeId, taskId } from '../../src/core/ids.ts';
import { maxIncarnation } from '../../src/detector/messages.ts';
import { emptyPart, type HealReport } from '../../src/partition/heal/heal-report.ts';
import { decodePartitionFrame, encodePartitionFrame, isPartitionFrame, type PartitionFrame } from '../../src/wire/partition.ts';
import { placesOf } from '../../src/wire/rows.ts';

const [n1, n2, n3] = ['n1', 'n2', 'n3'].map(nodeId) as [ReturnType<typeof nodeId>, ReturnType<typeof nodeId>, ReturnType<typeof nodeId>];
const places = placesOf([n3, n1, n2]);

const part = {
  ...emptyPart,
  raft: {
    caughtUpEntries: 4,
    truncated: [
      { index: 9, term: 2, session: 's', seq: 3, kind: 'PutKey' },
      { index: 10, term: 2, session: undefined, seq: undefined, kind: undefined },
    ],
    snapshots: 1,
  },
  gossip: { merged: 2, conflicts: [{ key: 'a', winnerDot: 'n1:1', losers: ['n2:1'] }], tombstoned: 1 },
  tasks: { kept: 1, fenced: [{ task: 't', agent: 'a', oldFence: 1, newFence: 2 }], requeued: 3, orphanResults: 4 },
  bft: { resumed: 1, decided: 2, expired: 3 },
  discarded: ['x'],
};
const report: HealReport = {
  ...part,
  id: '1-1',
  start: 1_700_000_000_000,
  detectedMs: 400,
  healedMs: 900,
  class: 'complete',
  sides: [[n1], [n2, n3]],
  leaderBefore: n1,
  leaderAfter: undefined,
  termBefore: 1,
  termAfter: 2,
  reElected: true,
  durationMs: 500,
  notes: ['once'],
};
const summary = {
  epoch: 1,
  term: 2,
  lastIndex: 3,
  lastTerm: 2,
  commitIndex: 2,
  commitTerm: 1,
  head: { index: 2, chain: new Uint8Array(32).fill(4) },
  snapshotIndex: 1,
  gossip: [{ node: n3, counter: 2 ** 32 + 7 }],
  openVotes: 1,
  leases: [{ task: taskId('t'), fence: 5 }],
};
const row = {
  node: n2,
  boot: 7,
  seq: 8,
  heard: [n1, n2],
  term: 3,
  leader: n3,
  commitIndex: 9,
  electable: true,
  healing: false,
  score: 2,
  signature: new Uint8Array(64).fill(3),
};
const update = { node: n3, status: 'suspect' as const, incarnation: 4, by: n1 };
const frames: readonly PartitionFrame[] = [
  { kind: 'rows', rows: [row, { ...row, node: n3, heard: [], leader: undefined }] },
  { kind: 'probe', message: { type: 'Probe', nonce: 1, updates: [] } },
  { kind: 'probe', message: { type: 'ProbeRequest', nonce: 2, target: n3, updates: [update] } },
  { kind: 'probe', message: { type: 'Nack', nonce: 2, updates: [] } },
  { kind: 'relay', relayed: { from: n1, to: n2, boot: 5, seq: 6, frame: new Uint8Array([1, 2]), signature: new Uint8Array(64).fill(7) } },
  { kind: 'heal', message: { type: 'Echo', nonce: 1 } },
  { kind: 'heal', message: { type: 'EchoReply', nonce: 1, boot: 2 } },
  { kind: 'heal', message: { type: 'Summary', summary, isAnswer: false } },
  { kind: 'heal', message: { type: 'Mended', heal: 1, forMs: 700, part } },
  { kind: 'heal', message: { type: 'Settled', heal: 1, report } },
];

describe('wire: frames of partitions', () => {
  it('come back as they were', () => {
    for (const frame of frames) {
      const bytes = encodePartitionFrame(7, places, frame);
      expect(isPartitionFrame(bytes)).to.equal(true);
      expect(decodePartitionFrame(7, places, bytes)).to.deep.equal(frame);
    }
  });

  it('are refused in a word: another cluster, another list of members, not a frame, too large', () => {
    const bytes = encodePartitionFrame(7, places, frames[0] ?? { kind: 'rows', rows: [] });
    expect(decodePartitionFrame(8, places, bytes)).to.equal('cluster');
    expect(decodePartitionFrame(7, placesOf([n1, n2]), bytes)).to.equal('members');
    expect(decodePartitionFrame(7, places, bytes.subarray(0, 9))).to.equal('malformed');
    expect(decodePartitionFrame(7, places, new Uint8Array(1024 * 1024 + 1))).to.equal('too_large');
  });

  it('carry no incarnation that could not be refuted with a higher one', () => {
    const of = (incarnation: number): Uint8Array =>
      encodePartitionFrame(7, places, { kind: 'probe', message: { type: 'Nack', nonce: 2, updates: [{ ...update, incarnation }] } });
    expect(decodePartitionFrame(7, places, of(maxIncarnation))).not.to.equal('malformed');
    expect(decodePartitionFrame(7, places, of(maxIncarnation + 1))).to.equal('malformed');
  });

  it('never make the reader throw, whatever bytes come', () => {
    const samples = frames.map((frame) => encodePartitionFrame(7, places, frame));
    fc.assert(
      fc.property(fc.nat(samples.length - 1), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }), (which, changes) => {
        const bytes = Uint8Array.from(samples[which] ?? []);
        for (const [at, value] of changes) bytes[1 + (at % (bytes.length - 1))] = value;
        decodePartitionFrame(7, places, bytes);
      }),
      { numRuns: 2000 },
    );
  });
});
