import { expect } from 'chai';
import * as fc from 'fast-check';
import { majority } from '../../src/core/quorum.ts';
import type { NodeId } from '../../src/core/ids.ts';
import { classify } from '../../src/partition/classify.ts';
import { Matrix } from '../../src/partition/matrix.ts';
import { groups, type Hears, nodes, Observer, row } from './support.ts';

const all = nodes(5);
const [n1, n2, n3, n4, n5] = all as [NodeId, NodeId, NodeId, NodeId, NodeId];
const everyone: Hears = () => true;

/** What `self` sees after all was well for 2 s and the links have been like this for 2 s. */
function after(self: NodeId, hears: Hears, dead: readonly NodeId[] = []): Observer {
  const observer = new Observer(self, all);
  observer.run(2000, everyone);
  observer.run(2000, hears, dead);
  return observer;
}

describe('partition: classes (4.2)', () => {
  it('tells them apart', () => {
    const deaf: Hears = (a, b) => !(a === n2 && b === n1);
    const camp = (node: NodeId): boolean => node === n1 || node === n2;
    const table: readonly (readonly [string, NodeId, Hears, readonly NodeId[], string, string])[] = [
      ['all well', n1, everyone, [], 'none', 'n1,n2,n3,n4,n5'],
      ['a crash', n1, everyone, [n5], 'node-loss', 'n1,n2,n3,n4/n5'],
      ['two sides, by the smaller', n1, groups('1,2/3,4,5'), [], 'complete', 'n1,n2/n3,n4,n5'],
      ['two sides, by the larger', n4, groups('1,2/3,4,5'), [], 'complete', 'n3,n4,n5/n1,n2'],
      ['alone', n1, groups('1/2,3,4,5'), [], 'complete', 'n1/n2,n3,n4,n5'],
      ['one is cut off, by the others', n2, groups('1/2,3,4,5'), [], 'node-loss', 'n2,n3,n4,n5/n1'],
      ['a bridge', n1, groups('1,2,3/3,4,5'), [], 'partial', 'n1,n2,n3,n4,n5'],
      ['a bridge, by itself', n3, groups('1,2,3/3,4,5'), [], 'partial', 'n1,n2,n3,n4,n5'],
      ['a chain', n3, groups('1,2/2,3/3,4/4,5'), [], 'partial', 'n1,n2,n3,n4,n5'],
      ['one deaf pair', n4, deaf, [], 'simplex', 'n1,n2,n3,n4,n5'],
      ['a one-way firewall', n1, (a, b) => camp(a) || camp(a) === camp(b), [], 'simplex', 'n1,n2/n3,n4,n5'],
      ['five apart', n1, groups('1/2/3/4/5'), [], 'complete', 'n1/n2,n3,n4,n5'],
    ];
    for (const [what, self, hears, dead, expected, sides] of table) {
      const view = after(self, hears, dead).view();
      expect(view.class, what).to.equal(expected);
      expect(view.sides.map((side) => side.join()).join('/'), what).to.equal(sides);
    }
  });

  it('names the direction in which a one-way link works', () => {
    expect(after(n4, (a, b) => !(a === n2 && b === n1)).view().oneWay).to.deep.equal([{ heard: n2, hearing: n1 }]);
  });

  it('does not take the first moments of a cut for a link that works one way', () => {
    const observer = new Observer(n1, all);
    observer.run(2000, everyone);
    for (let i = 0; i < 40; i++) {
      observer.run(50, groups('1,2/3,4,5'));
      expect(observer.view().class, `${i * 50} ms`).to.not.equal('simplex');
    }
  });

  it('sees an edge flap that was lost three times in ten seconds, and no longer: two splits that healed are none', () => {
    const observer = new Observer(n1, all);
    observer.run(1000, everyone);
    const cutAndHeal = (): void => [groups('1,3,4,5/2,3,4,5'), everyone].forEach((hears) => observer.run(400, hears));
    cutAndHeal();
    cutAndHeal();
    expect(observer.view().class).to.equal('none');
    cutAndHeal();
    expect(observer.view().class).to.equal('flapping');
    observer.run(10_000, everyone);
    expect(observer.view().class).to.equal('none');
  });

  it('calls a node that is started again and again no flapping edge', () => {
    const matrix = new Matrix();
    let seq = 0;
    for (let boot = 1; boot <= 5; boot++)
      for (const heard of [[n1, n2], [n1]]) {
        matrix.put(row(n1, ++seq, heard), seq * 500);
        matrix.put(row(n2, seq, heard.includes(n2) ? [n1, n2] : [n2], { boot }), seq * 500);
        if (heard.length === 1) matrix.put(row(n2, ++seq, [n2], { boot: boot + 1 }), seq * 500);
      }

    expect(matrix.hasFlapping(seq * 500)).to.equal(false);
  });

  it('knows where a Raft leader is possible, and whether this node can follow it', () => {
    const table = [
      ['1,2/3,4,5', n1, false, false, true],
      ['1,2/3,4,5', n3, true, true, false],
      ['1,2,3/3,4,5', n1, true, true, false],
      // Two hubs of a ring-like chain: 1 hears only 2, which hears no majority... but 2, 3 and 4 each hear three.
      ['1,2/2,3/3,4/4,5', n1, true, true, false],
      ['1,2/2,3/3,4,5', n1, true, true, false],
      ['1,2/3,4/5', n1, false, false, true],
    ] as const;
    for (const [text, self, raftOk, canFollow, others] of table) {
      const view = after(self, groups(text)).view();
      expect([view.raftOk, view.canFollow, view.othersMayDecide], `${text} ${self}`).to.deep.equal([raftOk, canFollow, others]);
    }
  });

  it('never says of two sides that both can follow a leader, whoever hears whom', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 5, maxLength: 5 }), (side) => {
        const hears: Hears = (a, b) => side[all.indexOf(a)] === side[all.indexOf(b)];
        const able = all.filter((self) => after(self, hears).view().canFollow);
        return new Set(able.map((node) => side[all.indexOf(node)])).size <= 1 && (able.length === 0 || able.length >= majority(5));
      }),
      { numRuns: 60 },
    );
  });

  it('counts a Byzantine quorum among those in reach, and says whether they hear each other directly', () => {
    const bridge = after(n1, groups('1,2,3/3,4,5')).view(4);
    expect([bridge.bftOk, bridge.bftDirect()]).to.deep.equal([true, false]);
    const loss = after(n1, everyone, [n5]).view(4);
    expect([loss.bftOk, loss.bftDirect()]).to.deep.equal([true, true]);
  });
});

