import { expect } from 'chai';
import type { GuardedAction } from '../../src/byzantine/guard.ts';
import { nodeHashes } from '../../src/crypto/node.ts';
import { Promotions } from '../../src/node/guarding/promotions.ts';
import { VoteNetwork } from './votes/vote-network.ts';

const action: GuardedAction = { kind: 'membership', subject: 'epoch:1', payload: '{"members":[]}' };
const other: GuardedAction = { ...action, payload: '{"members":["a"]}' };
const minuteMs = 60_000;

/** Members that vote, and what each of them does when it leads. */
class Leaders {
  readonly network = new VoteNetwork(4);
  #nowMs = 0;
  readonly #promotions = [0, 1].map(
    (member) =>
      new Promotions({
        votes: () => this.network.votes(member),
        hashes: nodeHashes,
        clock: { monotonicMs: () => this.#nowMs, unixMs: () => 0 },
        logger: { debug() {}, info() {}, warn() {}, error() {} },
      }),
  );

  /** Lets the time go by, in which the member leads and wants these. */
  lead(member: number, ms: number, ...wanted: readonly GuardedAction[]): readonly (string | undefined)[] {
    const stepMs = Math.max(100, ms / 100);
    let approvals: readonly (string | undefined)[] = [];
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs; this.#nowMs += stepMs) {
      approvals = wanted.map((each) => this.#promotions[member]?.approvalOf(each));
      this.network.settle();
    }
    return approvals;
  }

  get open() {
    return this.network
      .votes(2)
      .list(100)
      .filter(({ state }) => state === 'open');
  }

  vote(choices: readonly string[]): void {
    const [{ id } = { id: '' }] = this.open;
    for (const [member, choice] of choices.entries()) this.network.cast(member, id, choice);
    this.network.settle();
    this.network.pass(200);
  }
}

describe('node: votes that a leader opens (protocol design 1.8)', () => {
  it('one, about exactly the change, whose certificate is the answer from then on', () => {
    const leaders = new Leaders();

    const before = leaders.lead(0, 1000, action);
    const { open } = leaders;
    leaders.vote(['approve', 'approve', 'approve']);
    const [certificate] = leaders.lead(0, 1000, action);

    expect(before).to.deep.equal([undefined]);
    expect(open).to.have.length(1);
    expect(open[0]).to.include({ kind: 'membership', subject: 'epoch:1', timeoutMs: 10 * minuteMs });
    expect(
      Buffer.from(certificate ?? '', 'base64')
        .subarray(0, 4)
        .toString(),
    ).to.equal('QCRT');
    expect(leaders.open).to.deep.equal([]);
  });

  it('the next leader finds it, open or certified, and asks for no other', () => {
    const leaders = new Leaders();
    leaders.lead(0, 1000, action);

    leaders.lead(1, 10 * minuteMs, action);
    const { open } = leaders;
    leaders.vote(['approve', 'approve', 'approve']);
    const [certificate] = leaders.lead(1, 1000, action);

    expect(open).to.have.length(1);
    expect(certificate).to.be.a('string');
  });

  it('again after a pause that doubles when no option won, whoever leads', () => {
    const leaders = new Leaders();
    const split = ['approve', 'approve', 'reject', 'reject'];
    const pauses: boolean[] = [];
    leaders.lead(0, 1000, action);

    leaders.vote(split);
    for (const [leader, ms] of [
      [0, 0.9 * minuteMs],
      [0, 0.2 * minuteMs],
    ] as const)
      pauses.push(leaders.lead(leader, ms, action) && leaders.open.length === 1);
    leaders.vote(split);
    for (const ms of [1.9 * minuteMs, 0.2 * minuteMs]) pauses.push(leaders.lead(1, ms, action) && leaders.open.length === 1);

    expect(pauses).to.deep.equal([false, true, false, true]);
  });

  it('not again when the members said no', () => {
    const leaders = new Leaders();
    leaders.lead(0, 1000, action);

    leaders.vote(['reject', 'reject', 'reject']);
    leaders.lead(0, 120 * minuteMs, action);

    expect(leaders.open).to.deep.equal([]);
  });

  it('one at a time; another when that has ended', () => {
    const leaders = new Leaders();

    leaders.lead(0, 1000, action, other);
    const first = leaders.open.length;
    leaders.vote(['reject', 'reject', 'reject']);
    leaders.lead(0, 1000, action, other);

    expect(first).to.equal(1);
    expect(leaders.open).to.have.length(1);
    expect(Buffer.from(leaders.open[0]?.payload ?? []).toString()).to.equal(other.payload);
  });

  it('soon again when too few members were at hand', () => {
    const leaders = new Leaders();
    leaders.network.cutOff(1, 2, 3);
    leaders.lead(0, 1000, action);

    leaders.network.heal();
    leaders.network.pass(1000);
    leaders.lead(0, 2000, action);

    expect(leaders.open).to.have.length(1);
  });
});
