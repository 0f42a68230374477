import { expect } from 'chai';
import { Circle, dot, n1, n2, n3 } from './support.ts';

/** n1 and n2 have lost each other, and each has written of `a`. */
function apart(): Circle {
  const circle = new Circle([n1, n2, n3]);
  circle.write(n1, 'a', 'before');
  circle.meet(n1, n2);
  for (const [node, peer] of [
    [n1, n2],
    [n2, n1],
  ] as const) {
    circle.node(node).beginSplit();
    circle.node(node).lostPeer(peer);
  }
  circle.write(n1, 'a', 'one');
  circle.write(n2, 'a', 'two');
  circle.write(n2, 'b', 'two');
  circle.batches(n1);
  circle.batches(n2);
  return circle;
}

/** The two say what they have, as a heal makes them do, and then exchange it. */
function reunite(circle: Circle): void {
  const [of1, of2] = [circle.node(n1).digest, circle.node(n2).digest];
  circle.node(n1).meetPeer(n2, of2, circle.now);
  circle.node(n2).meetPeer(n1, of1, circle.now);
}

describe('gossip: meeting a lost peer (protocol design 4.7, H4)', () => {
  it('is done when all is here that the peer had then, whatever it has written since', () => {
    const circle = apart();
    expect(circle.node(n1).isMerged(n2)).to.equal(false);
    expect(circle.node(n1).isMerged(n3), 'never lost').to.equal(true);

    reunite(circle);
    expect(circle.node(n1).isMerged(n2)).to.equal(false);
    circle.meet(n1, n2);
    circle.write(n2, 'c', 'later');

    expect(circle.node(n1).isMerged(n2)).to.equal(true);
    expect(circle.node(n2).isMerged(n1)).to.equal(true);
  });

  it('asks the peer at once, and again before all others until it is done', () => {
    const circle = apart();
    circle.node(n1).linkUp(n3, circle.now);
    circle.messages(n1);

    reunite(circle);
    const asked = [circle.message(n1).to];
    for (let i = 0; i < 5; i++) {
      circle.nowMs += 1000;
      circle.node(n1).tick(circle.now);
      asked.push(circle.message(n1).to);
    }

    expect(new Set(asked)).to.deep.equal(new Set([n2]));
  });

  it('lists what was written on both sides, with the one that counts', () => {
    const circle = apart();
    reunite(circle);
    circle.meet(n1, n2);

    const { values, conflicts } = circle.node(n1).merged;
    const [one, two] = [dot(n1, 2), dot(n2, 1)];

    expect(values).to.equal(2);
    // Both at one moment, but n1's clock had already stamped something in it.
    expect(conflicts).to.deep.equal([{ key: 'a', winner: one, losers: [two] }]);
    expect(circle.node(n2).merged.conflicts).to.deep.equal(conflicts);
  });

  it('counts keys that were removed on the other side', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    circle.meet(n1, n2);
    circle.node(n1).lostPeer(n2);
    circle.write(n2, 'a', undefined);
    circle.batches(n2);

    circle.node(n1).meetPeer(n2, circle.node(n2).digest, circle.now);
    circle.meet(n1, n2);

    expect(circle.node(n1).merged).to.deep.equal({ values: 1, removed: 1, conflicts: [] });
  });

  it('counts nothing of peers that were not lost, and begins anew with the next split', () => {
    const circle = apart();
    circle.write(n3, 'd', 'three');
    circle.batches(n3);
    circle.meet(n1, n3);
    expect(circle.node(n1).merged.values).to.equal(0);

    reunite(circle);
    circle.meet(n1, n2);
    circle.node(n1).beginSplit();

    expect(circle.node(n1).merged).to.deep.equal({ values: 0, removed: 0, conflicts: [] });
  });

  it('does not wait for a start of a node that left nothing that stands', () => {
    const circle = apart();
    // n2 was away while n3 was started anew and wrote its only key once more.
    circle.write(n3, 'k', 'first');
    circle.batches(n3);
    circle.meet(n2, n3);
    circle.meet(n1, n3);
    circle.start(n3, [n1, n2, n3], { boot: 2 });
    circle.meet(n3, n1);
    circle.write(n3, 'k', 'second');
    circle.batches(n3);
    circle.meet(n1, n3);
    expect(
      circle.node(n1).digest.some(({ counter }) => counter === dot(n3, 1, 1).counter),
      'forgotten',
    ).to.equal(false);

    reunite(circle);
    circle.meet(n1, n2);

    expect(circle.node(n1).isMerged(n2)).to.equal(true);
  });

  it('does not wait for what the peer itself has forgotten meanwhile', () => {
    const circle = apart();
    const forgotten = [...circle.node(n2).digest, dot(n3, 9, 1)];
    circle.node(n1).meetPeer(n2, forgotten, circle.now);
    circle.meet(n2, n1);
    circle.node(n2).linkUp(n1, circle.now);
    for (const { message } of circle.messages(n2)) circle.step(n1, n2, message);

    expect(circle.node(n1).isMerged(n2)).to.equal(true);
  });

  it('awaits nothing of a node that has left', () => {
    const circle = apart();
    reunite(circle);

    circle.node(n1).setMembers([n1, n3], 2, circle.now);

    expect(circle.node(n1).isMerged(n2)).to.equal(true);
  });
});