describe('partition: the matrix of rows (4.1)', () => {
  it('keeps the newest row of a node: by its starts, then by its count', () => {
    const matrix = new Matrix();
    expect(matrix.put(row(n1, 5, [n1, n2], { boot: 2 }), 0)).to.equal(true);
    expect(matrix.put(row(n1, 5, [n1], { boot: 2 }), 10)).to.equal(false);
    expect(matrix.put(row(n1, 9, [n1], { boot: 1 }), 10), 'a replayed row of an earlier life').to.equal(false);
    expect(matrix.row(n1)?.heard).to.deep.equal([n1, n2]);
    expect(matrix.put(row(n1, 1, [n1], { boot: 3 }), 20)).to.equal(true);
    expect(matrix.ageMs(n1, 25)).to.equal(5);
    expect(matrix.put(row(n1, 1, [n1], { boot: 1 }), 1020), 'its files were put back from a copy').to.equal(false);
    expect(matrix.put(row(n1, 1, [n1], { boot: 1 }), 1021), 'and nothing came of the other life for a second').to.equal(true);
  });

  it('takes a row for stale after a second, stretched by the slowness of who looks', () => {
    const matrix = new Matrix();
    matrix.put(row(n1, 1, [n1]), 0);
    expect([matrix.isFresh(n1, 1000), matrix.isFresh(n1, 1001), matrix.isFresh(n1, 1001, 2), matrix.isFresh(n2, 0)]).to.deep.equal([
      true,
      false,
      true,
      false,
    ]);
  });

  it('holds 128 members: a side, its quorum and a clique of it are found', () => {
    const many = nodes(128);
    const [left, right] = [many.slice(0, 50), many.slice(50)];
    const matrix = new Matrix();
    for (const node of many) matrix.put(row(node, 1, left.includes(node) ? left : right), 0);

    const view = classify(n1, { members: many, voters: many.slice(0, 9), byzantineQuorum: 86 }, matrix, 0);

    expect(view).to.include({ class: 'complete', raftOk: true, canFollow: true, othersMayDecide: false, bftOk: false });
    expect(view.sides.map((side) => side.length)).to.deep.equal([50, 78]);
    expect(view.graph.cliques().map((clique) => clique.length)).to.deep.equal([78, 50]);
    expect(view.bftDirect()).to.equal(false);
  });

  it('forgets who is no member', () => {
    const matrix = new Matrix();
    matrix.put(row(n5, 1, [n5]), 0);
    matrix.keepOnly([n1, n2]);
    expect(matrix.row(n5)).to.equal(undefined);
  });
});
