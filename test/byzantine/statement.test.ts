import { expect } from 'chai';
import { contradictionIn, inView, isNewer, regressionOf, withVote } from '../../src/byzantine/statement.ts';
import { statement, vote, x, y } from './support.ts';

describe('byzantine: statements', () => {
  it('freezes the votes of a view when it is left', () => {
    const voted = withVote(withVote(statement(), 0, x), 1, x);

    const left = inView(voted, 3);

    expect(left).to.include({ view: 3, viewChange: 3, proposed: undefined });
    expect(left.frozen).to.deep.equal([vote(0, x), vote(0, x), undefined, undefined]);
    expect(left.current).to.deep.equal([undefined, undefined, undefined, undefined]);
  });

  it('remembers the last vote for another value, of the first two phases', () => {
    const first = inView(statement({ current: [x, x, x, x] }), 1);

    const second = inView({ ...first, current: [y, y, y, y] }, 2);

    expect(second.frozen).to.deep.equal([vote(1, y), vote(1, y), vote(1, y), vote(1, y)]);
    expect(second.previous).to.deep.equal([vote(0, x), vote(0, x)]);
  });

  it('keeps the older vote for another value when the same value is voted for again', () => {
    const two = inView({ ...inView(statement({ current: [x, x, undefined, undefined] }), 1), current: [y, y, undefined, undefined] }, 2);

    const three = inView({ ...two, current: [y, undefined, undefined, undefined] }, 3);

    expect(three.frozen.slice(0, 2)).to.deep.equal([vote(2, y), vote(1, y)]);
    expect(three.previous).to.deep.equal([vote(0, x), vote(0, x)]);
  });

  it('keeps asking for a higher view than the one it enters', () => {
    expect(inView(statement({ viewChange: 7 }), 5).viewChange).to.equal(7);
  });

  it('is ordered by boot, then by revision', () => {
    expect(isNewer({ boot: 1, revision: 0 }, undefined)).to.equal(true);
    expect(isNewer({ boot: 1, revision: 2 }, { boot: 1, revision: 1 })).to.equal(true);
    expect(isNewer({ boot: 2, revision: 0 }, { boot: 1, revision: 9 })).to.equal(true);
    expect(isNewer({ boot: 1, revision: 1 }, { boot: 1, revision: 1 })).to.equal(false);
    expect(isNewer({ boot: 1, revision: 9 }, { boot: 2, revision: 0 })).to.equal(false);
  });
});

describe('byzantine: statements that no honest member makes', () => {
  const none = undefined;
  const table = [
    ['it asks to move to a view below its own', statement({ view: 2, viewChange: 1 })],
    ['a frozen vote is not below the view', statement({ view: 2, frozen: [none, none, none, vote(2, x)] })],
    ['a previous vote is not below the frozen one', statement({ view: 2, previous: [vote(0, x), none] })],
    [
      'a previous vote is not below the frozen one',
      statement({ view: 3, frozen: [vote(1, x), none, none, none], previous: [vote(1, y), none] }),
    ],
    [
      'a previous vote has the value of the frozen one',
      statement({ view: 3, frozen: [none, vote(1, x), none, none], previous: [none, vote(0, x)] }),
    ],
    ['it proposes without being the leader', statement({ view: 2, proposed: x })],
  ] as const;
  for (const [why, made] of table) it(why, () => expect(contradictionIn(made, false)).to.equal(why));

  it('proposing in view 0', () => {
    expect(contradictionIn(statement({ proposed: x }), true)).to.equal('it proposes without being the leader');
  });

  it('an honest one passes, also when it proposes as the leader', () => {
    const made = statement({
      view: 3,
      frozen: [vote(2, y), vote(1, y), vote(0, x), none],
      previous: [vote(0, x), none],
      current: [y, none, none, none],
      proposed: y,
    });

    expect(contradictionIn(made, true)).to.equal(undefined);
  });

  const before = statement({
    view: 2,
    viewChange: 3,
    frozen: [vote(1, y), none, none, none],
    previous: [vote(0, x), none],
    current: [y, none, none, none],
    proposed: y,
    decided: y,
  });
  const regressions = [
    ['a view went back', { ...before, view: 1 }],
    ['a view went back', { ...before, viewChange: 2 }],
    ['a decision changed', { ...before, decided: none }],
    ['a decision changed', { ...before, decided: x }],
    ['a proposal changed', { ...before, proposed: x }],
    ['a vote changed', { ...before, current: [x, none, none, none] }],
    ['a vote changed', { ...before, current: [none, none, none, none] }],
    ['a frozen vote changed', { ...before, frozen: [vote(1, y), vote(1, y), none, none] }],
    ['a previous vote was lost', { ...before, previous: [none, none] }],
    ['a vote was lost', { ...inView(before, 3), frozen: [vote(1, y), none, none, none] }],
    ['a vote was lost', { ...inView(before, 3), frozen: [vote(2, x), none, none, none] }],
    ['a previous vote was lost', { ...inView(before, 3), previous: [none, none] }],
  ] as const;
  for (const [why, after] of regressions) {
    it(`taking back: ${why}`, () => expect(regressionOf(before, after)).to.equal(why));
  }

  it('going on is no taking back', () => {
    expect(regressionOf(before, before)).to.equal(undefined);
    expect(regressionOf(before, withVote(before, 1, y))).to.equal(undefined);
    expect(regressionOf(before, inView(before, 9))).to.equal(undefined);
    const later = inView(withVote(inView(before, 3), 0, x), 5);
    expect(regressionOf(before, later)).to.equal(undefined);
  });
});
