import { expect } from 'chai';
import type { RaftMessage, RequestVote } from '../../src/raft/messages.ts';
import type { Raft } from '../../src/raft/raft.ts';
import { drain, electionTicks, makeRaft, n1, n2, n3, n4, n5, Network, ofType, requestVote } from './network.ts';
import { restart } from './restart.ts';

const three = [n1, n2, n3];
const leaseMs = 60;
const options = { preVote: true, checkQuorum: true, leaseMs };

/** A leader n1 with the promises of all, from heartbeats that were sent at 1000. */
function withLease(ids = three): Network {
  const network = new Network(ids, options);
  network.nowMs = 1000;
  // Whoever has just begun may have promised something before: it votes for nobody yet.
  for (let i = 0; i < electionTicks; i++) for (const raft of network.nodes.values()) raft.tick();
  network.settle();
  network.elect(n1);
  network.tick(1);
  return network;
}

const promise = (term: number, context: number, promisedMs = leaseMs, rejoining = 0): RaftMessage => ({
  type: 'HeartbeatResponse',
  term,
  context,
  rejoining,
  leaseMs: promisedMs,
});

const voteFor = (raft: Raft, given: Partial<RequestVote> = {}): RequestVote =>
  requestVote({ term: raft.term + 1, lastLogIndex: 100, lastLogTerm: raft.term, ...given });

/** Whether a read asked now is answered at once, without asking anybody. */
function answersAlone(leader: Raft, nowMs: number | undefined): boolean {
  leader.readIndex(7);
  const ready = leader.takeReady(nowMs);
  return ready?.readStates.length === 1 && ofType(ready.messages, 'Heartbeat').length === 0;
}

/** The round of the heartbeat that the leader sends with the next tick. */
function beat(leader: Raft, nowMs: number): number {
  leader.tick();
  return ofType(drain(leader, undefined, nowMs), 'Heartbeat').at(-1)?.context ?? 0;
}

describe('raft: leader leases (thesis §6.4.1)', () => {
  it('answers a read alone while a majority keeps to the leader, and asks it again afterwards', () => {
    const leader = withLease().at(n1);

    expect(answersAlone(leader, 1000)).to.equal(true);
    expect(answersAlone(leader, 1029)).to.equal(true);
    expect(answersAlone(leader, 1059)).to.equal(true);
    expect(answersAlone(leader, 1060)).to.equal(false);
  });

  it('answers after all when a majority has confirmed, once the lease is over', () => {
    const network = withLease();
    network.nowMs = 5000;

    network.at(n1).readIndex(7);
    network.settle();

    expect(network.reads.map(({ context }) => context)).to.deep.equal([7]);
  });

  it('counts from the moment when the heartbeat was sent, not from its answer', () => {
    const leader = withLease().at(n1);
    const round = beat(leader, 1020);
    drain(leader, undefined, 1040);
    drain(leader, undefined, 1060);

    leader.step(n2, promise(leader.term, round));

    // Told of 1000 last when the tick made it send.
    expect(answersAlone(leader, 1060)).to.equal(false);
  });

  it('is renewed by each heartbeat', () => {
    const leader = withLease().at(n1);
    drain(leader, undefined, 1025);
    const round = beat(leader, 1025);
    leader.step(n2, promise(leader.term, round));
    drain(leader, undefined, 1050);

    expect(answersAlone(leader, 1080)).to.equal(true);
    expect(answersAlone(leader, 1085)).to.equal(false);
  });

  it('finds it ended after a pause, before anything else was heard (etcd #20418)', () => {
    const leader = withLease().at(n1);

    expect(answersAlone(leader, 31_000)).to.equal(false);
  });

  it('trusts no promise across an absence of half a lease, nor across a clock that went back', () => {
    expect(answersAlone(withLease().at(n1), 1031)).to.equal(false);
    expect(answersAlone(withLease().at(n1), 999)).to.equal(false);
  });

  it('holds nothing without a clock', () => {
    expect(answersAlone(withLease().at(n1), undefined)).to.equal(false);
  });

  it('answers nothing before its first commit', () => {
    const network = withLease();
    network.isolate(n1);
    network.drop = (_, { message }) => message.type === 'AppendEntriesResponse';
    const next = network.at(n2);
    for (let i = 0; i < 5 * electionTicks && next.role !== 'leader'; i++) {
      network.at(n3).setRandomizedElectionTimeout(3 * electionTicks);
      network.tick();
    }
    network.tick(1);
    expect(next.role).to.equal('leader');

    expect(answersAlone(next, 1000)).to.equal(false);
    network.drop = () => false;
    network.tick(electionTicks);
    expect(network.reads.map(({ context }) => context)).to.deep.equal([7]);
  });

  it('counts no promise shorter than what is left, and none of a member that lost its disk', () => {
    const leader = withLease().at(n1);
    drain(leader, undefined, 1030);
    drain(leader, undefined, 1059);
    const round = beat(leader, 1059);

    leader.step(n2, promise(leader.term, round, 0));
    leader.step(n3, promise(leader.term, round, leaseMs, 4711));
    expect(answersAlone(leader, 1061)).to.equal(false);
    leader.step(n2, promise(leader.term, round, 10));
    expect(answersAlone(leader, 1061)).to.equal(true);
    expect(answersAlone(leader, 1069)).to.equal(false);
  });

  it('needs the promises of both majorities while members change', () => {
    const network = withLease();
    const leader = network.at(n1);
    network.drop = (from, { to }) => [from, to].some((id) => id === n4 || id === n5);
    leader.proposeConfigChange({
      transition: 'joint-explicit',
      changes: [
        { type: 'add-voter', node: n4 },
        { type: 'add-voter', node: n5 },
        { type: 'remove', node: n2 },
      ],
      context: '',
    });
    network.settle();
    expect(leader.configuration.outgoing).to.deep.equal(three);
    const round = beat(leader, 1000);

    for (const id of [n2, n3]) leader.step(id, promise(leader.term, round));
    expect(answersAlone(leader, 1001)).to.equal(false);
    leader.step(n4, promise(leader.term, round));
    expect(answersAlone(leader, 1001)).to.equal(true);
  });

  it('is given up for a transfer, and for good once somebody was asked to campaign', () => {
    const network = withLease();
    const leader = network.at(n1);
    network.drop = (_, { message }) => message.type === 'TimeoutNow';

    leader.transferLeadership(n2);
    network.settle();
    const during = answersAlone(leader, 1001);
    network.tick(2 * electionTicks);

    expect(leader.role).to.equal('leader');
    expect(leader.propose(new Uint8Array([1])).ok).to.equal(true);
    expect([during, answersAlone(leader, 1001)]).to.deep.equal([false, false]);
  });

  it('is free again after a transfer that never came to asking', () => {
    const network = withLease();
    const leader = network.at(n1);
    network.cut.add('n1 n2');
    leader.propose(new Uint8Array([1]));
    leader.transferLeadership(n2);
    network.settle();
    const during = answersAlone(leader, 1001);

    network.tick(2 * electionTicks);

    expect([during, answersAlone(leader, 1001)]).to.deep.equal([false, true]);
  });
});

