import { expect } from 'chai';
import type { NodeId } from '../../src/core/ids.ts';
import { campaignDelay, isMisplaced, mayLead, preferredLeaders } from '../../src/partition/placement.ts';
import { RelayBudget, relayFor } from '../../src/partition/relay.ts';
import { Matrix } from '../../src/partition/matrix.ts';
import { ReachGraph } from '../../src/partition/reach-graph.ts';
import { groups, nodes, row } from './support.ts';

const all = nodes(5);
const [n1, n2, n3, n4, n5] = all as [NodeId, NodeId, NodeId, NodeId, NodeId];

describe('partition: where a leader belongs (4.5)', () => {
  it('grants no pre-vote to a candidate whose fresh row shows no majority', () => {
    const matrix = new Matrix();
    expect(mayLead(n1, matrix, 0), 'no row').to.equal(true);
    matrix.put(row(n1, 1, [n1, n2], { electable: false }), 0);
    expect(mayLead(n1, matrix, 0)).to.equal(false);
    expect(mayLead(n1, matrix, 1001), 'a stale row').to.equal(true);
    matrix.put(row(n1, 2, [n1, n2], { electable: true }), 0);
    expect(mayLead(n1, matrix, 0), 'two are enough in its configuration').to.equal(true);
  });

  it('lets those stand first that are connected with more voters, and nobody wait when all are alike', () => {
    const graph = new ReachGraph(all, groups('1,2,3/3,4,5/2,3,4'));
    expect(all.map((node) => campaignDelay(node, all, graph))).to.deep.equal([1, 0.5, 0, 0.5, 1]);

    const whole = new ReachGraph(all, () => true);
    expect(all.map((node) => campaignDelay(node, all, whole))).to.deep.equal([0, 0, 0, 0, 0]);
    const split = new ReachGraph(all, groups('1,2/3,4,5'));
    expect(campaignDelay(n1, all, split), 'others out of reach').to.equal(0);
  });

  it('moves the leader of a quorum-loss split to the only node that hears a majority (OmniPaxos, figure 1a)', () => {
    // Everyone hears 3 alone, and the leader was 1.
    const graph = new ReachGraph(all, groups('1,3/2,3/3,4/3,5'));
    expect(isMisplaced(n1, all, graph)).to.equal(true);
    expect(preferredLeaders(n2, all, graph, n1)).to.deep.equal([n3]);
  });

  it('moves the leader of a chained split to the best connected', () => {
    const graph = new ReachGraph(all, groups('1,2,3/2,3,4,5'));
    expect(preferredLeaders(n1, all, graph, n1)).to.deep.equal([n2, n3, n4, n5, n1]);
    expect(preferredLeaders(n1, all, graph, n3)).to.deep.equal([n3, n2, n4, n5, n1]);
  });

  it('names nobody on a side without a majority', () => {
    expect(preferredLeaders(n1, all, new ReachGraph(all, groups('1,2/3,4,5')), n1)).to.deep.equal([]);
  });
});

describe('partition: relays (4.6)', () => {
  const matrix = new Matrix();
  const bridge = new ReachGraph(all, groups('1,2,3/3,4,5'));

  it('pass through a node that hears both, and through none when the link is up or nobody does', () => {
    expect(relayFor(n1, n5, bridge, matrix)).to.equal(n3);
    expect(relayFor(n1, n2, bridge, matrix)).to.equal(undefined);
    expect(relayFor(n1, n5, new ReachGraph(all, groups('1,2/3,4,5')), matrix)).to.equal(undefined);
  });

  it('spare who is slow, and differ from pair to pair', () => {
    const graph = new ReachGraph(all, groups('1,2,3,4/2,3,4,5'));
    const scored = new Matrix();
    for (const [node, score] of [
      [n2, 3],
      [n3, 1],
      [n4, 1],
    ] as const)
      scored.put(row(node, 1, [], { score }), 0);
    expect(relayFor(n1, n5, graph, scored)).to.equal(n3);
    const ring = new ReachGraph(
      nodes(6),
      (a, b) => !((a === n1 && b === n5) || (a === n5 && b === n1) || (a === n2 && b === n4) || (a === n4 && b === n2)),
    );
    expect(relayFor(n1, n5, ring, matrix)).to.equal('n6');
    expect(relayFor(n2, n4, ring, matrix)).to.equal(n5);
  });

  it('are capped: a burst, then so many bytes a second', () => {
    const budget = new RelayBudget(0);
    expect(budget.take(256 * 1024, 0)).to.equal(true);
    expect(budget.take(1, 0)).to.equal(false);
    expect(budget.take(1024, 1)).to.equal(true);
    expect(budget.take(1024, 1)).to.equal(false);
  });
});
