import { expect } from 'chai';
import { quorate } from './dev-cluster.ts';

interface Line {
  readonly round: number | 'all';
  readonly acknowledged: number;
  readonly healMs?: number | null;
  readonly faults: readonly string[] | Readonly<Record<string, number>>;
  readonly lost?: number;
  readonly tasks?: Readonly<Record<string, number>>;
  readonly violations?: readonly string[];
}

describe('end to end: real daemons under drawn faults', function () {
  this.timeout(240_000);

  it('lose no acknowledged write, complete no task twice, and come to one state', async () => {
    const bench = await quorate('bench', 'chaos', '--duration', '10s', '--seed', '3', '--rate', '100', '--tasks', '10', '-o', 'json');

    expect(bench.code, bench.stdout + bench.stderr).to.equal(0);
    const lines = bench.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    const total = lines.at(-1);
    expect(total).to.include({ round: 'all', lost: 0 });
    expect(total?.violations).to.deep.equal([]);
    expect(total?.acknowledged).to.be.above(100);
    expect(total?.tasks).to.include({ unfinished: 0, completedTwice: 0 });
    for (const { healMs, faults } of lines.slice(0, -1)) {
      expect(healMs).to.be.a('number');
      expect(faults).to.not.have.length(0);
    }
  });

  it('are given up when there is no time for it, with a word why', async () => {
    const { code, stderr } = await quorate('bench', 'chaos', '--duration', '2h');

    expect(code).to.equal(2);
    expect(stderr).to.contain('50 minutes');
  });
});