describe('raft: what a voter promises to a leader with a lease', () => {
  const granted = (raft: Raft): boolean => ofType(drain(raft), 'RequestVoteResponse').some(({ voteGranted }) => voteGranted);

  it('gives nobody else a vote or a pre-vote for an election timeout', () => {
    for (const preVote of [true, false]) {
      const voter = withLease().at(n2);
      for (let i = 0; i < electionTicks - 1; i++) voter.tick();

      voter.step(n3, voteFor(voter, { preVote }));
      expect(granted(voter), 'one tick too early').to.equal(false);
      voter.tick();
      voter.step(n3, voteFor(voter, { preVote }));
      expect(granted(voter), 'in time').to.equal(true);
    }
  });

  it('keeps it in a term that it was moved to by a late answer', () => {
    const voter = withLease().at(n2);
    const term = voter.term + 1;
    voter.step(n3, { type: 'AppendEntriesResponse', term, success: false, index: 0, conflictIndex: 0, conflictTerm: 0, rejoining: 0 });
    expect([voter.term, voter.leader]).to.deep.equal([term, undefined]);

    voter.step(n3, voteFor(voter, { term }));

    expect(granted(voter)).to.equal(false);
  });

  it('keeps it when it was started again and has forgotten', () => {
    const voter = makeRaft(n2, three, {}, options);

    for (let i = 0; i < electionTicks - 1; i++) voter.tick();
    voter.step(n3, voteFor(voter));
    expect(granted(voter)).to.equal(false);
    voter.tick();
    voter.step(n3, voteFor(voter));

    expect(granted(voter)).to.equal(true);
  });

  it('so nobody is elected beside a leader that may still answer alone', () => {
    const network = withLease();
    const leader = network.at(n1);
    // n2 has long lost the leader, and lacks nothing. n3 has just promised something, is started again, and hears n2 only.
    network.cut.add('n1 n2');
    network.cut.add('n2 n1');
    for (let i = 0; i < 2 * electionTicks; i++) {
      network.nowMs = 1000 + 10 * i;
      network.tick();
    }
    restart(network, n3, options);
    network.isolate(n1);

    network.elect(n2);

    expect(answersAlone(leader, network.nowMs)).to.equal(true);
    expect(network.at(n2).role).to.equal('precandidate');
  });

  it('votes at once for whom the leader itself asked to campaign', () => {
    const voter = withLease().at(n2);

    voter.step(n3, voteFor(voter, { transfer: true }));

    expect(granted(voter)).to.equal(true);
  });

  it('does not campaign sooner because its connection was lost', () => {
    const voter = withLease().at(n2);

    voter.reportUnreachable(n1);
    for (let i = 0; i < electionTicks - 1; i++) voter.tick();

    expect(voter.role).to.equal('follower');
  });

  it('promises nothing while it is rejoining', () => {
    const hardState = { currentTerm: 1, votedFor: undefined, commitIndex: 0, rejoining: 4711 };
    const voter = makeRaft(n2, three, { hardState }, options);

    voter.step(n1, { type: 'Heartbeat', term: 1, leaderCommit: 0, context: 3 });

    expect(ofType(drain(voter), 'HeartbeatResponse').map((answer) => answer.leaseMs)).to.deep.equal([0]);
  });
});
