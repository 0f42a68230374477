import { expect } from 'chai';
import { renewed } from '../../src/byzantine/renewal.ts';
import { Electorate, fixedSeeds } from './electorate.ts';

/** The first of some members with keys of their own, in an epoch. */
function among(n: number, epoch: number) {
  const { configuration } = new Electorate(7, { seeds: fixedSeeds(7), epoch });
  return { ...configuration, members: configuration.members.slice(0, n) };
}

const open = (n: number, minSupport: number, proposer = 1) => {
  const configuration = among(n, 0);
  return new Electorate(n, { seeds: fixedSeeds(7), configuration }).proposal({ minSupport, proposer }).proposal;
};

describe('byzantine: what an epoch left undecided (protocol design 1.8)', () => {
  it('is put to the next members by the same node on the same terms', () => {
    const [before, after] = [among(4, 0), { ...among(5, 1), members: among(5, 1).members.toReversed() }];

    const next = renewed(open(4, 3), before, after);

    expect(next).to.deep.equal({ ...open(4, 3), epoch: 1, proposer: 3, minSupport: 4 });
    expect(after.members[next?.proposer ?? 0]).to.deep.equal(before.members[1]);
  });

  for (const [was, minSupport, n, expected] of [
    [4, 3, 7, 5],
    [4, 4, 5, 5],
    [7, 5, 4, 3],
    [7, 7, 5, 5],
    [7, 6, 5, 5],
    [6, 5, 7, 5],
    [5, 4, 6, 4],
  ] as const)
    it(`asks ${n} members for ${expected} ballots where it asked ${was} for ${minSupport}`, () => {
      expect(renewed(open(was, minSupport), among(was, 0), among(n, 1))?.minSupport).to.equal(expected);
    });

  it('is void when its proposer has left, when too few are left, and when it was about what should follow its epoch', () => {
    const about = { ...open(4, 3), kind: 'membership' };

    expect(renewed(open(5, 4, 4), among(5, 0), among(4, 1))).to.equal(undefined);
    expect(renewed(open(4, 3), among(4, 0), among(3, 1))).to.equal(undefined);
    expect(renewed(about, among(4, 0), among(5, 1))).to.equal(undefined);
  });
});
