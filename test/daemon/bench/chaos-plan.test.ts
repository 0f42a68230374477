import { expect } from 'chai';
import { drawRound, faultKinds, type Round } from '../../../daemon/bench/chaos-plan.ts';
import { parsePartition } from '../../../daemon/node/link-faults.ts';
import { SeededRandom } from '../../../src/core/random.ts';

const nodes = 5;

function draw(seed: number, rounds: number, leader = 1): Round[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: rounds }, () => drawRound((bound) => random.below(bound), nodes, leader));
}

const faultsOf = ({ links, nodes: processes }: Round) => [...links, ...processes];

describe('bench chaos: the faults', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(draw(7, 20)).to.deep.equal(draw(7, 20));
    expect(draw(7, 20)).to.not.deep.equal(draw(8, 20));
  });

  it('are of every kind, and none of them lasts', () => {
    const faults = draw(1, 200).flatMap(faultsOf);

    expect(new Set(faults.map(({ kind }) => kind))).to.deep.equal(new Set(faultKinds));
    for (const { forMs } of faults) expect(forMs).to.be.within(500, 8000);
    for (const round of draw(1, 200)) expect(faultsOf(round)).to.not.have.length(0);
  });

  it('cut links that exist, long enough to be seen, one fault after the other', () => {
    for (const { links } of draw(1, 200)) {
      let freeMs = 0;
      for (const { links: text, atMs, forMs } of links) {
        const isLost = parsePartition(text, nodes);
        const pairs = Array.from({ length: nodes * nodes }, (_, i) => [1 + Math.floor(i / nodes), 1 + (i % nodes)] as const);
        expect(
          pairs.some(([hearer, speaker]) => hearer !== speaker && isLost(hearer, speaker)),
          text,
        ).to.equal(true);
        expect(forMs).to.be.at.least(2000);
        expect(atMs).to.be.at.least(freeMs);
        freeMs = atMs + forMs;
      }
    }
  });

  it('are aimed at the leader more often than at others', () => {
    const alone = draw(3, 400, 4).flatMap(({ nodes: faults }) =>
      faults.filter((fault) => fault.nodes.length === 1).map((fault) => fault.nodes[0]),
    );

    expect(alone.filter((node) => node === 4).length).to.be.above(alone.length / 2);
  });
});
