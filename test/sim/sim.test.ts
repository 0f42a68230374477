import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { run, type RunResult } from '../../sim/run.ts';
import { scenarios } from '../../sim/scenarios.ts';
import { World } from '../../sim/world.ts';

const summary = ({ seed, scenario, verdict, violation }: RunResult): string => `seed ${seed} ${scenario}: ${verdict} ${violation ?? ''}`;

describe('simulator', () => {
  it('finds nothing unsafe and nothing stuck in 200 seeds of random faults', function () {
    this.timeout(240_000);
    const total = { elections: 0, writes: 0, reads: 0, completions: 0, crashes: 0, partitions: 0, snapshots: 0, installs: 0 };
    for (let seed = 1; seed <= 200; seed++) {
      const result = run({ seed, scenario: 'random', nodes: seed % 2 === 0 ? 3 : 5, faultyMs: 10_000 });

      expect(result.verdict, `${summary(result)}; again: quorate sim replay ${seed} random --steps 10000`).to.equal('ok');
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += result.counts[key];
    }

    // Floors, so that a green run can't be an empty one.
    expect(total.elections).to.be.greaterThan(200);
    expect(total.writes).to.be.greaterThan(20_000);
    expect(total.reads).to.be.greaterThan(5_000);
    expect(total.completions).to.be.greaterThan(3_000);
    expect(total.crashes).to.be.greaterThan(150);
    expect(total.partitions).to.be.greaterThan(150);
    expect(total.snapshots).to.be.greaterThan(500);
    expect(total.installs).to.be.greaterThan(10);
  });

  for (const scenario of scenarios.keys()) {
    it(`keeps every invariant in the scenario ${scenario}`, () => {
      const result = run({ seed: 7, scenario, nodes: 5, faultyMs: 20_000 });

      expect(result.verdict, summary(result)).to.equal('ok');
    });
  }

  it('replays a seed event by event, also in another process', () => {
    const here = run({ seed: 42, scenario: 'random', nodes: 3, faultyMs: 5_000 });
    const module = fileURLToPath(new URL('../../sim/run.js', import.meta.url));
    const program = `const { run } = await import(${JSON.stringify(module)}); console.log(run({ seed: 42, scenario: 'random', nodes: 3, faultyMs: 5000 }).traceHash);`;
    const there = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, TZ: 'Asia/Tokyo', LANG: 'C' },
      encoding: 'utf8',
    });

    expect(there.trim()).to.equal(here.traceHash);
  });

  it('tells different seeds apart', () => {
    const one = run({ seed: 1, scenario: 'random', nodes: 3, faultyMs: 2_000 });
    const two = run({ seed: 2, scenario: 'random', nodes: 3, faultyMs: 2_000 });

    expect(one.traceHash).not.to.equal(two.traceHash);
  });

  it('elects within two election timeouts after the leader is killed', () => {
    const world = new World({ seed: 3, nodes: 3, snapshotBytes: 1_000_000 });
    for (let i = 0; i < 3; i++) world.start(i);
    world.runUntil(5_000_000);
    const leader = [0, 1, 2].find((i) => world.replica(i)?.isServing === true);
    expect(leader).not.to.equal(undefined);

    world.crash(leader ?? 0);
    world.runUntil(7_000_000);

    expect([0, 1, 2].some((i) => world.replica(i)?.isServing === true)).to.equal(true);
  });
});
