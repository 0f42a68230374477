import { expect } from 'chai';
import type { VoteResult } from '../../sim/byzantine/run-vote.ts';
import { runVote, runVotePlan } from '../../sim/byzantine/run-vote.ts';
import { twinRounds } from '../../sim/byzantine/twin-rounds.ts';
import type { VoteSettings } from '../../sim/byzantine/vote-plan.ts';

const runs = (count: number, settings: VoteSettings): VoteResult[] => Array.from({ length: count }, (_, i) => runVote(i + 1, settings));

const failed = (results: readonly VoteResult[]): string[] =>
  results.flatMap(({ seed, n, verdict, violation }) => (verdict === 'ok' ? [] : [`seed ${seed}, ${n} members: ${verdict}: ${violation}`]));

describe('simulator: Byzantine votes', () => {
  for (const [n, count] of [
    [4, 800],
    [5, 300],
    [6, 300],
    [7, 300],
    [10, 120],
  ] as const) {
    it(`${n} members, as many liars as may be: never two decisions, and always one once the network is calm`, () => {
      const results = runs(count, { n });

      expect(failed(results)).to.deep.equal([]);
      // Runs in which little happens prove little.
      expect([...new Set(results.map(({ outcome }) => outcome))]).to.have.members(['option', 'split', 'expired']);
      const sum = (of: (r: VoteResult) => number): number => results.reduce((total, r) => total + of(r), 0);
      expect(
        sum(({ highestView }) => Number(highestView > 0)),
        'runs with later views',
      ).to.be.greaterThan(count / 10);
      expect(
        sum(({ counts }) => counts.crashes),
        'crashes',
      ).to.be.greaterThan(count);
      expect(
        sum(({ counts }) => counts.evidence),
        'lies noticed',
      ).to.be.greaterThan(count);
    });
  }

  it('every vote of four members, one of them twins, through two views of every partition', () => {
    const results = [...twinRounds()].map((plan, place) => runVotePlan(place, plan));

    expect(results).to.have.length(4096);
    expect(failed(results)).to.deep.equal([]);
    expect(Math.max(...results.map(({ highestView }) => highestView))).to.be.at.least(2);
  });

  for (const [n, faulty] of [
    [4, 2],
    [7, 3],
  ] as const) {
    it(`finds the fork when ${faulty} of ${n} members are twins, one more than may be`, () => {
      const found = runs(100, { n, faulty, lie: 'twins' }).filter(({ invariant }) => invariant === 'agreement');

      expect(found).not.to.deep.equal([]);
    });
  }

  it('runs a seed the same way again, and another one otherwise', () => {
    const [once, again, other] = [runVote(5, { n: 7 }), runVote(5, { n: 7 }), runVote(6, { n: 7 })];

    expect(again).to.deep.equal(once);
    expect(other.traceHash).not.to.equal(once.traceHash);
  });
});
