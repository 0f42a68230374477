import { expect } from 'chai';
import { Redial, retryDelayMs } from '../../src/transport/redial.ts';
import { eventually } from './support.ts';

describe('transport: redial', () => {
  for (const [failures, lowest, highest] of [
    [0, 0, 0],
    [1, 70, 130],
    [2, 140, 260],
    [3, 280, 520],
    [4, 560, 1000],
    [5, 700, 1000],
    [1000, 700, 1000],
  ] as const) {
    it(`waits ${lowest} to ${highest} ms after ${failures} failures`, () => {
      const least = retryDelayMs(failures, 0);
      const most = retryDelayMs(failures, 1 - Number.EPSILON);

      expect(least).to.equal(lowest);
      expect(most).to.be.closeTo(highest, 0.001);
    });
  }

  it('has one attempt under way at a time and goes on while they fail', async () => {
    let underWay = 0;
    let most = 0;
    let attempts = 0;
    const redial = new Redial(async () => {
      attempts++;
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      return attempts >= 3;
    });

    redial.start();
    for (let i = 0; i < 5; i++) redial.start();
    await eventually(() => attempts === 3, 'the third attempt, which succeeds');
    redial.hurry();
    await redial.stop();

    expect(most).to.equal(1);
    expect(attempts).to.equal(3);
  });

  it('aborts what is under way when stopped, and can start again', async () => {
    let attempts = 0;
    let aborted = 0;
    const redial = new Redial(
      (signal) =>
        new Promise((resolve) => {
          attempts++;
          signal.addEventListener('abort', () => {
            aborted++;
            resolve(false);
          });
        }),
    );
    redial.start();
    await eventually(() => attempts === 1, 'the first attempt');

    await redial.stop();
    redial.start();
    await eventually(() => attempts === 2, 'an attempt after the stop');
    await redial.stop();

    expect(aborted).to.equal(2);
  });

  it('does not wait for its timer when told to hurry', async () => {
    let attempts = 0;
    const redial = new Redial(() => Promise.resolve(++attempts >= 2));
    for (let i = 0; i < 10; i++) redial.lost(0);
    redial.start();

    redial.hurry();

    expect(attempts).to.equal(1);
    await redial.stop();
  });

  it('answers the loss of a link that had lived at once, and of one that had not as a failure', async () => {
    let attempts = 0;
    const redial = new Redial(() => Promise.resolve(++attempts > 0));
    redial.start();
    await eventually(() => attempts === 1, 'the first attempt');

    redial.lost(0);
    const afterShort = attempts;
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    const stillWaiting = attempts;
    await eventually(() => attempts === 2, 'the attempt after a pause');
    redial.lost(60_000);
    await eventually(() => attempts === 3, 'the attempt at once', 1000);
    await redial.stop();

    expect([afterShort, stillWaiting]).to.deep.equal([1, 1]);
  });
});
