import { expect } from 'chai';
import type { NodeId } from '../../../src/core/ids.ts';
import { classify } from '../../../src/partition/classify.ts';
import { Matrix } from '../../../src/partition/matrix.ts';
import { LeaderPlace } from '../../../src/node/partition/leader-place.ts';
import { nodes, row } from '../../partition/support.ts';

const voters = nodes(3);
const [n1, n2] = voters as [NodeId, NodeId, NodeId];

describe('node: where the leader of a split belongs', () => {
  const matrix = new Matrix();
  matrix.put(row(n1, 1, [n1, n2]), 0);
  const view = classify(n1, { members: voters, voters, byzantineQuorum: 3 }, matrix, 0);

  it('keeps a leader that has its quorum though voters are silent about it: they may have to learn from this leader that they are voters', () => {
    const advice = new LeaderPlace().advise(view, voters, true, 0);

    expect(advice).to.equal(undefined);
  });

  it('has a leader resign that is cut off from all but a minority', () => {
    const advice = new LeaderPlace().advise(view, voters, false, 0);

    expect(advice).to.equal('resign');
  });
});
