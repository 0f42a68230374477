import { expect } from 'chai';
import type { SealedBatch } from '../../src/gossip/batch.ts';
import { gossipLimits } from '../../src/gossip/limits.ts';
import type { DeltaMessage } from '../../src/gossip/messages.ts';
import { Circle, at, dot, n1, n2, n3, sibling, text } from './support.ts';

describe('gossip: batches', () => {
  it('carries a write to another node', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');

    const verdicts = circle.give(n2, n1, circle.batches(n1));

    expect(verdicts).to.deep.equal([{ type: 'taken' }]);
    expect(circle.read(n2, 'a')).to.equal('one');
  });

  it('sends only the newest of several writes of a key', () => {
    const circle = new Circle([n1, n2]);
    for (const value of ['one', 'two', 'three']) circle.write(n1, 'a', value);

    const batches = circle.batches(n1);

    expect(batches.map(({ header }) => [header.low, header.high, header.count])).to.deep.equal([
      [dot(n1, 1).counter, dot(n1, 3).counter, 1],
    ]);
    circle.give(n2, n1, batches);
    expect(circle.read(n2, 'a')).to.equal('three');
  });

  it('flushes at once after a rest, then 10 ms later, or when 256 keys wait', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'first', 'one');
    expect(circle.node(n1).wakeAtMs).to.equal(0);
    circle.node(n1).tick(circle.now);
    circle.node(n1).takeReady();
    circle.write(n1, 'a', 'one');
    expect(circle.node(n1).wakeAtMs).to.equal(10);

    for (let i = 1; i < gossipLimits.flushEntries; i++) circle.write(n1, `a${i}`, 'one');

    expect(
      circle
        .node(n1)
        .takeReady()
        ?.batches.map(({ header }) => header.count),
    ).to.deep.equal([gossipLimits.flushEntries]);
  });

  it('keeps what was written without knowledge of each other, until someone writes who knows both', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    circle.write(n2, 'a', 'two');
    circle.meet(n1, n2);
    expect(circle.values(n1, 'a')).to.deep.equal(['one', 'two']);
    expect(circle.node(n1).conflicts).to.equal(1);

    circle.write(n2, 'a', 'three');
    circle.meet(n1, n2);

    for (const node of [n1, n2]) expect(circle.values(node, 'a')).to.deep.equal(['three']);
    expect(circle.node(n1).conflicts).to.equal(0);
  });

  it('does not cover with a batch what came after the write and before the flush', () => {
    const circle = new Circle([n1, n2, n3]);
    circle.write(n1, 'a', 'one');
    circle.write(n2, 'a', 'two');
    circle.give(n1, n2, circle.batches(n2));
    circle.meet(n3, n2);

    circle.give(n3, n1, circle.batches(n1));

    expect(circle.values(n3, 'a')).to.deep.equal(['one', 'two']);
  });

  it('asks the one who handed over a batch when one before it is missing, and is answered', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    circle.batches(n1);
    circle.write(n1, 'b', 'two');

    circle.give(n2, n1, circle.batches(n1));

    const need = circle.message(n2);
    expect(need).to.deep.equal({ to: n1, message: { type: 'need', have: [dot(n1, 0)] } });
    circle.step(n1, n2, need.message);
    for (const { message } of circle.messages(n1)) circle.step(n2, n1, message);
    expect(circle.read(n2, 'a')).to.equal('one');
    expect(circle.node(n2).counters.gaps).to.equal(1);
  });

  it('refuses its own writes beyond the bounds', () => {
    const circle = new Circle([n1]);
    const put = (key: string, bytes: number) =>
      circle.node(n1).write(key, new Uint8Array(bytes), { generation: 1, role: 'owner' }, circle.now);

    expect(put('', 1)).to.equal(false);
    expect(put('k'.repeat(gossipLimits.keyLength + 1), 1)).to.equal(false);
    expect(put('k', gossipLimits.valueBytes + 1)).to.equal(false);
    expect(put('k', gossipLimits.valueBytes)).to.equal(true);
  });
});

