import { expect } from 'chai';
import * as fc from 'fast-check';
import type { NodeId } from '../../../src/core/ids.ts';
import { groups, type Hears } from '../support.ts';
import { HealNetwork } from './network.ts';

const everyone: Hears = () => true;

/** Five nodes, led by 1; after `forMs` apart like this. */
function split(text: string, forMs = 5000, leader = 0): HealNetwork {
  const network = new HealNetwork(5);
  network.leader = network.ids[leader] ?? network.leader;
  network.run(1000);
  network.set(groups(text));
  network.run(forMs);
  return network;
}

const newest = (network: HealNetwork, id: NodeId) => network.reports.get(id)?.at(-1);

describe('heal: all of it (4.7)', () => {
  it('is whole within 700 ms of the links being back, on every kind of split', () => {
    for (const text of ['1,2,3/4,5', '1,2/3,4,5', '1/2,3,4,5', '1,2,3/3,4,5', '1/2/3/4/5', '1,2/2,3/3,4/4,5']) {
      const network = split(text);
      network.commit(network.leader, 500, 2);
      network.set(everyone);
      expect(network.untilWhole(10_000), text).to.be.lessThan(700);
      // A bridge lost nobody, and has nothing to report.
      for (const id of network.ids)
        if (text !== '1,2,3/3,4,5' || id !== 'n3') expect(newest(network, id)?.termAfter, `${text} ${id}`).to.equal(2);
    }
  });

  it('reports the same on every node, with what all of them did', () => {
    const network = split('1,2,3/4,5');
    network.commit(network.leader, 10, 2);
    network.set(everyone);
    network.untilWhole(10_000);

    const [report] = network.ids.map((id) => newest(network, id));
    for (const id of network.ids) expect(network.reports.get(id), id).to.deep.equal([report]);
    expect(report?.raft.caughtUpEntries, 'each said one').to.equal(5);
    expect(report?.durationMs).to.be.lessThan(700);
    expect(report).to.include({
      id: '1-1',
      class: 'complete',
      start: 1300,
      leaderBefore: 'n1',
      leaderAfter: 'n1',
      termBefore: 1,
      termAfter: 2,
    });
  });

  it('waits until everyone has what was committed when they met', () => {
    const network = split('1,2,3/4,5');
    network.commit(network.leader, 30_000, 2);
    network.catchUpPerMs = 10;
    network.set(everyone);
    const wholeMs = network.untilWhole(20_000);

    expect(wholeMs).to.be.greaterThan(2900);
    for (const id of network.ids) expect(network.log(id).terms).to.have.length(30_003);
  });

  it('waits for the gossip of whom it met again, and not for that of a member that was taken in anew instead', () => {
    const network = split('1,2,3/4,5');
    const [n1, , , , n5] = network.ids as [NodeId, NodeId, NodeId, NodeId, NodeId];
    network.unmerged.add(n5);
    for (const id of network.ids.slice(0, 3)) {
      const peers = network.ids.filter((peer) => peer !== id);
      network.heal(id).setPeers(peers.filter((peer) => peer !== n5));
      network.heal(id).setPeers(peers);
    }

    network.set(everyone);
    network.run(3000);
    const anew = newest(network, n1);
    network.set(groups('1,2,3,4/5'));
    network.run(3000);
    network.set(everyone);
    network.run(3000);
    const waiting = newest(network, n1);
    network.unmerged.clear();
    network.untilWhole(3000);

    expect(anew, 'n5 was never met').to.not.equal(undefined);
    expect(waiting, 'n5 was met').to.equal(anew);
    expect(newest(network, n1)).to.not.equal(anew);
  });

  it('begins again when a second split comes during the heal, and ends once with one report', () => {
    const network = split('1,2,3/4,5');
    network.commit(network.leader, 20_000, 2);
    network.catchUpPerMs = 10;
    network.set(everyone);
    network.run(400);
    network.set(groups('1,2,5/3,4'));
    network.run(2000);
    expect(network.ids.every((id) => network.heal(id).isActive)).to.equal(true);
    expect([...network.reports.values()].flat()).to.deep.equal([]);

    network.set(everyone);
    network.untilWhole(10_000);

    for (const id of network.ids) expect(network.reports.get(id), id).to.have.length(1);
    expect(newest(network, network.leader)?.notes[0]).to.match(/lost again \d+ times/);
  });

  it('is over for a node that came back before the others noticed', () => {
    const network = split('1,2,3/4,5', 304);
    network.set(everyone);
    expect(network.untilWhole(10_000)).to.be.lessThan(2500);
  });

  it('takes a node that was started anew for whole, without waiting for a word of a heal that it does not know', () => {
    const network = split('1,2,3,4/5');
    const [, , , , n5 = network.leader] = network.ids;
    network.start(n5, 2, [1, 1, 1]);
    network.set(everyone);

    expect(network.untilWhole(10_000)).to.be.lessThan(1500);
    expect(network.reports.get(n5), 'it has nothing to report').to.deep.equal([]);
  });

  it('merges nothing with who committed something else, and stays unhealed', () => {
    const network = split('1,2,3/4,5');
    const [, , , n4 = network.leader] = network.ids;
    network.commit(n4, 10, 9);
    network.commit(network.leader, 5, 2);
    network.set(everyone);
    network.run(3000);

    expect(network.diverged).to.deep.include([n4, network.leader]);
    expect(network.heal(network.leader).isActive).to.equal(true);
    expect(network.heal(n4).way(network.leader)).to.equal('diverged');
  });

  it('has a new leader finish what an old one began', () => {
    const network = split('1,2,3/4,5');
    network.commit(network.leader, 20_000, 2);
    network.catchUpPerMs = 10;
    network.set(everyone);
    network.run(500);
    network.leader = network.ids[1] ?? network.leader;
    network.commit(network.leader, 1, 3);
    const [, n2 = network.leader] = network.ids;
    network.log(n2).terms = network.log(network.ids[0] ?? n2).terms.slice();

    network.untilWhole(10_000);

    for (const id of network.ids) expect(newest(network, id)?.leaderAfter, id).to.equal(n2);
  });

  it('rejoins five that were apart one by one', () => {
    const network = split('1/2/3/4/5');
    for (const text of ['1,2/3/4/5', '1,2,3/4/5', '1,2,3,4/5']) {
      network.set(groups(text));
      network.run(2000);
      expect(network.heal(network.leader).isActive, text).to.equal(true);
    }
    network.set(everyone);
    expect(network.untilWhole(5000)).to.be.lessThan(700);
  });

  it('ends whole and equal, whatever splits follow each other and though messages are lost', () => {
    const some = fc.array(
      fc.tuple(
        fc.constantFrom('1,2/3,4,5', '1/2,3,4,5', '1,2,3/3,4,5', '1/2/3/4/5', '1,3,5/2,4'),
        fc.integer({ min: 100, max: 3000 }),
        fc.integer({ min: 50, max: 1500 }),
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 1000 }), (splits, seed) => {
        const network = new HealNetwork(5, seed);
        network.lossPercent = 10;
        for (const [text, apartMs, togetherMs] of splits) {
          network.set(groups(text));
          network.commit(network.leader, 50, 2);
          network.run(apartMs);
          network.set(everyone);
          network.run(togetherMs);
        }
        network.untilWhole(30_000);
        return network.ids.every(
          (id) => !network.heal(id).isActive && network.log(id).terms.length === network.log(network.leader).terms.length,
        );
      }),
      { numRuns: 40 },
    );
  }).timeout(60_000);
});
