import { expect } from 'chai';
import type { RaftMessage } from '../../src/raft/messages.ts';
import { drain, electionTicks, makeRaft, n1, n2, n3, n4, n5, Network, ofType } from './network.ts';

const three = [n1, n2, n3];
const options = { preVote: true, checkQuorum: true };
const answer = (term: number, context: number): RaftMessage => ({ type: 'HeartbeatResponse', term, context, rejoining: 0, leaseMs: 0 });

describe('raft: how a read is confirmed (thesis §6.4)', () => {
  it('is confirmed by a heartbeat that was sent after it was asked, not by an older one', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    network.isolate(n1);
    leader.readIndex(1);
    drain(leader);
    leader.propose(new Uint8Array([1]));
    leader.readIndex(2);
    drain(leader);

    leader.step(n2, answer(1, 1));
    const states = leader.takeReady()?.readStates;

    expect(states).to.deep.equal([{ context: 1, index: 1 }]);
  });

  it('a later round confirms all that went before', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    for (const context of [1, 2, 3]) {
      leader.readIndex(context);
      drain(leader);
    }

    leader.step(n3, answer(1, 3));

    expect(leader.takeReady()?.readStates.map(({ context }) => context)).to.deep.equal([1, 2, 3]);
  });

  it('one answer twice is one answer', () => {
    const network = new Network([n1, n2, n3, n4, n5]);
    const leader = network.elect(n1);
    leader.readIndex(1);
    drain(leader);

    for (let i = 0; i < 4; i++) leader.step(n2, answer(1, 1));
    expect(leader.takeReady()?.readStates ?? []).to.deep.equal([]);
    leader.step(n4, answer(1, 1));

    expect(leader.takeReady()?.readStates).to.have.length(1);
  });

  it('an answer of a learner or a stranger confirms nothing', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    leader.proposeConfigChange({ transition: 'auto', changes: [{ type: 'add-learner', node: n4 }], context: '' });
    network.settle();
    leader.readIndex(1);
    drain(leader);

    for (const id of [n4, n5]) leader.step(id, answer(1, 1));

    expect(leader.takeReady()?.readStates ?? []).to.deep.equal([]);
  });

  it('an answer to a heartbeat of an earlier term confirms nothing', () => {
    const network = new Network(three);
    network.elect(n1);
    network.elect(n2);
    const leader = network.elect(n1);
    leader.readIndex(1);
    drain(leader);

    leader.step(n2, answer(1, 1));

    expect(leader.takeReady()?.readStates ?? []).to.deep.equal([]);
  });

  it('reads of one turn share a round, and are given the commit index at which it began', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    for (const context of [1, 2, 3, 4]) leader.readIndex(context);

    const heartbeats = ofType(drain(leader), 'Heartbeat');
    leader.propose(new Uint8Array([1]));
    drain(leader);
    leader.step(n2, { type: 'AppendEntriesResponse', term: 1, success: true, index: 2, conflictIndex: 0, conflictTerm: 0, rejoining: 0 });
    leader.step(n2, answer(1, 1));

    expect(heartbeats).to.have.length(2);
    expect(leader.commitIndex).to.equal(2);
    expect(leader.takeReady()?.readStates.map(({ index }) => index)).to.deep.equal([1, 1, 1, 1]);
  });

  it('sees every write that was committed before it was asked, wherever it is asked', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    for (let i = 0; i < 3; i++) leader.propose(new Uint8Array([i]));
    network.settle();

    for (const id of three) network.at(id).readIndex(9);
    network.settle();

    expect(network.reads.map(({ index }) => index)).to.deep.equal([4, 4, 4]);
  });

  it('a deposed leader that does not know it yet confirms nothing', () => {
    const network = new Network(three);
    network.elect(n1);
    network.isolate(n1);
    network.elect(n2);
    network.at(n2).propose(new Uint8Array([1]));
    network.settle();

    network.at(n1).readIndex(1);
    network.heal();
    network.settle();

    expect(network.at(n1).role).to.equal('follower');
    expect(network.reads).to.deep.equal([]);
    expect(network.refused).to.deep.equal([{ node: n1, context: 1 }]);
  });

  it('a follower takes back its question when its leader changes', () => {
    const network = new Network(three);
    network.elect(n1);
    network.drop = (_from, { message }) => message.type === 'ReadIndex';
    network.at(n3).readIndex(1);
    network.settle();
    expect(network.refused).to.deep.equal([]);

    network.elect(n2);

    expect(network.refused).to.deep.equal([{ node: n3, context: 1 }]);
  });

  it('a follower believes an answer only once, only to what it asked, and only of its leader', () => {
    const network = new Network(three);
    network.elect(n1);
    const follower = network.at(n2);
    follower.readIndex(1);
    drain(follower);
    const states: number[] = [];
    const hear = (from: typeof n1, context: number): void => {
      follower.step(from, { type: 'ReadIndexResponse', term: 1, context, index: 1 });
      drain(follower, (ready) => states.push(...ready.readStates.map((state) => state.context)));
    };

    hear(n3, 1);
    hear(n1, 2);
    hear(n1, 1);
    hear(n1, 1);

    expect(states).to.deep.equal([1]);
  });

  it('a follower whose questions were lost by the ten thousands goes on asking: the oldest make room', () => {
    const network = new Network(three);
    network.elect(n1);
    network.drop = (_from, { message }) => message.type === 'ReadIndex';
    for (let context = 1; context <= 65_536; context++) network.at(n2).readIndex(context);
    network.settle();
    network.drop = () => false;

    network.at(n2).readIndex(70_000);
    network.settle();

    expect(network.refused).to.deep.equal([{ node: n2, context: 1 }]);
    expect(network.reads).to.deep.equal([{ node: n2, context: 70_000, index: 1 }]);
  });
});

