import { expect } from 'chai';
import { taskId } from '../../../src/core/ids.ts';
import { type Hold, ReturnedLeases } from '../../../src/node/partition/returned-leases.ts';

const holds: Readonly<Record<string, Hold>> = {
  same: { fence: 1, agent: 'a', hasEnded: false },
  done: { fence: 1, agent: undefined, hasEnded: true },
  waits: { fence: 1, agent: undefined, hasEnded: false },
  other: { fence: 9, agent: 'b', hasEnded: false },
  redone: { fence: 9, agent: undefined, hasEnded: true },
};

describe('node: leases of returning nodes (H5)', () => {
  it('are kept or fenced by the log, or neither when their task has ended by them', () => {
    const returned = new ReturnedLeases();
    returned.add(
      ['same', 'done', 'waits', 'other', 'redone', 'unknown'].map((name) => ({ task: taskId(name), fence: 1 })),
      5,
    );

    expect(returned.compared((task) => holds[task])).to.deep.equal({
      kept: 1,
      fenced: [
        { task: 'waits', agent: '', oldFence: 1, newFence: 0 },
        { task: 'other', agent: 'b', oldFence: 1, newFence: 9 },
        { task: 'redone', agent: '', oldFence: 1, newFence: 9 },
      ],
    });
  });

  it('wait until all is applied that was committed when their node came back', () => {
    const returned = new ReturnedLeases();
    returned.add([{ task: taskId('a'), fence: 1 }], 5);
    returned.add([{ task: taskId('b'), fence: 1 }], 7);

    expect([4, 5, 6, 7].map((applied) => returned.pending(applied))).to.deep.equal([2, 1, 1, 0]);
  });

  it('count once of a node that comes back twice', () => {
    const returned = new ReturnedLeases();
    for (let i = 0; i < 2; i++) returned.add([{ task: taskId('same'), fence: 1 }], 5);
    expect(returned.compared((task) => holds[task]).kept).to.equal(1);
  });
});
