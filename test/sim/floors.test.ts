import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { drawPlan } from '../../sim/draw-plan.ts';
import { isFailure, run, type RunCounts } from '../../sim/run.ts';

const seeds = 200;

/** What at least must happen in 1,000 seeds, about half of what does: else a change has made the simulator tame, and green runs prove less than they seem to. */
const floors: Partial<Record<keyof RunCounts, number>> = {
  elections: 1_400,
  commits: 180_000,
  writes: 100_000,
  reads: 50_000,
  completions: 20_000,
  failures: 2_500,
  snapshots: 6_000,
  installs: 400,
  crashes: 1_200,
  partitions: 2_500,
  diskFailures: 200,
  lostDisks: 100,
  repairedDisks: 90,
};

/** Of (role, message, role after) at least so many kinds. Some are rare, and some can't be: no leader becomes a candidate. */
const transitionFloor = 32;

/** The checker must not give up: what it does not judge, nobody does. */
const maxGaveUp = 0;

const quorate = fileURLToPath(new URL('../../../bin/quorate.js', import.meta.url));

describe('simulator: random faults', () => {
  it(`finds nothing unsafe and nothing stuck in ${seeds} seeds, and much happens in them`, function () {
    this.timeout(240_000);
    const totals = new Map<string, number>();
    const transitions = new Set<string>();

    for (let seed = 1; seed <= seeds; seed++) {
      const result = run({ seed, scenario: 'random', plan: drawPlan(seed, seed % 2 === 0 ? 3 : 5, 10_000) });
      const again = `quorate sim replay ${seed} random --steps 10000`;
      expect(isFailure(result.verdict), `${result.verdict}: ${result.violation ?? ''}; again: ${again}`).to.equal(false);
      for (const [name, count] of Object.entries(result.counts)) totals.set(name, (totals.get(name) ?? 0) + count);
      for (const name of result.transitions) transitions.add(name);
    }

    for (const [name, floor] of Object.entries(floors)) expect(totals.get(name), name).to.be.at.least((floor * seeds) / 1000);
    expect(transitions.size, [...transitions].join('\n')).to.be.at.least(transitionFloor);
    expect(totals.get('gaveUp')).to.be.at.most(maxGaveUp);
  });

  it('notices the canary, and says so by its exit code', () => {
    const { status, stdout } = spawnSync(process.execPath, [quorate, 'sim', 'run', 'random', '--seed', '3', '--canary'], {
      encoding: 'utf8',
    });

    expect(stdout).to.match(/unsafe: canary: /);
    expect(status).to.equal(8);
  });
});
