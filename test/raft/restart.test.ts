import { expect } from 'chai';
import * as fc from 'fast-check';
import { defined } from '../../src/core/assert.ts';
import type { NodeId } from '../../src/core/ids.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { Entry, Outgoing } from '../../src/raft/messages.ts';
import type { Raft } from '../../src/raft/raft.ts';
import { drain, electionTicks, logOf, makeRaft, n1, n2, n3, n4, n5, Network, ofType, requestVote } from './network.ts';
import { restart } from './restart.ts';

const three = [n1, n2, n3];
const five = [n1, n2, n3, n4, n5];
const options = { preVote: true, checkQuorum: true };

describe('raft: crash and restart (§5, figure 2)', () => {
  it('begins as follower, with the term, the vote and the log it had', () => {
    const disk = { hardState: { currentTerm: 5, votedFor: n2, commitIndex: 2, rejoining: 0 }, entries: logOf(1, 3, 5) };

    const raft = makeRaft(n1, three, disk);

    expect(raft.status()).to.include({ role: 'follower', term: 5, votedFor: n2, lastIndex: 3, commitIndex: 2, leader: undefined });
  });

  it('hands out again what is committed and was not applied', () => {
    const raft = makeRaft(n1, three, {
      hardState: { currentTerm: 1, votedFor: undefined, commitIndex: 2, rejoining: 0 },
      entries: logOf(1, 1, 1),
    });

    expect(raft.takeReady()?.committedEntries.map(({ index }) => index)).to.deep.equal([1, 2]);
  });

  it('believes no commit index beyond the log that is left of it', () => {
    const raft = makeRaft(n1, three, {
      hardState: { currentTerm: 1, votedFor: undefined, commitIndex: 9, rejoining: 0 },
      entries: logOf(1, 1),
    });

    expect(raft.commitIndex).to.equal(2);
  });

  it('a vote that was not saved was not given, so another may have it', () => {
    const network = new Network(three);
    network.at(n3).step(n1, requestVote());
    const ready = network.at(n3).takeReady();
    expect(ready?.messages).to.deep.equal([]);

    const again = restart(network, n3, {}, true);
    again.step(n2, requestVote());

    expect(again.status().votedFor).to.equal(n2);
  });

  it('an entry that its follower lost before the save is not counted, and is sent again', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    network.isolate(n3);
    leader.propose(new Uint8Array([1]));
    for (const { to, message } of drain(leader)) if (to === n2) network.at(n2).step(n1, message);
    network.at(n2).takeReady();

    const again = restart(network, n2, {}, true);
    expect(leader.commitIndex).to.equal(1);
    expect(again.status().lastIndex).to.equal(1);
    network.tick(4);

    expect(leader.commitIndex).to.equal(2);
    expect(again.status().lastIndex).to.equal(2);
  });

  it('a leader does not count an entry that it has not saved itself', () => {
    const network = new Network([n1, n2]);
    const leader = network.elect(n1);
    leader.propose(new Uint8Array([1]));
    const ready = leader.takeReady();
    for (const { to, message } of ready?.messages ?? []) network.at(to).step(n1, message);
    for (const { message } of drain(network.at(n2))) leader.step(n2, message);

    expect(leader.commitIndex).to.equal(1);
    for (const { to, message } of ready?.messagesAfterSave ?? []) if (to === n1) leader.step(n1, message);
    expect(leader.commitIndex).to.equal(2);
  });

  it('what was committed is there after all nodes lost their power at once', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    for (let i = 0; i < 5; i++) leader.propose(new Uint8Array([i]), 1 + i);
    network.settle();
    const before = network.applied.get(n1);

    for (const id of three) restart(network, id, {}, true);
    network.elect(n2);

    for (const id of three) expect(network.applied.get(id)?.slice(0, 6)).to.deep.equal(before);
    expect(network.at(n2)).to.include({ role: 'leader', term: 2 });
  });

  it('refuses to start from options that contradict themselves', () => {
    expect(() => makeRaft(n1, three, {}, { heartbeatTicks: electionTicks })).to.throw(RangeError);
    expect(() => makeRaft(n1, three, {}, { maxInflight: 0 })).to.throw(RangeError);
    expect(() => makeRaft(n1, three, {}, { maxInflightBytes: 1 })).to.throw(RangeError);
    expect(() => makeRaft(n1, three, {}, { leaseMs: 5, checkQuorum: false })).to.throw(RangeError);
  });
});

interface Letter {
  readonly from: NodeId;
  readonly outgoing: Outgoing;
}

