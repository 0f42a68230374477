import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { VoteResult } from '../../sim/byzantine/run-vote.ts';

const seeds = 20_000;

/** What at least must happen in them, about half of what does: else a change has made the liars tame, and green runs prove less than they seem to. */
const floors = {
  messages: 8_000_000,
  lost: 3_500_000,
  crashes: 38_000,
  writes: 440_000,
  evidence: 40_000,
  'outcome option': 5_000,
  'outcome split': 3_200,
  'outcome expired': 1_700,
  'later views': 3_000,
  'evidence double_ballot': 3_500,
  'evidence double_expiry': 50,
  'evidence double_attestation': 2,
  'evidence equivocation_mac': 4_500,
  'with frames': 150,
  '4 members': 9_000,
  '5 members': 2_000,
  '6 members': 2_000,
  '7 members': 2_000,
  '10 members': 2_000,
};

const quorate = fileURLToPath(new URL('../../../bin/quorate.js', import.meta.url));

describe('simulator: Byzantine votes with as many liars as may be', () => {
  it(`never two decisions, and always one once the network is calm, in ${seeds} votes, and much happens in them`, async function () {
    this.timeout(840_000);
    const totals = new Map<string, number>();
    const add = (name: string, by = 1): unknown => totals.set(name, (totals.get(name) ?? 0) + by);
    const args = ['sim', 'byzantine', '--seeds', `${seeds}`, '--jobs', `${availableParallelism()}`, '--output', 'json'];
    const child = spawn(process.execPath, [quorate, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });

    for await (const line of createInterface(child.stdout)) {
      const { seed, n, depth, verdict, violation, outcome, highestView, evidence, counts } = JSON.parse(line) as VoteResult;
      expect(verdict, `${violation ?? ''}; again: quorate sim byzantine --seeds 1 --seed ${seed} --trace`).to.equal('ok');
      for (const [name, count] of Object.entries(counts)) add(name, count);
      for (const kind of evidence) add(`evidence ${kind}`);
      add(`outcome ${outcome ?? 'none'}`);
      add(`${n} members`);
      if (depth === 'frames') add('with frames');
      if (highestView > 0) add('later views');
      add('votes');
    }

    expect(totals.get('votes')).to.equal(seeds);
    for (const [name, floor] of Object.entries(floors)) expect(totals.get(name) ?? 0, name).to.be.at.least(floor);
  });
});
