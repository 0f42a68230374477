import { expect } from 'chai';
import { FlushPace } from '../../src/gossip/flush-pace.ts';

describe('gossip: when own updates leave', () => {
  it('is at once after a rest, else when the time since the last flush is over', () => {
    const pace = new FlushPace(10);

    expect(pace.nextMs(100)).to.equal(100);
    pace.onFlush(100);
    expect(pace.nextMs(103)).to.equal(110);
    expect(pace.nextMs(200)).to.equal(200);
  });

  it('is the later the later the node is, up to 50 ms, and again as before when the node keeps its times', () => {
    const pace = new FlushPace(10);
    const intervalAfter = (lateMs: number): number => {
      pace.onLate(lateMs);
      pace.onFlush(0);
      return pace.nextMs(0);
    };

    expect(intervalAfter(0)).to.equal(10);
    expect(intervalAfter(5)).to.equal(20);
    expect(intervalAfter(1000)).to.equal(50);
    expect(intervalAfter(0)).to.be.within(10, 49);
    for (let i = 0; i < 100; i++) intervalAfter(0);
    expect(intervalAfter(0)).to.be.closeTo(10, 0.1);
  });
});
