import { expect } from 'chai';
import { nodeId, type NodeId } from '../../src/core/ids.ts';
import { Suspicion } from '../../src/detector/suspicion.ts';

const [n1, n2, n3, n4, n5] = ['n1', 'n2', 'n3', 'n4', 'n5'].map(nodeId) as [NodeId, NodeId, NodeId, NodeId, NodeId];

describe('suspicion (Lifeguard, section 4.B)', () => {
  it('shortens by the logarithm of the confirmations', () => {
    const suspicion = new Suspicion({ incarnation: 1, sinceMs: 0, by: n1, wanted: 3, minMs: 2000, maxMs: 30_000 });
    expect(suspicion.timeoutMs).to.equal(30_000);
    const table = [
      [n2, 16_000],
      [n3, 7811],
      [n4, 2000],
    ] as const;
    for (const [by, timeoutMs] of table) {
      expect(suspicion.confirm(by)).to.equal(true);
      expect(suspicion.timeoutMs).to.be.closeTo(timeoutMs, 1);
    }
    expect(suspicion.isOver(1999)).to.equal(false);
    expect(suspicion.isOver(2000)).to.equal(true);
    expect(suspicion.confirm(n5), 'enough is enough').to.equal(false);
  });

  it('counts an accuser once', () => {
    const suspicion = new Suspicion({ incarnation: 1, sinceMs: 0, by: n1, wanted: 3, minMs: 1, maxMs: 10 });
    expect(suspicion.confirm(n1)).to.equal(false);
    expect(suspicion.confirm(n2)).to.equal(true);
    expect(suspicion.confirm(n2)).to.equal(false);
    expect(suspicion.accusers).to.deep.equal([n1, n2]);
  });
});
