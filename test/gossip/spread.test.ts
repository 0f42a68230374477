import { expect } from 'chai';
import { SeededRandom } from '../../src/core/random.ts';
import { spreadFor, targetsOf } from '../../src/gossip/spread.ts';
import { n1, n2, n3, n4, n5 } from './support.ts';

describe('gossip: fanout and time to live (protocol design 2.3)', () => {
  const table = [
    [1, 1, 1],
    [2, 1, 1],
    [60, 59, 1],
    [64, 63, 1],
    [65, 8, 6],
    [1000, 10, 6],
  ] as const;
  for (const [n, fanout, ttl] of table) {
    it(`are ${fanout} and ${ttl} for ${n} members`, () => {
      expect(spreadFor(n)).to.deep.equal({ fanout, ttl });
    });
  }

  it('chooses so many peers, each once, and none of those that have it', () => {
    const random = new SeededRandom(1);
    const chosen = new Set<string>();
    for (let round = 0; round < 100; round++) {
      const targets = targetsOf([n1, n2, n3, n4, n5], { fanout: 2, ttl: 3 }, random, [n1, n4]);
      expect(new Set(targets).size).to.equal(2);
      for (const target of targets) chosen.add(target);
    }

    expect([...chosen].toSorted()).to.deep.equal([n2, n3, n5]);
    expect(targetsOf([n1, n2], { fanout: 8, ttl: 3 }, random, [n1])).to.deep.equal([n2]);
  });
});
