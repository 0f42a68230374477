import { expect } from 'chai';
import { defined } from '../../src/core/assert.ts';
import type { NodeId } from '../../src/core/ids.ts';
import type { RaftMessage } from '../../src/raft/messages.ts';
import { emptyDisk } from '../../src/storage/memory-store.ts';
import { drain, electionTicks, entry, makeRaft, n1, n2, n3, n4, n5, Network, ofType, requestVote } from './network.ts';
import { restart } from './restart.ts';

const three = [n1, n2, n3];
const nonce = 4711;
const product = { preVote: true, checkQuorum: true };

/** Power fails and the disk with it: the node starts as one that must be taken in again. */
function loseDisk(network: Network, id: NodeId, options = {}, lost = nonce) {
  network.disks.set(id, { hardState: { ...emptyDisk.hardState, rejoining: lost }, entries: [] });
  return restart(network, id, options, true);
}

describe('raft: a member that lost its disk', () => {
  it('gives neither vote nor pre-vote, and never campaigns', () => {
    const raft = makeRaft(n3, three, { hardState: { ...emptyDisk.hardState, rejoining: nonce } });

    for (const preVote of [true, false]) raft.step(n1, requestVote({ term: 5, preVote, lastLogIndex: 9, lastLogTerm: 4 }));
    raft.step(n1, { type: 'TimeoutNow', term: 5, leaderCommit: 0 });
    for (let i = 0; i < 4 * electionTicks; i++) raft.tick();
    const sent = drain(raft);

    expect(ofType(sent, 'RequestVoteResponse').map(({ voteGranted }) => voteGranted)).to.deep.equal([false, false]);
    expect(ofType(sent, 'RequestVote')).to.deep.equal([]);
    expect(raft.status()).to.include({ role: 'follower', votedFor: undefined, rejoining: nonce });
  });

  it('catches up, is taken in by an entry that the others commit, and votes again', () => {
    const network = new Network(three, product);
    const leader = network.elect(n1);
    for (let i = 0; i < 5; i++) leader.propose(new Uint8Array([i]));
    network.settle();
    const lost = loseDisk(network, n3, product);
    expect(lost.status().rejoining).to.equal(nonce);

    network.tick(3);

    expect(lost.status()).to.include({ rejoining: 0, commitIndex: leader.commitIndex });
    expect(network.applied.get(n3)?.map(({ kind }) => kind)).to.include('rejoin');
    expect(network.disks.get(n3)?.hardState.rejoining).to.equal(0);
    network.isolate(n1);
    network.tick(4 * electionTicks);
    const won = [n2, n3].filter((id) => network.at(id).role === 'leader');
    expect(won).to.have.length(1);
  });

  it('stays without a vote through restarts until it has been taken in', () => {
    const network = new Network(three, product);
    network.elect(n1);
    network.isolate(n3);
    loseDisk(network, n3, product);

    const again = restart(network, n3, product);

    expect(again.status().rejoining).to.equal(nonce);
  });

  it('is not made whole by an entry for an earlier loss or for another node', () => {
    const network = new Network([n1, n2, n3, n4, n5], product);
    network.elect(n1);
    loseDisk(network, n3, product);
    network.tick(3);
    loseDisk(network, n4, product);
    network.tick(3);
    const entries = defined(network.disks.get(n1), 'the leader has a disk').entries.slice();

    const again = makeRaft(n3, three, { hardState: { ...emptyDisk.hardState, rejoining: nonce + 1 } });
    const { index = 0, term = 0 } = entries.at(-1) ?? {};
    again.step(n1, { type: 'AppendEntries', term, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: index, entries });
    drain(again);

    expect(entries.filter(({ kind }) => kind === 'rejoin')).to.have.length(2);
    expect(again.status()).to.include({ commitIndex: index, rejoining: nonce + 1 });
  });

  it('counts for no commit, read or quorum: without a majority of whole voters nothing is committed', () => {
    const network = new Network(three, product);
    const leader = network.elect(n1);
    network.isolate(n2);
    const lost = loseDisk(network, n3, product);
    const committed = leader.commitIndex;

    leader.propose(new Uint8Array([1]));
    leader.readIndex(7);
    network.settle();
    network.tick(2);

    expect(leader.status().progress.get(n3)?.match, 'it takes the entries').to.be.greaterThan(committed);
    expect(leader.commitIndex).to.equal(committed);
    expect(lost.status().rejoining).to.equal(nonce);
    expect(network.reads).to.deep.equal([]);
    network.tick(electionTicks - 2);
    expect(leader.role).to.equal('follower');
  });

  it('does not believe a heartbeat about entries that it held before', () => {
    const raft = makeRaft(n3, three, { hardState: { ...emptyDisk.hardState, rejoining: nonce } });
    raft.step(n1, { type: 'AppendEntries', term: 1, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0, entries: [entry(1, 1)] });

    raft.step(n2, { type: 'Heartbeat', term: 2, leaderCommit: 1, context: 0 });

    expect(raft.commitIndex).to.equal(0);
  });

  it('is asked for at most once in an election timeout while the others do not answer', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    network.isolate(n2);
    loseDisk(network, n3);

    network.tick(electionTicks - 1);
    const asked = () => defined(network.disks.get(n1), 'the leader has a disk').entries.filter(({ kind }) => kind === 'rejoin').length;
    const first = asked();
    network.tick(electionTicks);

    expect([first, asked()]).to.deep.equal([1, 2]);
    expect(leader.transferLeadership(n3)).to.equal(false);
  });

  it('is not believed to be whole by what it said before the loss, and what it said before it was whole is not news', () => {
    const network = new Network(three, product);
    const leader = network.elect(n1);
    network.isolate(n2);
    loseDisk(network, n3, product);
    leader.propose(new Uint8Array([1]));
    network.tick(1);
    const committed = leader.commitIndex;
    const said = (rejoining: number, index: number): RaftMessage => ({
      type: 'AppendEntriesResponse',
      term: leader.term,
      success: true,
      index,
      conflictIndex: 0,
      conflictTerm: 0,
      rejoining,
    });

    leader.step(n3, said(0, committed));
    network.settle();
    expect(leader.commitIndex).to.equal(committed);
    expect(leader.status().progress.get(n3)?.isRejoining).to.equal(true);

    network.heal();
    network.tick(3);
    expect(leader.status().progress.get(n3)).to.include({ isRejoining: false, match: leader.status().lastIndex });
    leader.step(n3, said(nonce, 1));
    expect(leader.status().progress.get(n3)).to.include({ isRejoining: false, match: leader.status().lastIndex });
  });

  it('puts right what an old acknowledgement made the leader believe that it holds', () => {
    const network = new Network(three, product);
    const leader = network.elect(n1);
    for (let i = 0; i < 5; i++) leader.propose(new Uint8Array([i]));
    network.settle();
    const { lastIndex: index, term } = leader.status();
    const lost = loseDisk(network, n3, product);
    leader.step(n3, { type: 'HeartbeatResponse', term, context: 0, rejoining: nonce, leaseMs: 0 });

    leader.step(n3, { type: 'AppendEntriesResponse', term, success: true, index, conflictIndex: 0, conflictTerm: 0, rejoining: 0 });
    network.tick(5);

    expect(lost.status()).to.include({ rejoining: 0, commitIndex: leader.commitIndex });
  });
});
