import { expect } from 'chai';
import { PhiAccrual } from '../../src/detector/phi-accrual.ts';

/** After 300 beats, one in `everyMs`. */
function beating(everyMs: number, intervalMs = 100): { phi: PhiAccrual; nowMs: number } {
  const phi = new PhiAccrual(intervalMs, 0);
  let nowMs = 0;
  for (let i = 0; i < 300; i++) phi.heard((nowMs += everyMs));
  return { phi, nowMs };
}

describe('phi-accrual (Hayashibara et al. 2004)', () => {
  it('grows with silence as the normal distribution says', () => {
    const { phi, nowMs } = beating(100);

    // sigma is 20: so many sigmas beyond the mean, and minus the logarithm of what the distribution leaves there.
    const table = [
      [100, 0.301],
      [120, 0.8],
      [140, 1.643],
      [160, 2.87],
    ] as const;
    for (const [silenceMs, expected] of table) expect(phi.phi(nowMs + silenceMs), `${silenceMs} ms`).to.be.closeTo(expected, 0.05);
    expect(phi.phi(nowMs + 180)).to.be.lessThan(5);
    expect(phi.phi(nowMs + 200)).to.be.greaterThan(5);
    expect(phi.phi(nowMs + 1e9))
      .to.be.greaterThan(8)
      .and.to.satisfy(Number.isFinite);
  });

  it('expects no more often than promised, however busy the link was', () => {
    const { phi, nowMs } = beating(1);

    expect(phi.meanMs).to.equal(100);
    expect(phi.phi(nowMs + 150)).to.be.lessThan(5);
  });

  it('learns an uneven link within its window, and forgets it', () => {
    const phi = new PhiAccrual(100, 0);
    let nowMs = 0;
    for (let i = 0; i < 200; i++) phi.heard((nowMs += i % 2 === 0 ? 100 : 300));
    expect(phi.meanMs).to.equal(200);
    expect(phi.sigmaMs).to.equal(100);

    for (let i = 0; i < 200; i++) phi.heard((nowMs += 100));
    expect(phi.meanMs).to.be.closeTo(100, 1e-6);
    expect(phi.sigmaMs).to.equal(20);
  });

  it('takes no failure for a habit', () => {
    const { phi, nowMs } = beating(100);

    phi.resume(nowMs + 60_000);

    expect(phi.meanMs).to.be.closeTo(100, 1e-6);
    expect(phi.silenceMs(nowMs + 60_010)).to.equal(10);
  });

  it('is patient when the judge is slow itself', () => {
    const { phi, nowMs } = beating(100);

    expect(phi.phi(nowMs + 400, 4)).to.equal(phi.phi(nowMs + 100, 1));
  });
});
