import { expect } from 'chai';
import * as fc from 'fast-check';
import { nodeId } from '../../src/core/ids.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { Update } from '../../src/detector/messages.ts';
import { Swim } from '../../src/detector/swim.ts';
import { names, SwimNetwork } from './support.ts';

const self = nodeId('self');
const n1 = nodeId('n1');
const n2 = nodeId('n2');

function swim(): Swim {
  const one = new Swim({ self, tickMs: 50, periodMs: 1000, random: new SeededRandom(1), incarnation: 5 }, 0);
  one.setPeers([n1, n2]);
  return one;
}

const say = (one: Swim, ...updates: Update[]): void => one.step(n2, { type: 'Ack', nonce: 0, updates }, 0);
const update = (status: Update['status'], incarnation: number): Update => ({ node: n1, status, incarnation, by: n2 });

describe('SWIM with Lifeguard', () => {
  it('orders what is said of a node by incarnation, then by severity (SWIM, section 4.2)', () => {
    const table: readonly (readonly [before: Update, after: Update, expected: Update['status']])[] = [
      [update('suspect', 3), update('alive', 3), 'suspect'],
      [update('suspect', 3), update('alive', 4), 'alive'],
      [update('dead', 3), update('alive', 3), 'dead'],
      [update('dead', 3), update('alive', 2), 'dead'],
      [update('dead', 3), update('alive', 4), 'alive'],
      [update('dead', 3), update('suspect', 3), 'dead'],
      [update('alive', 3), update('suspect', 3), 'suspect'],
      [update('alive', 3), update('suspect', 2), 'alive'],
      [update('alive', 3), update('dead', 2), 'alive'],
    ];
    for (const [before, after, expected] of table) {
      const one = swim();
      say(one, before, after);
      expect(one.status(n1), `${JSON.stringify(before)} ${JSON.stringify(after)}`).to.equal(expected);
    }
  });

  it('refutes with a higher incarnation when it is suspected, and not when that is old news', () => {
    const one = swim();
    say(one, { node: self, status: 'suspect', incarnation: 4, by: n2 });
    expect(one.incarnation).to.equal(5);

    say(one, { node: self, status: 'suspect', incarnation: 5, by: n2 });
    expect(one.incarnation).to.equal(6);
    one.step(n2, { type: 'Probe', nonce: 9, updates: [] }, 0);
    const told = one.takeReady()?.messages.flatMap(({ message }) => message.updates);
    expect(told).to.deep.include({ node: self, status: 'alive', incarnation: 6, by: self });
  });

  it('ends in the same state in whatever order the news comes', () => {
    const news = fc.array(
      fc.record({ status: fc.constantFrom('alive' as const, 'suspect' as const, 'dead' as const), incarnation: fc.nat(4) }),
      {
        minLength: 1,
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(news, fc.integer(), (sayings, seed) => {
        const [a, b] = [swim(), swim()];
        const random = new SeededRandom(seed);
        const shuffled = sayings.map((item) => ({ item, at: random.below(1000) })).toSorted((x, y) => x.at - y.at);
        for (const { status, incarnation } of sayings) say(a, update(status, incarnation));
        for (const { item } of shuffled) say(b, update(item.status, item.incarnation));
        return a.status(n1) === b.status(n1);
      }),
    );
  });

  it('tells all of 100 nodes of a death, with who says so, and nobody of anything else', () => {
    const network = new SwimNetwork(100);
    const [dead = self] = names(1);
    network.run(10_000);
    network.down.add(dead);

    let toldMs = 0;
    while (network.saying(dead, 'dead').length < 99 && toldMs < 60_000) {
      network.run(1000);
      toldMs += 1000;
    }

    expect(toldMs).to.be.lessThan(40_000);
    for (const node of names(100).slice(1)) {
      expect(network.saying(node, 'alive'), node).to.have.lengthOf(98);
      expect(network.of(node).evidence(dead)?.accused).to.equal(dead);
    }
  }).timeout(30_000);

  it('takes a node for alive that paused and comes back, and that node accuses nobody', () => {
    const network = new SwimNetwork(80);
    const [slow = self] = names(1);
    network.run(10_000);
    network.paused.add(slow);
    network.run(5000);
    network.paused.delete(slow);
    network.run(30_000);

    expect(network.saying(slow, 'alive')).to.have.lengthOf(79);
    expect([...network.nodes.values()].flatMap((one) => names(80).filter((node) => one.status(node) === 'dead'))).to.deep.equal([]);
  }).timeout(30_000);

  it('takes back a node that was dead for all, once it hears of it and refutes', () => {
    const network = new SwimNetwork(70);
    const [gone = self] = names(1);
    network.run(5000);
    network.down.add(gone);
    network.run(60_000);
    expect(network.saying(gone, 'dead').length).to.equal(69);

    network.down.delete(gone);
    network.run(90_000);

    expect(network.saying(gone, 'alive').length).to.equal(69);
  }).timeout(30_000);
});