describe('gossip: anti-entropy', () => {
  it('brings two nodes together that exchanged nothing before', () => {
    const circle = new Circle([n1, n2]);
    for (let i = 0; i < 10; i++) circle.write(i % 2 === 0 ? n1 : n2, `k${i}`, `v${i}`);

    circle.meet(n1, n2);

    for (let i = 0; i < 10; i++) for (const node of [n1, n2]) expect(circle.read(node, `k${i}`)).to.equal(`v${i}`);
  });

  it('goes on in parts when there is much', () => {
    const circle = new Circle([n1, n2]);
    const count = 2 * gossipLimits.deltaEntries + 10;
    for (let i = 0; i < count; i++) circle.write(n1, `k${i}`, 'v');

    circle.meet(n2, n1);

    expect(circle.node(n2).size).to.equal(count);
  });

  it('says nothing to one who has everything', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    circle.meet(n1, n2);
    circle.node(n1).linkUp(n2, circle.now);
    const digest = circle.message(n1);

    circle.step(n2, n1, digest.message);

    expect(circle.messages(n2)).to.deep.equal([]);
  });

  it('chooses a linked peer, every 250 ms and a fifth more or less', () => {
    const circle = new Circle([n1, n2, n3]);
    const gossip = circle.node(n1);
    gossip.linkUp(n2, at(0));
    circle.messages(n1);
    const asked: number[] = [];
    for (let ms = 5000; ms < 10_000; ms++) {
      gossip.tick(at(ms));
      for (const { to } of gossip.takeReady()?.messages ?? []) {
        expect(to).to.equal(n2);
        asked.push(ms);
      }
    }

    const pauses = asked.slice(1).map((ms, i) => ms - (asked[i] ?? 0));
    for (const pause of pauses) expect(pause).to.be.within(200, 301);
    expect(new Set(pauses).size).to.be.above(3);
  });

  it('hurries for two seconds after a link came up', () => {
    const circle = new Circle([n1, n2]);
    const gossip = circle.node(n1);
    gossip.linkUp(n2, at(0));
    let digests = 0;
    for (let ms = 0; ms < 2000; ms++) {
      gossip.tick(at(ms));
      digests += gossip.takeReady()?.messages.length ?? 0;
    }

    expect(digests).to.be.within(30, 60);
  });

  it('does not take back what a restarted node once wrote', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'before');
    circle.meet(n1, n2);
    circle.start(n1, [n1, n2], { boot: 2 });

    circle.write(n1, 'a', 'after');
    circle.meet(n1, n2);

    for (const node of [n1, n2]) expect(circle.values(node, 'a')).to.deep.equal(['after']);
  });

  it('does not mislead a restarted node by an answer to what it asked before', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n2, 'a', 'one');
    circle.meet(n1, n2);
    circle.write(n2, 'b', 'two');
    circle.step(n2, n1, { type: 'need', have: [dot(n2, 1)] });
    const late = circle.message(n2).message;
    circle.start(n1, [n1, n2], { boot: 2 });

    circle.step(n1, n2, late);
    circle.meet(n1, n2);

    expect([circle.read(n1, 'a'), circle.read(n1, 'b')]).to.deep.equal(['one', 'two']);
  });

  it('gives a restarted node what it had, by whomever it was written', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    circle.write(n2, 'b', 'two');
    circle.meet(n1, n2);
    circle.start(n1, [n1, n2], { boot: 2 });

    circle.meet(n1, n2);

    expect([circle.read(n1, 'a'), circle.read(n1, 'b')]).to.deep.equal(['one', 'two']);
  });
});

describe('gossip: tombstones', () => {
  it('removes a key everywhere and forgets it once all members have seen that', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    circle.meet(n1, n2);
    circle.write(n1, 'a', undefined);
    circle.meet(n1, n2);
    expect(circle.read(n2, 'a')).to.equal(undefined);
    expect(circle.node(n1).tombstones).to.equal(1);

    circle.meet(n1, n2);
    circle.meet(n2, n1);
    circle.nowMs += gossipLimits.tombstoneMinMs + 1000;
    for (const node of [n1, n2]) circle.node(node).tick(circle.now);

    for (const node of [n1, n2]) expect([circle.node(node).tombstones, circle.node(node).size]).to.deep.equal([0, 0]);
  });

  it('keeps it while a member has not seen it, for a day at most', () => {
    const circle = new Circle([n1, n2, n3]);
    circle.write(n1, 'a', 'one');
    circle.write(n1, 'a', undefined);
    circle.meet(n1, n2);
    circle.meet(n2, n1);
    circle.nowMs += gossipLimits.tombstoneMs - 1000;
    circle.node(n1).tick(circle.now);
    expect(circle.node(n1).tombstones).to.equal(1);

    circle.nowMs += 2000;
    circle.node(n1).tick(circle.now);

    expect(circle.node(n1).tombstones).to.equal(0);
  });

  it('does not let a removed key come back by an old copy', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    const old = circle.batches(n1);
    circle.give(n2, n1, old);
    circle.write(n1, 'a', undefined);
    for (const [a, b] of [
      [n1, n2],
      [n2, n1],
      [n1, n2],
    ] as const)
      circle.meet(a, b);
    circle.nowMs += gossipLimits.tombstoneMinMs + 1000;
    for (const node of [n1, n2]) circle.node(node).tick(circle.now);
    const copy: DeltaMessage = {
      type: 'delta',
      ranges: [],
      entries: [['a', { vector: [dot(n1, 1)], siblings: [sibling(dot(n1, 1))] }]],
      whole: 0,
      isPart: false,
    };

    circle.step(n2, n1, copy);
    circle.give(n2, n1, old);

    expect(circle.node(n2).size).to.equal(0);
  });

  it('forgets what is not its own after a day alone', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    circle.write(n2, 'b', 'two');
    circle.meet(n1, n2);
    circle.nowMs += gossipLimits.tombstoneMs + 1;

    circle.step(n2, n1, { type: 'need', have: [] });

    expect([circle.read(n2, 'a'), circle.read(n2, 'b')]).to.deep.equal([undefined, 'two']);
    circle.meet(n1, n2);
    expect(circle.read(n2, 'a')).to.equal('one');
  });

  it('drops a value that the other has seen and holds no more, when whole buckets are compared', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    circle.meet(n1, n2);

    circle.step(n2, n1, {
      type: 'delta',
      ranges: [{ node: n1, after: dot(n1, 1).counter, upTo: dot(n1, 1).counter }],
      entries: [],
      whole: 0xffff,
      isPart: false,
    });

    expect(circle.node(n2).size).to.equal(0);
  });
});

