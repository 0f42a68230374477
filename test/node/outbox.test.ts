import { expect } from 'chai';
import { nodeId, type NodeId } from '../../src/core/ids.ts';
import { Outbox } from '../../src/node/outbox.ts';

const [n1, n2] = ['n1', 'n2'].map(nodeId) as [NodeId, NodeId];

describe('node: what a node sends', () => {
  it('pings only whom it has told nothing for a heartbeat: every frame is a sign of life', () => {
    const sent: NodeId[] = [];
    const outbox = new Outbox(1, (to) => sent.push(to));
    const pinged = (): NodeId[] => {
      outbox.ping([n1, n2], 5);
      return sent.splice(0);
    };
    const first = pinged();
    for (let tick = 0; tick < 3; tick++) outbox.tick();
    outbox.frame(n1, { kind: 'heads', heads: [] });
    sent.splice(0);

    const afterThree = pinged();
    for (let tick = 0; tick < 2; tick++) outbox.tick();
    const afterFive = pinged();
    for (let tick = 0; tick < 3; tick++) outbox.tick();
    const afterEight = pinged();

    expect([first, afterThree, afterFive, afterEight]).to.deep.equal([[n1, n2], [], [n2], [n1]]);
  });
});
