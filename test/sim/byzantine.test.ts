import { expect } from 'chai';
import type { VoteResult } from '../../sim/byzantine/run-vote.ts';
import { runVote, runVotePlan } from '../../sim/byzantine/run-vote.ts';
import { twinRounds } from '../../sim/byzantine/twin-rounds.ts';
import type { VoteSettings } from '../../sim/byzantine/vote-plan.ts';

const runs = (count: number, settings: VoteSettings): VoteResult[] => Array.from({ length: count }, (_, i) => runVote(i + 1, settings));

const failed = (results: readonly VoteResult[]): string[] =>
  results.flatMap(({ seed, n, verdict, violation }) => (verdict === 'ok' ? [] : [`seed ${seed}, ${n} members: ${verdict}: ${violation}`]));

describe('simulator: Byzantine votes', () => {
  it('every vote of four members, one of them twins, through two views of every partition', () => {
    const results = [...twinRounds()].map((plan, place) => runVotePlan(place, plan));

    expect(results).to.have.length(4096);
    expect(failed(results)).to.deep.equal([]);
    expect(Math.max(...results.map(({ highestView }) => highestView))).to.be.at.least(2);
  });

  // Of 5, any two quorums share two liars and an honest member: 2 are one more than 4 members bear, and not enough for a fork.
  for (const [n, faulty] of [
    [4, 2],
    [6, 2],
    [7, 3],
    [10, 4],
  ] as const) {
    it(`finds the fork when ${faulty} of ${n} members are twins, one more than may be`, () => {
      const found = runs(200, { n, faulty, lie: 'twins' }).filter(({ invariant }) => invariant === 'agreement');

      expect(found).not.to.deep.equal([]);
    });

    it(`finds none when ${faulty - 1} of ${n} are`, () => {
      expect(failed(runs(200, { n, faulty: faulty - 1, lie: 'twins' }))).to.deep.equal([]);
    });
  }

  for (const depth of ['engine', 'frames'] as const) {
    it(`runs a seed the same way again, and another one otherwise: ${depth}`, () => {
      const [once, again, other] = [runVote(5, { n: 7 }, depth), runVote(5, { n: 7 }, depth), runVote(6, { n: 7 }, depth)];

      expect(again).to.deep.equal(once);
      expect(other.traceHash).not.to.equal(once.traceHash);
    });
  }
});