describe('gossip: who may speak', () => {
  const forgedOf = (batch: SealedBatch): SealedBatch => ({ ...batch, header: { ...batch.header, origin: n3 } });

  it('refuses a batch in the name of another, and holds it against the one who brought it', () => {
    const circle = new Circle([n1, n2, n3]);
    for (let i = 0; i < gossipLimits.badPerMinute; i++) {
      circle.write(n1, 'a', `${i}`);
      const verdicts = circle.give(n2, n1, circle.batches(n1).map(forgedOf));
      expect(verdicts).to.deep.equal([{ type: 'rejected', why: 'forged' }]);
    }
    circle.messages(n2);

    expect(circle.suspects).to.deep.equal([{ node: n1, why: 'forged' }]);
    expect(circle.step(n2, n1, { type: 'need', have: [] })).to.deep.equal({ type: 'ignored', why: 'muted' });
    // The one whose name was used is heard as before.
    circle.write(n3, 'b', 'mine');
    expect(circle.give(n2, n3, circle.batches(n3))).to.deep.equal([{ type: 'taken' }]);
  });

  it('hears a mute node again after a minute', () => {
    const circle = new Circle([n1, n2, n3]);
    for (let i = 0; i < gossipLimits.badPerMinute; i++) circle.node(n2).malformed(n1, circle.now);
    expect(circle.step(n2, n1, { type: 'need', have: [] }).type).to.equal('ignored');

    circle.nowMs += gossipLimits.muteMs;

    expect(circle.step(n2, n1, { type: 'need', have: [] }).type).to.equal('taken');
  });

  it('refuses what the log does not let a node write, and keeps the rest', () => {
    const circle = new Circle([n1, n2], { mayWrite: (node, key) => key.startsWith(node) });
    circle.write(n1, 'n1:a', 'mine');
    circle.write(n1, 'n2:a', 'not mine');

    const verdicts = circle.give(n2, n1, circle.batches(n1));

    expect(verdicts).to.deep.equal([{ type: 'rejected', why: 'spoofed' }]);
    expect([circle.read(n2, 'n1:a'), circle.read(n2, 'n2:a')]).to.deep.equal(['mine', undefined]);
    circle.meet(n1, n2);
    expect(circle.read(n2, 'n2:a')).to.equal(undefined);
  });

  it('takes nothing of strangers, nor from them', () => {
    const circle = new Circle([n1, n2, n3]);
    circle.write(n3, 'a', 'one');
    const batches = circle.batches(n3);
    circle.node(n2).setMembers([n1, n2], 2, circle.now);

    expect(circle.give(n2, n1, batches)).to.deep.equal([{ type: 'ignored', why: 'stranger' }]);
    expect(circle.give(n2, n3, batches)).to.deep.equal([{ type: 'ignored', why: 'stranger' }]);
  });

  it('takes up to 5,000 updates a second of an origin, 10,000 at once', () => {
    const circle = new Circle([n1, n2]);
    const flood = (): string[] => {
      for (let i = 0; i < 12_000; i++) circle.write(n1, `k${i % 256}.${Math.floor(i / 256)}`, 'v');
      return circle.give(n2, n1, circle.node(n1).takeReady()?.batches ?? []).map(({ type }) => type);
    };

    const first = flood();
    circle.nowMs += 1000;
    const second = flood();

    expect(first.filter((type) => type === 'taken').length * 256).to.be.within(9700, 10_000);
    expect(second.filter((type) => type === 'taken').length * 256).to.be.within(4700, 5300);
  });

  it('does not believe a counter that is far ahead, but asks', () => {
    const circle = new Circle([n1, n2]);
    circle.write(n1, 'a', 'one');
    circle.give(n2, n1, circle.batches(n1));
    const header = {
      origin: n1,
      epoch: 1,
      low: dot(n1, 2).counter,
      high: dot(n1, 3 + gossipLimits.countersAhead).counter,
      stamp: 1,
      count: 1,
    };
    const batch = circle.seals.sealer(n1).seal(header, []);

    expect(circle.give(n2, n1, [batch])).to.deep.equal([{ type: 'ignored', why: 'ahead' }]);
    expect(circle.messages(n2).map(({ message }) => message.type)).to.deep.equal(['need']);
  });

  it('does not let others cover what it has yet to write', () => {
    const circle = new Circle([n1, n2]);
    const vector = [dot(n1, 100), dot(n2, 1)];
    const lie: DeltaMessage = {
      type: 'delta',
      ranges: [{ node: n1, after: dot(n1, 0).counter, upTo: dot(n1, 100).counter }],
      entries: [['a', { vector, siblings: [sibling(dot(n2, 1))] }]],
      whole: 0,
      isPart: false,
    };

    circle.step(n1, n2, lie);
    circle.write(n1, 'a', 'mine');

    expect(circle.values(n1, 'a')).to.deep.equal(['mine']);
    expect(circle.node(n1).counters.spoofed).to.equal(1);
  });

  const broken: [string, (batch: SealedBatch) => SealedBatch['header']][] = [
    ['no updates', ({ header }) => ({ ...header, count: 0 })],
    ['more updates than a batch holds', ({ header }) => ({ ...header, count: gossipLimits.batchEntries + 1 })],
    ['an end before its beginning', ({ header }) => ({ ...header, low: header.high + 1 })],
    ['two boots', ({ header }) => ({ ...header, low: dot(n1, 1, 0).counter })],
    ['a boot that cannot be', ({ header }) => ({ ...header, low: header.low + 2 ** 53, high: header.high + 2 ** 53 })],
    ['another number of updates than it says', ({ header }) => ({ ...header, count: 2 })],
    ['updates outside of its bounds', ({ header }) => ({ ...header, low: header.low + 1, high: header.high + 1 })],
  ];
  for (const [what, change] of broken) {
    it(`refuses a batch with ${what}`, () => {
      const circle = new Circle([n1, n2]);
      circle.write(n1, 'a', 'one');
      const sealer = circle.seals.sealer(n1);
      const changed = circle.batches(n1).map((batch) => sealer.seal(change(batch), sealer.open(batch) ?? []));

      expect(circle.give(n2, n1, changed).map(({ type }) => type)).to.deep.equal(['rejected']);
      expect(circle.node(n2).size).to.equal(0);
    });
  }
});

