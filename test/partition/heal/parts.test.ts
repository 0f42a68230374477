import { expect } from 'chai';
import type { NodeId } from '../../../src/core/ids.ts';
import { SeededRandom } from '../../../src/core/random.ts';
import { DialPlan } from '../../../src/partition/heal/dial-plan.ts';
import { EdgeCheck } from '../../../src/partition/heal/edge-check.ts';
import { emptyPart, mergeParts } from '../../../src/partition/heal/heal-report.ts';
import { isPrefix, type Summary } from '../../../src/partition/heal/summary.ts';
import { nodes } from '../support.ts';

const [n1, n2, n3] = nodes(3) as [NodeId, NodeId, NodeId];

describe('heal: whom to dial (H0)', () => {
  const plan = (self: NodeId): DialPlan => new DialPlan(self, new SeededRandom(1));
  const times = (one: DialPlan, fromMs: number, toMs: number): number[] => {
    const found: number[] = [];
    for (let nowMs = fromMs; nowMs < toMs; nowMs += 5) if (one.due(nowMs).length > 0) found.push(nowMs);
    return found;
  };

  it('dials every 150 ms or so for a minute, then every second, then every five, for ever', () => {
    const one = plan(n1);
    one.onLost(n2, 0);
    const gaps = (list: number[]): number[] => list.slice(1).map((at, i) => at - (list[i] ?? 0));
    for (const gap of gaps(times(one, 0, 60_000))) expect(gap).to.be.within(105, 200);
    for (const gap of gaps(times(one, 61_000, 120_000))) expect(gap).to.be.within(700, 1305);
    for (const gap of gaps(times(one, 130_000, 200_000))) expect(gap).to.be.within(3500, 6505);
    expect(times(one, 1e9, 1e9 + 20_000)).to.have.length.greaterThan(2);
  });

  it('leaves the first second to the lower id of the pair', () => {
    const one = plan(n2);
    one.onLost(n1, 0);
    expect(times(one, 0, 3000)[0]).to.equal(1000);
  });

  it('dials at once whom a peer hears that is back', () => {
    const one = plan(n1);
    for (const peer of [n2, n3]) one.onLost(peer, 0);
    one.due(100_000);
    one.onBack(n2, [n1, n3], 100_001);
    expect(one.due(100_001)).to.deep.equal([n3]);
    expect(one.lost).to.deep.equal([n3]);
  });

  it('dials sixteen at a time, and everyone in the end', () => {
    const one = plan(n1);
    const many = nodes(60).slice(1);
    for (const peer of many) one.onLost(peer, -10_000);
    const dialled = new Set<NodeId>();
    for (let nowMs = 0; nowMs < 200; nowMs += 20) {
      const due = one.due(nowMs);
      expect(due.length).to.be.at.most(16);
      for (const peer of due) dialled.add(peer);
    }
    expect(dialled.size).to.equal(59);
  });
});

describe('heal: when an edge is whole (H1)', () => {
  let nonce = 0;
  const next = (): number => ++nonce;
  /** Answers each echo after `tripMs`; how many it took, from `fromMs` on. */
  function trips(check: EdgeCheck, fromMs: number, tripMs = 1): number {
    for (let count = 1, nowMs = fromMs; count < 50; count++) {
      const sent = check.next(nowMs, next) ?? 0;
      nowMs += tripMs;
      if (check.onReply(sent, 1, nowMs)) return count;
    }
    return 0;
  }

  it('takes three echoes, then six, then twelve if it is lost again within a minute; three after a calm one', () => {
    const check = new EdgeCheck();
    check.onLost(0);
    expect(trips(check, 1000)).to.equal(3);
    for (const expected of [6, 12, 12]) {
      check.onLost(2000);
      expect(trips(check, 3000)).to.equal(expected);
    }
    check.onLost(100_000);
    expect(trips(check, 100_100)).to.equal(3);
  });

  it('begins anew when an answer is late, and when the peer was started anew', () => {
    const check = new EdgeCheck();
    check.onLost(0);
    expect(trips(check, 0, 101)).to.equal(0);
    const [a, b] = [check.next(20_000, next) ?? 0, 0];
    expect(check.onReply(a, 1, 20_001)).to.equal(false);
    expect(b).to.equal(0);
    for (let i = 0; i < 2; i++) expect(check.onReply(check.next(20_002 + i, next) ?? 0, 2, 20_002 + i)).to.equal(false);
    expect(check.onReply(check.next(20_010, next) ?? 0, 2, 20_011)).to.equal(true);
  });

  it('takes no answer that was not asked for', () => {
    const check = new EdgeCheck();
    check.onLost(0);
    for (let i = 0; i < 10; i++) expect(check.onReply(999_999, 1, 1)).to.equal(false);
  });
});

describe('heal: comparing logs (H2)', () => {
  const summary = (commitIndex: number, commitTerm: number): Summary => ({
    epoch: 0,
    term: commitTerm,
    lastIndex: commitIndex,
    lastTerm: commitTerm,
    commitIndex,
    commitTerm,
    head: { index: 0, chain: new Uint8Array(32) },
    snapshotIndex: 0,
    gossip: [],
    openVotes: 0,
    leases: [],
  });
  const ours = { commitIndex: 10, termAt: (index: number) => (index < 3 ? undefined : index < 8 ? 1 : 2), chainAt: () => undefined };

  it('finds two commits at one index, where it can', () => {
    const table = [
      [5, 1, true],
      [8, 2, true],
      [8, 1, false],
      [5, 2, false],
      [2, 9, true],
      [11, 9, true],
      [0, 0, true],
    ] as const;
    for (const [index, term, expected] of table) expect(isPrefix(summary(index, term), ours), `${index} ${term}`).to.equal(expected);
  });

  it('goes by the hash chain where it has it, whatever the terms say', () => {
    const theirs = { ...summary(8, 2), head: { index: 8, chain: new Uint8Array(32).fill(1) } };
    const chained = (chain: Uint8Array | 'none' | undefined) => ({ ...ours, chainAt: () => chain });

    expect(isPrefix(theirs, chained(new Uint8Array(32).fill(1)))).to.equal(true);
    expect(isPrefix(theirs, chained(new Uint8Array(32).fill(2)))).to.equal(false);
    expect(isPrefix(theirs, chained('none'))).to.equal(false);
    expect(isPrefix(theirs, chained(undefined))).to.equal(true);
  });
});

describe('heal: reports', () => {
  it('add up, and say how much of a long list they left out', () => {
    const truncated = Array.from({ length: 600 }, (_, index) => ({ index, term: 1, session: 's', seq: index, kind: 'PutKey' }));
    const part = { ...emptyPart, raft: { caughtUpEntries: 2, truncated, snapshots: 1 }, discarded: ['x'] };

    const { part: whole, notes } = mergeParts([part, part]);

    expect(whole.raft).to.include({ caughtUpEntries: 4, snapshots: 2 });
    expect(whole.raft.truncated).to.have.length(1000);
    expect(whole.discarded).to.deep.equal(['x', 'x']);
    expect(notes).to.deep.equal(['truncated: 200 more']);
  });
});
