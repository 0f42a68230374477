import { expect } from 'chai';
import { SeededRandom } from '../../src/core/random.ts';
import { drawGossipPlan } from '../../sim/gossip/gossip-plan.ts';
import { runGossip } from '../../sim/gossip/run-gossip.ts';
import { runSpread } from '../../sim/gossip/spread-run.ts';

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

describe('sim: gossip', () => {
  it('agrees after every fault, loses no update and revives none', () => {
    const bad = seeds(1, 40)
      .map((seed) => runGossip(seed))
      .filter(({ verdict }) => verdict !== 'ok');

    expect(bad.map(({ seed, violation }) => [seed, violation])).to.deep.equal([]);
  });

  it('is the same run for the same seed', () => {
    const [one, other, third] = [runGossip(5), runGossip(5), runGossip(6)];

    expect(one).to.deep.equal(other);
    expect(one.traceHash).not.to.equal(third.traceHash);
  });

  it('draws all kinds of faults', () => {
    const plans = seeds(1, 100).map((seed) => drawGossipPlan(new SeededRandom(seed)));

    const share = (has: (plan: (typeof plans)[number]) => boolean): number => plans.filter(has).length;
    expect(share(({ liar }) => liar !== undefined)).to.be.within(10, 50);
    expect(share(({ crashes }) => crashes.length > 0)).to.be.within(30, 80);
    expect(share(({ cuts }) => cuts.length > 0)).to.be.above(50);
    expect(share(({ loss }) => loss > 10)).to.be.above(20);
    expect(share(({ late }) => late > 0)).to.be.above(10);
  });

  it('reaches all of 60 nodes within two rounds of anti-entropy at 5 % loss', () => {
    const figures = runSpread({ seed: 1, n: 60, loss: 5, updates: 30 });

    expect(figures.inTwoRounds).to.equal(30);
    expect(figures.reachedP50Ms).to.be.below(5);
  });

  it('reaches 99 % of 1,000 nodes within 50 ms at the median', () => {
    const figures = runSpread({ seed: 1, n: 1000, loss: 1, updates: 2 });

    expect(figures.mostP50Ms).to.be.below(50);
  });

  it('reaches 200 nodes though most messages are lost', () => {
    const figures = runSpread({ seed: 1, n: 200, loss: 60, updates: 2 });

    expect(figures.allMaxMs).to.be.below(10_000);
  });
});