describe('gossip: members', () => {
  it('forgets a node that left as soon as all members know that it left', () => {
    const circle = new Circle([n1, n2, n3]);
    circle.write(n3, 'a', 'three');
    circle.meet(n1, n3);
    circle.write(n1, 'a', 'one');
    circle.meet(n1, n2);

    for (const node of [n1, n2]) circle.node(node).setMembers([n1, n2], 2, circle.now);
    expect(circle.node(n1).get('a')?.vector).to.have.length(2);
    circle.meet(n1, n2);
    circle.meet(n2, n1);

    for (const node of [n1, n2])
      expect(
        circle
          .node(node)
          .get('a')
          ?.vector.map((held) => held.node),
      ).to.deep.equal([n1]);
  });

  it('keeps what only a node that left has said', () => {
    const circle = new Circle([n1, n2, n3]);
    circle.write(n3, 'a', 'three');
    circle.meet(n1, n3);

    for (const node of [n1, n2]) circle.node(node).setMembers([n1, n2], 2, circle.now);
    circle.meet(n2, n1);

    expect(circle.read(n2, 'a')).to.equal('three');
  });

  it('hears a clock that is fast without following it', () => {
    const circle = new Circle([n1, n2]);
    circle.node(n1).write('a', text('one'), { generation: 1, role: 'owner' }, { ms: 0, unixMs: circle.now.unixMs + 60_000 });
    circle.node(n1).tick({ ms: 10, unixMs: circle.now.unixMs + 60_000 });
    circle.give(n2, n1, circle.node(n1).takeReady()?.batches ?? []);

    circle.node(n2).write('b', text('two'), { generation: 1, role: 'owner' }, circle.now);

    expect(circle.node(n2).counters.fastClocks).to.equal(1);
    expect(circle.node(n2).get('b')?.siblings[0]?.stamp).to.be.below((circle.now.unixMs + 500) * 1024);
  });
});
