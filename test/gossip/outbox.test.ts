import { expect } from 'chai';
import type { Update } from '../../src/gossip/batch.ts';
import { gossipLimits } from '../../src/gossip/limits.ts';
import { Outbox } from '../../src/gossip/outbox.ts';

const update = (key: string, counter: number, bytes = 10): Update => ({
  key,
  counter,
  vector: [],
  stamp: 1,
  generation: 1,
  role: 'owner',
  value: new Uint8Array(bytes),
});

describe('gossip: updates that wait for a flush', () => {
  it('are the newest of each key, in the order of their counters', () => {
    const outbox = new Outbox(100);
    for (const [i, key] of ['a', 'b', 'a', 'c'].entries()) outbox.add(update(key, 101 + i));

    const [flush] = outbox.take();

    expect(flush?.updates.map(({ key, counter }) => [key, counter])).to.deep.equal([
      ['b', 102],
      ['a', 103],
      ['c', 104],
    ]);
    expect([flush?.low, flush?.high]).to.deep.equal([101, 104]);
    expect(outbox.take()).to.deep.equal([]);
  });

  it('go in several batches when they are many or large, without a gap between them', () => {
    const outbox = new Outbox(0);
    for (let i = 1; i <= 2000; i++) outbox.add(update(`k${i}`, i, i % 2 === 0 ? 512 : 0));

    const flushes = outbox.take();

    expect(flushes.length).to.be.above(4);
    for (const [i, { low, updates }] of flushes.entries()) {
      expect(low).to.equal((flushes[i - 1]?.high ?? 0) + 1);
      expect(updates.length).to.be.at.most(gossipLimits.batchEntries);
    }
    expect(flushes.flatMap(({ updates }) => updates)).to.have.length(2000);
  });

  it('are bounded by bytes: the oldest go, and leave a gap that others notice', () => {
    const outbox = new Outbox(0);
    let dropped = 0;
    for (let i = 1; i <= 60_000; i++) dropped += outbox.add(update(`k${i}`, i, 512));

    expect(outbox.bytes).to.be.at.most(gossipLimits.pendingBytes);
    expect(dropped).to.be.above(0);
    expect(outbox.take()[0]?.low).to.equal(dropped + 1);
  });
});