describe('raft: leadership transfer (thesis §3.10)', () => {
  const roles = (network: Network): string[] => three.filter((id) => network.at(id).role === 'leader');

  it('a target that is behind is brought up first', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    network.isolate(n3);
    for (let i = 0; i < 3; i++) leader.propose(new Uint8Array([i]));
    network.settle();

    leader.transferLeadership(n3);
    expect(ofType(drain(leader), 'TimeoutNow')).to.have.length(0);
    network.heal();
    network.tick(4);

    expect(roles(network)).to.deep.equal([n3]);
    expect(network.at(n3).commitIndex).to.equal(5);
  });

  it('a later request replaces the one before', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    network.isolate(n3);
    leader.propose(new Uint8Array([1]));
    network.settle();

    leader.transferLeadership(n3);
    leader.transferLeadership(n2);
    network.settle();

    expect(roles(network)).to.deep.equal([n2]);
  });

  it('is refused to a learner, and on a follower', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    leader.proposeConfigChange({ transition: 'auto', changes: [{ type: 'add-learner', node: n4 }], context: '' });
    network.settle();

    expect(leader.transferLeadership(n4)).to.equal(false);
    expect(network.at(n2).transferLeadership(n3)).to.equal(false);
  });

  it('changes no configuration meanwhile', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    leader.transferLeadership(n2);

    const refused = leader.proposeConfigChange({ transition: 'auto', changes: [{ type: 'remove', node: n3 }], context: '' });

    expect(refused).to.include({ ok: false, refused: 'transferring' });
  });

  it('asks nobody for a pre-vote: the old leader is alive, and would be kept to', () => {
    const network = new Network(three, options);
    network.elect(n1);

    network.at(n2).step(n1, { type: 'TimeoutNow', term: 1, leaderCommit: 0 });
    const asked = ofType(drain(network.at(n2)), 'RequestVote');

    expect(asked.map(({ preVote, transfer, term }) => [preVote, transfer, term])).to.deep.equal([
      [false, true, 2],
      [false, true, 2],
    ]);
  });

  it('nobody but its leader can make a node campaign', () => {
    const network = new Network(three, options);
    network.elect(n1);

    network.at(n2).step(n3, { type: 'TimeoutNow', term: 1, leaderCommit: 0 });
    network.settle();

    expect(roles(network)).to.deep.equal([n1]);
    const learner = makeRaft(n4, three);
    learner.step(n1, { type: 'TimeoutNow', term: 1, leaderCommit: 0 });
    expect(learner).to.include({ role: 'follower', term: 1 });
  });

  it('ends in one leader when the target is dead', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    network.isolate(n2);
    leader.transferLeadership(n2);

    network.tick(4 * electionTicks);

    expect(roles(network)).to.deep.equal([n1]);
    expect(leader.propose(new Uint8Array([1])).ok).to.equal(true);
  });
});
