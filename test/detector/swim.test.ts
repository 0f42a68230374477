import { expect } from 'chai';
import * as fc from 'fast-check';
import { nodeId } from '../../src/core/ids.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { LinkState } from '../../src/detector/link-watch.ts';
import type { Update } from '../../src/detector/messages.ts';
import { Swim } from '../../src/detector/swim.ts';
import { names, SwimNetwork } from './support.ts';

const self = nodeId('self');
const n1 = nodeId('n1');
const n2 = nodeId('n2');

function swim(): Swim {
  const one = new Swim({ self, tickMs: 50, heartbeatMs: 100, random: new SeededRandom(1), incarnation: 5 }, 0);
  one.setPeers([n1, n2]);
  return one;
}

const say = (one: Swim, ...updates: Update[]): void => one.step(n2, { type: 'Ack', nonce: 0, updates }, 0);
const update = (status: Update['status'], incarnation: number): Update => ({ node: n1, status, incarnation, by: n2 });

describe('SWIM with Lifeguard', () => {
  it('orders what is said of a node by incarnation, then by severity (SWIM, section 4.2)', () => {
    const table: readonly (readonly [before: Update, after: Update, expected: LinkState])[] = [
      [update('suspect', 3), update('alive', 3), 'suspect'],
      [update('suspect', 3), update('alive', 4), 'up'],
      [update('dead', 3), update('alive', 3), 'down'],
      [update('dead', 3), update('alive', 2), 'down'],
      [update('dead', 3), update('alive', 4), 'up'],
      [update('dead', 3), update('suspect', 3), 'down'],
      [update('alive', 3), update('suspect', 3), 'suspect'],
      [update('alive', 3), update('suspect', 2), 'up'],
      [update('alive', 3), update('dead', 2), 'up'],
    ];
    for (const [before, after, expected] of table) {
      const one = swim();
      say(one, before, after);
      expect(one.state(n1), `${JSON.stringify(before)} ${JSON.stringify(after)}`).to.equal(expected);
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

  it('announces itself with its first messages, so that what was said of an earlier life is over', () => {
    const one = swim();
    one.step(n2, { type: 'Probe', nonce: 9, updates: [] }, 0);

    expect(one.takeReady()?.messages[0]?.message.updates).to.deep.equal([{ node: self, status: 'alive', incarnation: 5, by: self }]);
  });

  it('asks who is taken for dead and yet speaks, so that it hears of it and refutes; and not again at once', () => {
    const one = swim();
    say(one, update('dead', 3));
    one.takeReady();
    one.heard(n1, 1000);
    one.heard(n1, 1010);

    const asked = one.takeReady()?.messages ?? [];
    expect(asked.map(({ to, message }) => [to, message.type])).to.deep.equal([[n1, 'Probe']]);
    expect(asked[0]?.message.updates).to.deep.include({ node: n1, status: 'dead', incarnation: 3, by: n2 });
    expect(one.state(n1), 'only its own word counts').to.equal('down');
    say(one, update('alive', 4));
    expect(one.takeReady()?.changes).to.deep.equal([{ peer: n1, from: 'down', to: 'up', evidence: undefined }]);
  });

  it('suspects nobody whose frames come, though the answer to a probe is lost', () => {
    const one = swim();
    one.setPeers([n1]);
    for (let nowMs = 50; nowMs <= 10_000; nowMs += 50) {
      one.heard(n1, nowMs);
      one.tick(nowMs);
    }

    expect(one.state(n1)).to.equal('up');
  });

  it('says after three probes that only others could deliver that the link is lost and not the node, until a frame comes', () => {
    const one = swim();
    let requests = 0;
    for (let nowMs = 50; one.state(n1) === 'up' && nowMs < 20_000; nowMs += 50) {
      one.tick(nowMs);
      for (const { to, message } of one.takeReady()?.messages ?? []) {
        if (message.type === 'Probe' && to === n1) continue;
        if (message.type === 'ProbeRequest') requests++;
        one.heard(to, nowMs);
        one.step(to, { type: 'Ack', nonce: message.nonce, updates: [] }, nowMs);
      }
    }

    expect(requests).to.equal(3);
    expect([one.state(n1), one.isReachedByOthers(n1), one.isHeard(n1)]).to.deep.equal(['down', true, false]);
    expect(one.evidence(n1)).to.include({ accuser: self, measure: 'probe' });
    one.heard(n1, 20_000);
    expect([one.state(n1), one.isReachedByOthers(n1), one.evidence(n1)]).to.deep.equal(['up', false, undefined]);
  });

  it('gives a suspect more time to refute the slower it is itself', () => {
    const [well, slow] = [swim(), swim()];
    for (let i = 0; i < 3; i++) slow.health.onLoopDelay(1000);
    // n2 stands alone with it, since this node hears n1: 6 * 4 periods.
    for (const one of [well, slow]) say(one, update('suspect', 3));
    const deadAfterMs = (one: Swim): number => {
      let nowMs = 0;
      while (one.state(n1) !== 'down') {
        one.heard(n1, (nowMs += 50));
        one.tick(nowMs);
        slow.health.onLoopDelay(1000);
      }
      return nowMs;
    };

    expect(deadAfterMs(well)).to.be.within(24_000, 24_100);
    expect(deadAfterMs(slow)).to.be.greaterThan(4 * 24_000);
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
        return a.state(n1) === b.state(n1);
      }),
    );
  });

  it('tells all of 100 nodes of a death, with who says so, and nobody of anything else', () => {
    const network = new SwimNetwork(100);
    const [dead = self] = names(1);
    network.run(10_000);
    network.down.add(dead);

    let toldMs = 0;
    while (network.saying(dead, 'down').length < 99 && toldMs < 60_000) {
      network.run(1000);
      toldMs += 1000;
    }

    expect(toldMs).to.be.lessThan(40_000);
    for (const node of names(100).slice(1)) {
      expect(network.saying(node, 'up'), node).to.have.lengthOf(98);
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

    expect(network.saying(slow, 'up')).to.have.lengthOf(79);
    expect([...network.nodes.values()].flatMap((one) => names(80).filter((node) => one.state(node) === 'down'))).to.deep.equal([]);
  }).timeout(30_000);

  it('takes back a node that was dead for all, once it hears of it and refutes', () => {
    const network = new SwimNetwork(70);
    const [gone = self] = names(1);
    network.run(5000);
    network.down.add(gone);
    network.run(60_000);
    expect(network.saying(gone, 'down').length).to.equal(69);

    network.down.delete(gone);
    network.run(90_000);

    expect(network.saying(gone, 'up').length).to.equal(69);
  }).timeout(30_000);
});
