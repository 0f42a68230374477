import { expect } from 'chai';
import * as fc from 'fast-check';
import { taskId } from '../../src/core/ids.ts';
import { backoffMs } from '../../src/tasks/backoff.ts';

const task = taskId('t');

describe('tasks: backoff (protocols 5.3, row 9)', () => {
  it('grows by its factor up to its bound, less at most a quarter', () => {
    const waits = [1, 2, 3, 4, 5, 1_000_000].map((attempt) => backoffMs(task, attempt, { baseMs: 1_000, factor: 2.5, maxMs: 20_000 }));

    for (const [i, nominal] of [1_000, 2_500, 6_250, 15_625, 20_000, 20_000].entries())
      expect(waits[i]).to.be.within((nominal * 3) / 4, nominal);
  });

  it('is a whole number within bounds for every backoff, and the same whenever it is asked for', () => {
    const backoff = fc.record({
      baseMs: fc.nat(100_000),
      factor: fc.double({ min: 1, max: 1_000, noNaN: true }),
      maxMs: fc.nat(10_000_000),
    });
    fc.assert(
      fc.property(backoff, fc.integer({ min: 1, max: 1_000_000 }), (each, attempt) => {
        const wait = backoffMs(task, attempt, each);

        expect(Number.isSafeInteger(wait)).to.equal(true);
        expect(wait).to.be.within(0, each.maxMs);
        expect(backoffMs(task, attempt, { ...each })).to.equal(wait);
      }),
    );
  });

  it('has known answers, so that a change of the arithmetic between versions cannot pass unseen', () => {
    const waits = [1, 2, 3].map((attempt) => backoffMs(task, attempt, { baseMs: 1_000, factor: 1.1, maxMs: 60_000 }));

    expect(waits).to.deep.equal([814, 1006, 1147]);
  });

  it('spreads tasks that failed together', () => {
    const waits = new Set(
      Array.from({ length: 100 }, (_, i) => backoffMs(taskId(`t${i}`), 1, { baseMs: 10_000, factor: 2, maxMs: 60_000 })),
    );

    expect(waits.size).to.be.above(90);
  });
});
