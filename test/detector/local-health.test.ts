import { expect } from 'chai';
import { LocalHealth } from '../../src/detector/local-health.ts';

const health = (): LocalHealth => new LocalHealth(20, 100, 0);

describe('local health (Lifeguard, section 4.A)', () => {
  it('voids the round of a timer that fires more than half a heartbeat late', () => {
    const table = [
      [20, true],
      [70, true],
      [71, false],
      [10_000, false],
    ] as const;
    for (const [lateMs, expected] of table) {
      const node = health();
      expect(node.tick(lateMs), `${lateMs} ms`).to.equal(expected);
      expect(node.score).to.equal(expected ? 0 : 1);
    }
  });

  it('counts time in which the process stood still as one tick', () => {
    const node = health();
    node.tick(20);
    node.tick(40);
    node.tick(5040);

    expect(node.listenedMs(5040)).to.equal(60);
    expect(node.listenedMs(5050)).to.equal(70);
    expect(node.listenedMs(9999), 'what comes before the next tick is no more than one').to.equal(80);
  });

  it('knows how much it had listened at a time before, after or within its last standstill', () => {
    const node = health();
    node.tick(20);
    node.tick(5020);
    node.tick(5040);

    const table = [
      [5030, 50],
      [5020, 40],
      [3000, 40],
      [40, 40],
      [30, 30],
    ] as const;
    for (const [atMs, expected] of table) expect(node.listenedMs(atMs), `${atMs} ms`).to.equal(expected);
  });

  it('is well when its start is over, however slow that was', () => {
    const node = health();
    for (let nowMs = 100; nowMs <= 1000; nowMs += 100) node.tick(nowMs);
    expect(node.score).to.equal(8);

    node.onStarted();

    expect(node.score).to.equal(0);
    expect(node.patience).to.equal(1);
  });

  it('gets worse by late timers, a slow event loop and missed answers, up to eight, and well again by answers and calm', () => {
    const node = health();
    node.onLoopDelay(25);
    expect(node.score).to.equal(0);
    node.onLoopDelay(26);
    node.onMissedAck();
    expect(node.patience).to.equal(3);
    for (let i = 0; i < 20; i++) node.onMissedAck();
    expect(node.score).to.equal(8);

    node.onAck();
    expect(node.score).to.equal(7);
    for (let nowMs = 20; nowMs <= 200; nowMs += 20) node.tick(nowMs);
    expect(node.score, 'after two heartbeats of calm').to.equal(6);
    for (let nowMs = 220; nowMs <= 800; nowMs += 20) node.tick(nowMs);
    expect(node.score, 'well under a second').to.equal(0);
  });

  it('stays distrustful while every heartbeat is slow', () => {
    const node = health();
    for (let nowMs = 20; nowMs <= 2000; nowMs += 20) {
      node.tick(nowMs);
      if (nowMs % 100 === 0) node.onLoopDelay(30);
    }

    expect(node.score).to.equal(8);
  });
});