/**
 * A network that loses, repeats and reorders messages, over nodes that lose their power in the middle of a turn. It keeps what no node may forget: who led
 * each term, and what was applied at each index.
 */
class Storm {
  readonly #random: SeededRandom;
  readonly network = new Network(five, options);
  readonly #leaders = new Map<number, NodeId>();
  readonly #history = new Map<number, Entry>();
  #inFlight: Letter[] = [];
  restarts = 0;
  #isCalm = false;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  get committed(): number {
    return this.#history.size;
  }

  round(): void {
    for (const id of five) {
      const raft = this.network.at(id);
      if (this.#isCalm || this.#random.below(3) > 0) raft.tick();
      if (raft.role === 'leader') {
        if (this.#random.below(2) === 0) raft.propose(new Uint8Array([this.#random.below(256)]), 1 + this.#random.below(3));
        if (!this.#isCalm && this.#random.below(30) === 0) raft.transferLeadership(this.#anyone());
      }
      this.#turn(raft);
    }
    this.#deliver();
  }

  calm(): void {
    this.#isCalm = true;
  }

  #anyone(): NodeId {
    return five[this.#random.below(five.length)] ?? n1;
  }

  #turn(raft: Raft): void {
    if (raft.role === 'leader') {
      expect(this.#leaders.get(raft.term) ?? raft.id, `leader of term ${raft.term}`).to.equal(raft.id);
      this.#leaders.set(raft.term, raft.id);
    }
    const ready = raft.takeReady();
    if (ready === undefined) return;
    this.#post(raft.id, ready.messages);
    for (const applied of ready.committedEntries) {
      expect(this.#history.get(applied.index) ?? applied, `entry at ${applied.index}`).to.deep.equal(applied);
      this.#history.set(applied.index, applied);
    }
    if (!this.#isCalm && this.#random.below(60) === 0) {
      restart(this.network, raft.id, options, true);
      this.restarts++;
      return;
    }
    const disk = defined(this.network.disks.get(raft.id), 'the node has a disk');
    const [first] = ready.entries;
    if (first !== undefined) disk.entries = [...disk.entries.filter(({ index }) => index <= first.index - first.count), ...ready.entries];
    disk.hardState = ready.hardState ?? disk.hardState;
    for (const { message } of ready.messagesAfterSave.filter(({ to }) => to === raft.id)) raft.step(raft.id, message);
    this.#post(
      raft.id,
      ready.messagesAfterSave.filter(({ to }) => to !== raft.id),
    );
  }

  #post(from: NodeId, messages: readonly Outgoing[]): void {
    for (const outgoing of messages) {
      if (this.#isCalm || this.#random.below(10) > 0) this.#inFlight.push({ from, outgoing });
      if (!this.#isCalm && this.#random.below(10) === 0) this.#inFlight.push({ from, outgoing });
    }
  }

  #deliver(): void {
    const late: Letter[] = [];
    for (const letter of this.#inFlight.splice(0)) {
      if (!this.#isCalm && this.#random.below(4) === 0) late.push(letter);
      else this.network.at(letter.outgoing.to).step(letter.from, letter.outgoing.message);
    }
    // What is late comes in another order as well.
    this.#inFlight = late.toReversed();
  }
}

describe('raft: safety in a storm (figure 3)', () => {
  it('elects one leader a term and applies one history through losses, repeats, reordering and crashes, and heals', () => {
    let committed = 0;
    let restarts = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (seed) => {
        const storm = new Storm(seed);

        for (let round = 0; round < 250; round++) storm.round();
        const before = storm.committed;
        storm.calm();
        for (let round = 0; round < 10 * electionTicks; round++) storm.round();

        const leaders = [...storm.network.nodes.values()].filter(({ role }) => role === 'leader');
        expect(leaders).to.have.length(1);
        expect(storm.committed).to.be.greaterThan(before);
        committed += before;
        restarts += storm.restarts;
      }),
      { numRuns: 25, seed: 7 },
    );

    // It proves something only if much was committed and often something was lost.
    expect(committed).to.be.greaterThan(500);
    expect(restarts).to.be.greaterThan(100);
  });

  it('answers whatever is said to it, and keeps what is committed', () => {
    const index = fc.nat(12);
    const someone = fc.constantFrom(n2, n3, n4);
    const anyEntry = fc.record({
      term: fc.nat(4),
      index,
      count: fc.integer({ min: 1, max: 3 }),
      kind: fc.constantFrom('noop' as const, 'command' as const, 'configuration' as const),
      data: fc.uint8Array({ maxLength: 4 }),
    });
    const configuration = makeRaft(n1, three).configuration;
    const message = fc.oneof(
      fc.record({
        type: fc.constant('RequestVote' as const),
        term: fc.nat(4),
        preVote: fc.boolean(),
        lastLogIndex: index,
        lastLogTerm: fc.nat(4),
        transfer: fc.boolean(),
        commitIndex: index,
        commitTerm: fc.nat(4),
      }),
      fc.record({
        type: fc.constant('RequestVoteResponse' as const),
        term: fc.nat(4),
        preVote: fc.boolean(),
        voteGranted: fc.boolean(),
        commitIndex: index,
        commitTerm: fc.nat(4),
      }),
      fc.record({
        type: fc.constant('AppendEntries' as const),
        term: fc.nat(4),
        prevLogIndex: index,
        prevLogTerm: fc.nat(4),
        leaderCommit: index,
        entries: fc.array(anyEntry, { maxLength: 3 }),
      }),
      fc.record({
        type: fc.constant('AppendEntriesResponse' as const),
        term: fc.nat(4),
        success: fc.boolean(),
        index,
        conflictIndex: index,
        conflictTerm: fc.nat(4),
        rejoining: fc.nat(1),
      }),
      fc.record({ type: fc.constant('Heartbeat' as const), term: fc.nat(4), leaderCommit: index, context: fc.nat(3) }),
      fc.record({
        type: fc.constant('HeartbeatResponse' as const),
        term: fc.nat(4),
        context: fc.nat(3),
        rejoining: fc.nat(1),
        leaseMs: fc.nat(5),
      }),
      fc.record({
        type: fc.constant('InstallSnapshot' as const),
        term: fc.nat(4),
        snapshot: fc.record({
          index: fc.integer({ min: 1, max: 12 }),
          term: fc.integer({ min: 1, max: 4 }),
          configuration: fc.constant(configuration),
          chain: fc.constant(new Uint8Array(32)),
        }),
        chunk: fc.nat(2),
        chunks: fc.integer({ min: 1, max: 2 }),
        data: fc.uint8Array({ maxLength: 2 }),
      }),
      fc.record({ type: fc.constant('InstallSnapshotResponse' as const), term: fc.nat(4), index, nextChunk: fc.nat(3) }),
      fc.record({ type: fc.constant('TimeoutNow' as const), term: fc.nat(4), leaderCommit: fc.nat(9) }),
      fc.record({ type: fc.constant('ReadIndex' as const), term: fc.nat(4), context: fc.nat(3) }),
      fc.record({ type: fc.constant('ReadIndexResponse' as const), term: fc.nat(4), context: fc.nat(3), index }),
    );

    fc.assert(
      fc.property(fc.array(fc.tuple(someone, message), { maxLength: 40 }), fc.boolean(), (said, isLeader) => {
        const disk = { hardState: { currentTerm: 1, votedFor: undefined, commitIndex: 2, rejoining: 0 }, entries: logOf(1, 1, 1) };
        const raft = makeRaft(n1, three, disk, options);
        if (isLeader) {
          raft.campaign();
          drain(raft);
          raft.step(n2, { type: 'RequestVoteResponse', term: 2, preVote: true, voteGranted: true, commitIndex: 0, commitTerm: 0 });
          drain(raft);
          raft.step(n2, { type: 'RequestVoteResponse', term: 2, preVote: false, voteGranted: true, commitIndex: 0, commitTerm: 0 });
        }
        drain(raft);
        expect(raft.role).to.equal(isLeader ? 'leader' : 'follower');

        let { term, commitIndex } = raft;
        for (const [from, one] of said) {
          raft.step(from, one);
          raft.tick();
          drain(raft);
          expect(raft.term).to.be.at.least(term);
          expect(raft.commitIndex).to.be.at.least(commitIndex);
          expect(raft.status().lastIndex).to.be.at.least(raft.commitIndex);
          ({ term, commitIndex } = raft);
        }
      }),
      { numRuns: 1500, seed: 3 },
    );
  });
});

describe('raft: a single node', () => {
  it('elects itself, commits and reads without anyone', () => {
    const network = new Network([n1], options);
    const leader = network.elect(n1);

    leader.propose(new Uint8Array([1]));
    network.settle();
    leader.readIndex(3);
    network.settle();

    expect(leader).to.include({ role: 'leader', commitIndex: 2 });
    expect(network.reads).to.deep.equal([{ node: n1, context: 3, index: 2 }]);
    expect(ofType(drain(leader), 'Heartbeat')).to.deep.equal([]);
  });
});
