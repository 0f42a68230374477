import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { run, type RunResult } from '../../sim/run.ts';
import { drawPlan } from '../../sim/draw-plan.ts';
import { calmPlan } from '../../sim/plan.ts';
import { scenarios } from '../../sim/scenarios.ts';
import { World } from '../../sim/world.ts';

const random = (seed: number, nodes: number, faultyMs: number): RunResult =>
  run({ seed, scenario: 'random', plan: drawPlan(seed, nodes, faultyMs) });

const summary = ({ seed, scenario, verdict, violation }: RunResult): string => `seed ${seed} ${scenario}: ${verdict} ${violation ?? ''}`;

describe('simulator', () => {
  it('finds nothing unsafe and nothing stuck in 200 seeds of random faults', function () {
    this.timeout(240_000);
    const total = { elections: 0, writes: 0, reads: 0, completions: 0, crashes: 0, partitions: 0, snapshots: 0, installs: 0 };
    for (let seed = 1; seed <= 200; seed++) {
      const result = random(seed, seed % 2 === 0 ? 3 : 5, 10_000);

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

  for (const [scenario, { plan }] of scenarios) {
    it(`keeps every invariant in the scenario ${scenario}`, () => {
      const result = run({ seed: 7, scenario, plan: plan(7, undefined, undefined) });

      expect(result.verdict, summary(result)).to.equal('ok');
    });
  }

  it('replays a seed event by event, also in another process', () => {
    const here = random(42, 3, 5_000);
    const module = (name: string): string => fileURLToPath(new URL(`../../sim/${name}.js`, import.meta.url));
    const program = `const { run } = await import(${JSON.stringify(module('run'))}); const { drawPlan } = await import(${JSON.stringify(module('draw-plan'))}); console.log(run({ seed: 42, scenario: 'random', plan: drawPlan(42, 3, 5000) }).traceHash);`;
    const there = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, TZ: 'Asia/Tokyo', LANG: 'C' },
      encoding: 'utf8',
    });

    expect(there.trim()).to.equal(here.traceHash);
  });

  it('tells different seeds apart', () => {
    const one = random(1, 3, 2_000);
    const two = random(2, 3, 2_000);

    expect(one.traceHash).not.to.equal(two.traceHash);
  });

  it('elects within two election timeouts after the leader is killed', () => {
    const world = new World({
      seed: 3,
      plan: { ...calmPlan, nodes: 3, founders: 3, snapshotBytes: 1_000_000 },
    });
    for (let i = 0; i < 3; i++) world.start(i);
    world.runUntil(5_000_000);
    const leader = [0, 1, 2].find((i) => world.replica(i)?.isServing === true);
    expect(leader).not.to.equal(undefined);

    world.crash(leader ?? 0);
    world.runUntil(7_000_000);

    expect([0, 1, 2].some((i) => world.replica(i)?.isServing === true)).to.equal(true);
  });
});
