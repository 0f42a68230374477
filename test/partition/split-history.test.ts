import { expect } from 'chai';
import type { NodeId } from '../../src/core/ids.ts';
import { SplitHistory } from '../../src/partition/split-history.ts';
import { nodes } from './support.ts';

const [n1, n2, n3] = nodes(3) as [NodeId, NodeId, NodeId];

describe('partition: the record of splits', () => {
  it('holds what a split was, from the first lost link to its report', () => {
    const history = new SplitHistory(7);
    history.note({ kind: 'commit', node: n1, index: 1 }, 900);
    history.begin(1000);
    history.note({ kind: 'edge', node: n1, peer: n3, heard: false }, 1000);
    history.classified('node-loss', [[n1, n2], [n3]], 1400);
    history.classified('complete', [[n1], [n2, n3]], 1900);
    history.classified('partial', [[n1, n2, n3]], 2000);
    history.end(3000, undefined);
    history.note({ kind: 'commit', node: n1, index: 2 }, 3100);

    expect(history.splits).to.deep.equal([
      {
        id: '7-1',
        startMs: 1000,
        detectedMs: 400,
        class: 'complete',
        sides: [[n1], [n2, n3]],
        endMs: 3000,
        report: undefined,
        happenings: [{ kind: 'edge', node: n1, peer: n3, heard: false, atMs: 1000 }],
        omitted: 0,
      },
    ]);
  });

  it('keeps no record of a suspicion that came to nothing', () => {
    const history = new SplitHistory(1);
    history.begin(0);
    history.dismiss();
    expect(history.splits).to.deep.equal([]);
    history.begin(5);
    history.classified('partial', [[n1, n2, n3]], 10);
    history.dismiss();
    expect(history.splits).to.have.length(1);
  });

  it('is bounded: 100 splits, 2000 happenings of each', () => {
    const history = new SplitHistory(1);
    for (let i = 0; i < 120; i++) {
      history.begin(i);
      for (let k = 0; k < 2005; k++) history.note({ kind: 'commit', node: n1, index: k }, i);
      history.end(i, undefined);
    }
    expect(history.splits).to.have.length(100);
    expect(history.splits[0]?.id).to.equal('1-21');
    expect(history.splits[0]).to.include({ omitted: 5 });
    expect(history.splits[0]?.happenings).to.have.length(2000);
  });
});
