import { expect } from 'chai';
import { historySchema } from '../../../daemon/partition/answers.ts';
import { drawSplit } from '../../../daemon/partition/picture.ts';

const report = {
  detectedMs: 400,
  healedMs: 4000,
  durationMs: 512.4,
  reElected: true,
  leaderBefore: 'a',
  leaderAfter: 'b',
  termBefore: 1,
  termAfter: 2,
  raft: { caughtUpEntries: 7, truncated: [], snapshots: 0 },
  gossip: { merged: 0, conflicts: [] },
  tasks: { kept: 1, fenced: [], requeued: 0 },
  notes: ['a <note>'],
};

/** As a node's answer has it. */
const recordOf = (happenings: readonly Record<string, unknown>[], endMs: number | null = 5000) =>
  historySchema.parse({
    items: [
      {
        id: '1-1',
        startMs: 1000,
        detectedMs: 400,
        endMs,
        class: 'complete',
        sides: [['a'], ['b', 'c']],
        happenings,
        report: endMs === null ? null : report,
      },
    ],
  }).items;

const lanes = [
  {
    name: 'a',
    splits: recordOf([
      { kind: 'leader', node: 'a', leader: 'a', term: 1, atMs: 1000 },
      { kind: 'edge', node: 'a', peer: 'b', heard: false, atMs: 1100 },
      { kind: 'state', state: 'minority', class: 'complete', degraded: false, atMs: 1400 },
      { kind: 'leader', node: 'a', leader: null, term: 1, atMs: 2000 },
    ]),
  },
  {
    name: 'b',
    splits: recordOf([
      { kind: 'commit', node: 'b', index: 10, atMs: 1000 },
      { kind: 'leader', node: 'b', leader: 'b', term: 2, atMs: 2200 },
      { kind: 'commit', node: 'b', index: 20, atMs: 3000 },
    ]),
  },
  { name: 'c', splits: [] },
];

describe('the picture of a split', () => {
  const [split] = recordOf([]);
  if (split === undefined) throw new Error('one split');

  it('shows who led in which term, who did not hear whom, states and what was mended', () => {
    const svg = drawSplit(split, lanes, 9000);

    for (const words of [
      'leader · term 1',
      'leader · term 2',
      'a does not hear b',
      'minority',
      '7 entries caught up',
      'committed at b',
      'a &lt;note&gt;',
      'whole 512 ms',
    ])
      expect(svg, words).to.include(words);
  });

  it('is well-formed, without script or resource, and the same each time', () => {
    const svg = drawSplit(split, lanes, 9000);
    expect(svg).to.equal(drawSplit(split, lanes, 9000));
    expect(svg.match(/<(?:text|g|tspan|svg|rect|line|path)\b[^>]*[^/]>/g)?.length).to.equal(
      svg.match(/<\/(?:text|g|tspan|svg|rect|line|path)>/g)?.length,
    );
    expect(svg).to.not.match(/<script|href=|NaN|undefined/);
  });

  it('ends now when the split goes on, and needs no lane but the names', () => {
    const [open] = recordOf([], null);
    if (open === undefined) throw new Error('one split');
    expect(drawSplit(open, [{ name: 'a', splits: [] }], 9000)).to.include('not over');
  });
});
