import { expect } from 'chai';
import { LogTime } from '../../src/node/log-time.ts';

function leader() {
  const clock = { ms: 0, unix: 1_000_000, monotonicMs: () => clock.ms, unixMs: () => clock.unix };
  const pass = (ms: number): void => {
    clock.ms += ms;
    clock.unix += ms;
  };
  return { clock, pass, time: new LogTime(clock) };
}

describe("node: the log's time (protocol design 5.1)", () => {
  it("is the leader's wall clock", () => {
    const { pass, time } = leader();
    expect(time.now(0)).to.equal(1_000_000);
    pass(500);
    expect(time.now(0)).to.equal(1_000_500);
  });

  it('passes though the clock is set back by a minute, and never goes back', () => {
    const { clock, pass, time } = leader();
    const before = time.now(0);
    clock.unix -= 60_000;
    expect(time.now(before)).to.equal(before);

    const stamps = Array.from({ length: 100 }, () => {
      pass(100);
      return time.now(before);
    });

    expect(stamps).to.deep.equal(stamps.toSorted((a, b) => a - b));
    expect((stamps.at(-1) ?? 0) - before).to.be.within(8999, 9000);
  });

  it('passes under a new leader whose clock is behind the log', () => {
    const { pass, time } = leader();
    expect(time.now(1_090_000)).to.equal(1_090_000);
    pass(1000);
    expect(time.now(1_090_000)).to.equal(1_090_900);
  });

  it('is the wall clock again after ten times what it was ahead', () => {
    const { clock, pass, time } = leader();
    time.now(0);
    clock.unix -= 60_000;
    for (let i = 0; i < 6000; i++) {
      pass(100);
      time.now(0);
    }
    pass(100);
    expect(time.now(0)).to.equal(clock.unix);
  });

  it('follows a clock that is set ahead', () => {
    const { clock, time } = leader();
    clock.unix += 3_600_000;
    expect(time.now(0)).to.equal(clock.unix);
  });
});
