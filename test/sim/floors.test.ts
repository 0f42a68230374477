import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { isFailure, type RunCounts, type RunResult } from '../../sim/run.ts';

const seeds = 2000;
const seconds = 60;

/** What at least must happen in 1,000 seeds, about half of what does: else a change has made the simulator tame, and green runs prove less than they seem to. */
const floors: Partial<Record<keyof RunCounts, number>> = {
  elections: 6_000,
  commits: 300_000,
  writes: 130_000,
  reads: 90_000,
  completions: 40_000,
  failures: 5_000,
  snapshots: 7_500,
  installs: 1_300,
  configurationChanges: 3_500,
  crashes: 11_000,
  partitions: 18_000,
  lostFrames: 1_800_000,
  pauses: 2_300,
  skews: 450,
  transfers: 1_300,
  diskFailures: 900,
  lostDisks: 700,
  bitFlips: 900,
  repairedDisks: 1_000,
};

/** Of (role, message, role after) at least so many kinds. Some are rare, and some can't be: no leader becomes a candidate. */
const transitionFloor = 50;

/** The checker must not give up: what it does not judge, nobody does. */
const maxGaveUp = 0;

/** Share of the runs that may end in a state from which nobody could recover, such as a majority of lost disks. */
const maxWithoutQuorum = 0.02;

const quorate = fileURLToPath(new URL('../../../bin/quorate.js', import.meta.url));

describe('simulator: random faults', () => {
  it(`finds nothing unsafe and nothing stuck in ${seeds} seeds of ${seconds} s, and much happens in them`, async function () {
    this.timeout(840_000);
    const totals = new Map<string, number>();
    const transitions = new Set<string>();
    const verdicts = new Map<string, number>();
    const args = ['sim', 'run', 'random', '--seeds', `${seeds}`, '--steps', `${seconds * 1000}`, '--jobs', `${availableParallelism()}`];
    const child = spawn(process.execPath, [quorate, ...args, '-o', 'json'], { stdio: ['ignore', 'pipe', 'inherit'] });

    for await (const line of createInterface(child.stdout)) {
      const { seed, verdict, violation, counts, transitions: seen } = JSON.parse(line) as RunResult;
      const again = `quorate sim replay ${seed} random --steps ${seconds * 1000}`;
      expect(isFailure(verdict), `${verdict}: ${violation ?? ''}; again: ${again}`).to.equal(false);
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      for (const [name, count] of Object.entries(counts)) totals.set(name, (totals.get(name) ?? 0) + count);
      for (const name of seen) transitions.add(name);
    }

    expect([...verdicts.values()].reduce((sum, count) => sum + count, 0)).to.equal(seeds);
    expect(verdicts.get('no-quorum') ?? 0).to.be.at.most(seeds * maxWithoutQuorum);
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
