import { expect } from 'chai';
import type { NodeId } from '../../src/core/ids.ts';
import { LargeWorld, type LinkNews } from '../../sim/large-world.ts';

const down = (world: LargeWorld): readonly LinkNews[] => world.news.filter(({ state }) => state === 'down');
const lost = (world: LargeWorld): NodeId[] => [...new Set(down(world).map(({ peer }) => peer))];
/** Whom anybody doesn't take for well. */
const unsure = (world: LargeWorld): NodeId[] =>
  world.ids.filter((peer) => world.up.some((id) => world.partition(id).detector.state(peer) !== 'up'));
const states = (world: LargeWorld): string[] => [...new Set(world.up.map((id) => world.partition(id).standing.state))];
const nth = (world: LargeWorld, n: number): NodeId => world.ids[n - 1] ?? raise();

function raise(): never {
  throw new Error('no such node');
}

/**
 * In periods of a second: a node is probed once a period on average, so the fourth of those that accuse it of their own does so within 12 (all but once in 400 deaths),
 * and needs one more for it; from then on its suspicion is as short as it gets, 4 log10 n (Lifeguard, section 4.B).
 */
const boundMs = (nodes: number): number => 1000 * (12 + 1 + 4 * Math.log10(nodes));

describe('sim: more nodes than can all tell each other directly', () => {
  it('all know of a death by SWIM within its bound, with who says so, and of no other; and of the return', () => {
    const world = new LargeWorld({ seed: 1, nodes: 70 });
    world.run(7000);
    expect(states(world)).to.deep.equal(['healthy']);
    const before = world.sent.partition;
    world.run(1000);
    expect(world.sent.partition - before, 'probes and answers, but no rows').to.be.below(4 * 70);

    const [victim, killedMs] = [nth(world, 42), world.nowMs];
    world.kill(victim);
    while (down(world).length < 69 && world.nowMs - killedMs < boundMs(70)) world.run(500);

    expect(lost(world)).to.deep.equal([victim]);
    expect(down(world)).to.have.lengthOf(69);
    for (const id of world.up) {
      const { detector, standing } = world.partition(id);
      expect(standing, id).to.include({ state: 'majority', class: 'node-loss' });
      const { accused, accuser, measure } = detector.evidence(victim) ?? raise();
      expect([accused, world.up.includes(accuser), measure], id).to.deep.equal([victim, true, 'told']);
    }

    world.start(victim);
    world.run(5000);

    expect(states(world)).to.deep.equal(['healthy']);
    expect(unsure(world)).to.deep.equal([]);
  }).timeout(60_000);

  it('who is silent for five seconds and suspected for it refutes, though a tenth of all frames is lost: nobody is ever called down', () => {
    const world = new LargeWorld({ seed: 2, nodes: 70 });
    world.run(7000);
    world.loss = 10;
    for (const mute of [nth(world, 3), nth(world, 60)]) {
      world.hears = (hearer, speaker) => hearer !== mute && speaker !== mute;
      world.run(5000);
      world.hears = () => true;
      world.run(6000);

      const suspecting = world.news.filter(({ state, peer, by }) => state === 'suspect' && peer === mute && by !== mute);
      expect(suspecting, mute).not.to.have.lengthOf(0);
      expect(unsure(world)).to.deep.equal([]);
    }

    expect(down(world)).to.deep.equal([]);
  }).timeout(60_000);

  it('both sides of a split say which they are within twelve seconds, and all are whole within ten of its end', () => {
    const world = new LargeWorld({ seed: 3, nodes: 70 });
    world.run(7000);
    const isFirst = (id: NodeId): boolean => world.ids.indexOf(id) < 3 || world.ids.indexOf(id) >= 30;
    world.hears = (hearer, speaker) => isFirst(hearer) === isFirst(speaker);
    world.run(12_000);

    for (const id of world.ids) {
      expect(world.partition(id).standing, id).to.include({ state: isFirst(id) ? 'majority' : 'minority', class: 'complete' });
      expect(
        world
          .partition(id)
          .view?.sides.map((side) => side.length)
          .toSorted((a, b) => a - b),
      ).to.deep.equal([27, 43]);
    }
    world.run(6000);
    expect(lost(world).length, 'of whom SWIM has given up already').to.be.above(27);
    world.hears = () => true;
    world.run(10_000);

    expect(states(world)).to.deep.equal(['healthy']);
    expect(unsure(world)).to.deep.equal([]);
  }).timeout(60_000);

  it('a cluster that becomes large, and small again, forgets nobody it had lost and loses nobody by it', () => {
    const world = new LargeWorld({ seed: 4, nodes: 65, members: 64 });
    world.run(2000);
    const dead = nth(world, 40);
    world.kill(dead);
    world.run(600);
    expect(down(world)).to.have.lengthOf(63);

    world.setMembers(65);
    world.run(5000);
    world.setMembers(64);
    world.run(2000);

    expect(lost(world)).to.deep.equal([dead]);
    expect(down(world)).to.have.lengthOf(63);
    world.start(dead);
    world.run(1500);
    const standings = world.ids.slice(0, 64).map((id) => world.partition(id).standing.state);
    expect([...new Set(standings)]).to.deep.equal(['healthy']);
  }).timeout(60_000);
});
