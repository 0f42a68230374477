import { expect } from 'chai';
import type { NodeId } from '../../../src/core/ids.ts';
import { groups, type Hears } from '../../partition/support.ts';
import { simulatedKeys } from '../../../sim/simulated-keys.ts';
import { Relays } from '../../../src/node/partition/relays.ts';
import { encodePartitionFrame, type Relayed } from '../../../src/wire/partition.ts';
import { placesOf } from '../../../src/wire/rows.ts';
import { PartitionNetwork } from './network.ts';

const everyone: Hears = () => true;

function whole(count = 5): PartitionNetwork {
  const network = new PartitionNetwork(count);
  network.run(3000);
  return network;
}

const idsOf = (network: PartitionNetwork): [NodeId, NodeId, NodeId, NodeId, NodeId] => {
  const [a, b, c, d, e] = network.ids;
  if (a === undefined || b === undefined || c === undefined || d === undefined || e === undefined) throw new Error('five nodes');
  return [a, b, c, d, e];
};

describe('node: partitions', () => {
  it('is healthy soon after the start, and leaves no record of it', () => {
    const network = whole();
    expect(network.states()).to.equal('healthy healthy healthy healthy healthy');
    expect(network.ids.map((id) => network.of(id).history.splits.length)).to.deep.equal([0, 0, 0, 0, 0]);
  });

  it('classifies a split at every node within a second, and is whole within a second of the links being back', () => {
    const network = whole();
    network.hears = groups('1,2/3,4,5');
    network.run(1000);
    expect(network.states()).to.equal('minority minority majority majority majority');
    expect(network.ids.map((id) => network.of(id).standing.class)).to.deep.equal([
      'complete',
      'complete',
      'complete',
      'complete',
      'complete',
    ]);

    network.run(4000);
    network.hears = everyone;
    network.run(1000);

    expect(network.states()).to.equal('healthy healthy healthy healthy healthy');
    for (const id of network.ids) {
      const [split] = network.of(id).history.splits;
      expect(split, id).to.include({ class: 'complete' });
      expect(split?.detectedMs).to.be.lessThan(1000);
      expect(split?.report?.durationMs, id).to.be.lessThan(1000);
      expect(split?.report?.sides.flat()).to.have.members([...network.ids]);
    }
  });

  it('says what each returning node had to give up', () => {
    const network = whole();
    const [n1] = idsOf(network);
    network.hears = groups('1,2/3,4,5');
    network.run(100);
    // The old leader takes entries that it can't commit any more.
    network.log(n1).terms.push(1, 1, 1);
    const { committed, terms } = network.log(n1);
    const uncommitted = terms.map((_term, i) => i + 1).slice(committed);
    network.run(4000);
    network.hears = everyone;
    network.run(1000);

    const report = network.of(n1).history.splits[0]?.report;
    expect(report?.raft.truncated.map(({ index }) => index)).to.deep.equal(uncommitted);
    expect(uncommitted).to.have.length.of.at.least(3);
    expect(report?.raft.caughtUpEntries).to.be.greaterThan(0);
  });

  it('is not whole before what both sides gossiped is merged, and lists what both wrote of one key', () => {
    const network = whole();
    const [n1, , , n4] = idsOf(network);
    network.write(n1, 'k', 'before');
    network.run(500);
    network.hears = groups('1,2/3,4,5');
    network.run(2000);
    network.write(n1, 'k', 'one');
    network.write(n4, 'k', 'four');
    network.write(n4, 'other', 'four');
    network.run(500);
    network.hears = everyone;
    network.run(1000);

    expect(network.states()).to.equal('healthy healthy healthy healthy healthy');
    const { gossip } = network.of(n1).history.splits[0]?.report ?? raise();
    const nth = (node: string, number: number): string => `${node}:${2 ** 32 + number}`;
    expect(gossip.conflicts).to.deep.equal([{ key: 'k', winnerDot: nth('n4', 1), losers: [nth('n1', 2)] }]);
    // Each side has something that the other takes in from whomever of it is first.
    expect(gossip.merged).to.be.greaterThan(4);
  });

  it('goes on healing as long as a peer does not give what it has', () => {
    const network = whole();
    const [n1, n2] = idsOf(network);
    network.hears = groups('1/2,3,4,5');
    network.run(2000);
    network.write(n2, 'k', 'two');
    network.run(500);
    network.isGossipLost = true;
    network.hears = everyone;
    network.run(3000);
    expect(network.of(n1).isHealing).to.equal(true);

    network.isGossipLost = false;
    network.run(1000);

    expect(network.states()).to.equal('healthy healthy healthy healthy healthy');
    expect(network.of(n1).isHealing).to.equal(false);
  });

  it('knows by hearsay what it can not hear: at both ends of a bridge', () => {
    const network = whole();
    const [n1, n2, n3, n4, n5] = idsOf(network);
    network.hears = groups('1,2,3/3,4,5');
    network.run(1500);

    expect(network.of(n1).row(n5)?.row.heard).to.have.members([n3, n4, n5]);
    expect(network.of(n1).view?.sides).to.deep.equal([network.ids]);
    expect(network.of(n1).standing).to.deep.equal({ state: 'majority', class: 'partial', degraded: true });
    expect(network.of(n1).detector.isReachedByOthers(n5)).to.equal(true);
    expect(network.of(n2).view?.bftDirect()).to.equal(false);
  });

  it('tells a link that works one way, with its direction', () => {
    const network = whole();
    const [n1, n2, n3] = idsOf(network);
    network.hears = (hearer, speaker) => !(hearer === n2 && speaker === n1);
    network.run(1500);

    for (const id of [n1, n2, n3]) expect(network.of(id).view?.oneWay, id).to.deep.equal([{ heard: n2, hearing: n1 }]);
    expect(network.of(n3).standing).to.include({ state: 'majority', class: 'simplex', degraded: true });
    network.hears = everyone;
    network.run(1500);
    expect(network.states()).to.equal('healthy healthy healthy healthy healthy');
  });

  it('knows of itself that nobody hears it though it hears all, and not of others, nor before or after', () => {
    const network = whole();
    const [n1, , n3] = idsOf(network);
    network.hears = (hearer, speaker) => hearer === speaker || speaker !== n3;
    expect([...network.unheard]).to.deep.equal([]);
    network.run(1000);

    expect(network.of(n3).standing.state).to.equal('minority');
    expect([...network.unheard]).to.deep.equal([n3]);
    network.hears = everyone;
    network.run(1000);
    expect([...network.unheard]).to.deep.equal([]);

    network.hears = (hearer, speaker) => !(hearer === n1 && speaker === n3);
    network.run(2000);
    expect([...network.unheard], 'one link is not all').to.deep.equal([]);
  });

  it('takes a crashed node for lost, dials it, and is whole when it is back', () => {
    const network = whole();
    const [n1, , , , n5] = idsOf(network);
    network.down.add(n5);
    network.run(5000);
    expect(network.states()).to.equal('majority majority majority majority -');
    expect(network.of(n1).standing.class).to.equal('node-loss');
    expect(network.dials).to.be.greaterThan(50);

    network.start(n5);
    network.run(2500);

    expect(network.states()).to.equal('healthy healthy healthy healthy healthy');
    expect(network.of(n1).history.splits[0]?.report).to.include({ class: 'node-loss' });
  });

  it('heals splits of every kind within a second each, though they follow each other: that is no flapping', () => {
    const network = whole();
    for (const text of ['1,2/3,4,5', '1/2,3,4,5', '1,2,3/3,4,5', '2,4/1,3/5', '1/2/3/4/5']) {
      network.hears = groups(text);
      network.run(3000);
      network.hears = everyone;
      network.run(1000);
      expect(network.states(), text).to.equal('healthy healthy healthy healthy healthy');
      network.run(3000);
    }
  });

  it('tells rows in haste only while something changes, not for as long as a node is dead', () => {
    const network = whole();
    const [, , , , n5] = idsOf(network);
    const framesIn = (ms: number): number => {
      const before = network.framesSent;
      network.run(ms);
      return network.framesSent - before;
    };
    const calm = framesIn(1000);
    network.down.add(n5);

    const hasty = framesIn(1000);
    network.run(3000);

    expect(network.states()).to.equal('majority majority majority majority -');
    expect(hasty).to.be.greaterThan(3 * calm);
    expect(framesIn(1000)).to.be.at.most(calm);
  });

  it('has nobody wait for an election who hears a majority again and no leader', () => {
    const network = whole();
    const [n1, n2, n3, , n5] = idsOf(network);
    network.keepLeader(n5);
    network.hears = groups('1/2/3/4/5');
    network.run(3000);
    network.hastened.splice(0);

    network.hears = groups('1,2,3/4/5');
    network.run(500);

    expect(network.hastened).to.not.deep.equal([]);
    expect([n1, n2, n3], 'and nobody else').to.include.members(network.hastened);
  });

  it('leaves leadership where it is while links come back one after the other', () => {
    const network = whole();
    const [, , n3] = idsOf(network);
    network.keepLeader(n3);
    network.hears = groups('1,2/3,4,5');
    network.run(3000);

    network.hears = groups('1,2,4,5/2,3,4,5');
    network.run(200);
    network.hears = everyone;
    network.run(2000);

    expect(network.transfers).to.deep.equal([]);
    expect(network.states()).to.equal('healthy healthy healthy healthy healthy');
  });

  it('believes the rows of a new start at once, though the clock was set back before it', () => {
    const network = whole();
    const [n1, , , , n5] = idsOf(network);
    const before = network.of(n1).row(n5)?.row.boot ?? 0;
    network.clockOffsetMs = -500_000;

    network.start(n5);
    network.run(300);

    expect(network.of(n1).row(n5)?.row.boot).to.equal(before + 1);
  });

  it('heals a shatter into five, one by one', () => {
    const network = whole();
    network.hears = groups('1/2/3/4/5');
    network.run(3000);
    expect(network.states()).to.equal('minority minority minority minority minority');
    for (const text of ['1,2/3/4/5', '1,2,3/4/5', '1,2,3,4/5']) {
      network.hears = groups(text);
      network.run(12_000);
    }
    expect(network.states()).to.equal('majority majority majority majority minority');
    network.hears = everyone;
    network.run(2000);

    expect(network.states()).to.equal('healthy healthy healthy healthy healthy');
  });

  it('says no quorum on both sides of two and two', () => {
    const network = whole(4);
    network.hears = groups('1,2/3,4');
    network.run(1500);
    expect(network.states()).to.equal('no_quorum no_quorum no_quorum no_quorum');
  });

  it('drops and counts what it does not understand', () => {
    const network = whole();
    const [n1, n2] = idsOf(network);
    const before = network.of(n1).framesRefused;
    network.of(n1).onFrame(n2, Uint8Array.of(0xc1, 1, 2, 3));
    expect(network.of(n1).framesRefused).to.equal(before + 1);
  });

  it('never says of two sides at once that both can decide, at 20 nodes', () => {
    const network = whole(20);
    const camp = (node: NodeId): boolean => network.ids.indexOf(node) < 8;
    network.hears = (a, b) => camp(a) === camp(b);
    for (let i = 0; i < 10; i++) {
      network.run(200);
      const deciding = network.ids.filter((id) => network.of(id).standing.state === 'majority' && camp(id));
      if (i > 4) expect(deciding).to.deep.equal([]);
    }
    expect(new Set(network.states().split(' '))).to.deep.equal(new Set(['minority', 'majority']));
  }).timeout(60_000);

  it('sends by way of a third node what can not go directly, and only one hop', () => {
    const network = whole();
    const [n1, n2, n3, n4, n5] = idsOf(network);
    const frame = new Uint8Array([1, 2, 3]);
    network.of(n1).relay(n5, frame);
    network.hears = groups('1,2,3/3,4,5');
    network.run(1500);

    expect(network.relayed, 'over links that work').to.deep.equal([]);
    network.of(n1).relay(n5, frame);
    network.of(n1).relay(n2, frame);
    network.of(n1).relay(n4, new Uint8Array(100_000));
    network.run(100);

    expect(network.relayed).to.deep.equal([{ from: n1, to: n5, frame }]);
    expect(network.of(n3).framesRelayed).to.equal(1);
  });

  it('takes no relayed frame twice, changed, or in the name of another', () => {
    const network = whole();
    const [n1, , n3, , n5] = idsOf(network);
    const relays = new Relays({ self: n1, clusterTag: 1, boot: 1, keys: simulatedKeys(n1), nowMs: 0 });
    const relayed = relays.wrap(n5, new Uint8Array([1])) ?? raise();
    const give = (sent: Relayed): void =>
      network.of(n5).onFrame(n3, encodePartitionFrame(1, placesOf(network.ids), { kind: 'relay', relayed: sent }));

    give({ ...relayed, frame: new Uint8Array([2]) });
    give({ ...relayed, from: n3 });
    expect(network.relayed).to.deep.equal([]);
    give(relayed);
    give(relayed);

    expect(network.relayed).to.have.length(1);
  });

  it('believes no row that its node has not signed', () => {
    const network = whole();
    const [n1, n2, n3] = idsOf(network);
    const { row } = network.of(n1).row(n2) ?? raise();
    const lie = { ...row, seq: row.seq + 1000, heard: [] };
    const before = network.of(n1).framesRefused;

    network.of(n1).onFrame(n3, encodePartitionFrame(1, placesOf(network.ids), { kind: 'rows', rows: [lie] }));

    expect(network.of(n1).row(n2)?.row.heard).to.have.length(5);
    expect(network.of(n1).framesRefused).to.equal(before + 1);
  });

  it('takes rows of the gossip into the same matrix: the newest counts, and the first of a life says nothing of the present', () => {
    const network = whole();
    const [n1, n2, , , n5] = idsOf(network);
    network.hears = (a, b) => a === b || (a !== n5 && b !== n5);
    network.run(2000);
    const reader = network.of(n1);
    const told = (): Uint8Array => network.published.get(n5) ?? Uint8Array.of();
    expect(reader.freshRows).to.equal(4);

    reader.onGossip(told());
    expect(reader.freshRows, 'n5 goes on').to.equal(5);
    const { seq } = reader.row(n5)?.row ?? { seq: 0 };
    network.run(500);
    const forged = Uint8Array.from(told());
    forged[forged.length - 1] = 1 + (forged.at(-1) ?? 0);
    const refused = reader.framesRefused;
    reader.onGossip(forged);
    reader.onGossip(Uint8Array.of(1));
    expect(reader.framesRefused).to.equal(refused + 2);
    expect(reader.row(n5)?.row.seq).to.equal(seq);

    network.hears = () => false;
    network.start(n2);
    network.run(20);
    network.of(n2).onGossip(told());
    expect(network.of(n2).row(n5)?.row.node).to.equal(n5);
    network.run(20);
    expect(network.of(n2).row(n5)?.ageMs, 'of any age').to.be.greaterThan(1000);
  });

  it('hands leadership over to who is better connected, and resigns when it can not lead', () => {
    const network = whole();
    const [n1, , n3] = idsOf(network);
    network.hears = groups('1,2,3/3,4,5');
    network.run(2000);
    expect(network.transfers).to.deep.equal([n3]);
    expect(network.resigned).to.deep.equal([]);
    expect(network.of(n3).mayLead(n1)).to.equal(true);

    network.hears = groups('1,2/2,3,4,5');
    network.run(100);
    network.keepLeader(n1);
    network.run(2000);

    expect(network.resigned[0]).to.equal(n1);
    expect(network.of(n3).mayLead(n1)).to.equal(false);
  });
});

function raise(): never {
  throw new Error('it is there');
}
