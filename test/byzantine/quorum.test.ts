import { expect } from 'chai';
import { byzantineQuorum, faultTolerance, honestPart } from '../../src/byzantine/quorum.ts';

describe('byzantine: sizes of groups', () => {
  const table = [
    [1, 0, 1],
    [2, 0, 2],
    [3, 0, 2],
    [4, 1, 3],
    [5, 1, 4],
    [6, 1, 4],
    [7, 2, 5],
    [10, 3, 7],
    [13, 4, 9],
  ] as const;
  for (const [n, f, quorum] of table) {
    it(`of ${n} members ${f} may lie and ${quorum} are a quorum`, () => {
      expect([faultTolerance(n), byzantineQuorum(n), honestPart(n)]).to.deep.equal([f, quorum, f + 1]);
    });
  }

  it('any two quorums share an honest member, and the honest ones are a quorum', () => {
    for (let n = 1; n <= 128; n++) {
      const [f, quorum] = [faultTolerance(n), byzantineQuorum(n)];
      expect(2 * quorum - n, `${n} members`).to.be.greaterThan(f);
      expect(quorum, `${n} members`).to.be.at.most(n - f);
      expect(2 * (quorum - 1) - n, `${n} members: one less is too few`).to.be.at.most(f);
    }
  });

  it('a quorum is 2F+1 where N is 3F+1', () => {
    for (let f = 0; f < 40; f++) expect(byzantineQuorum(3 * f + 1)).to.equal(2 * f + 1);
  });
});
