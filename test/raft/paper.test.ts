import { expect } from 'chai';
import type { NodeId } from '../../src/core/ids.ts';
import type { Entry, RaftMessage } from '../../src/raft/messages.ts';
import type { Raft } from '../../src/raft/raft.ts';
import { type Disk, drain, electionTicks, entry, logOf, makeRaft, n1, n2, n3, n4, n5, Network, ofType, requestVote } from './network.ts';

const three = [n1, n2, n3];
const five = [n1, n2, n3, n4, n5];

const grant = (term: number, preVote = false): RaftMessage => ({
  type: 'RequestVoteResponse',
  term,
  preVote,
  voteGranted: true,
  commitIndex: 0,
  commitTerm: 0,
});
const refuse = (term: number, preVote = false): RaftMessage => ({
  type: 'RequestVoteResponse',
  term,
  preVote,
  voteGranted: false,
  commitIndex: 0,
  commitTerm: 0,
});
const heartbeat = (term: number, leaderCommit = 0): RaftMessage => ({ type: 'Heartbeat', term, leaderCommit, context: 0 });
const append = (fields: object): RaftMessage => ({
  type: 'AppendEntries',
  term: 1,
  prevLogIndex: 0,
  prevLogTerm: 0,
  leaderCommit: 0,
  entries: [],
  ...fields,
});
const success = (term: number, index: number): RaftMessage => ({
  type: 'AppendEntriesResponse',
  term,
  success: true,
  index,
  conflictIndex: 0,
  conflictTerm: 0,
  rejoining: 0,
});

/** n1 as leader of the next term, with the votes of a bare majority; its noop is on its own disk. */
function leaderOf(voters: readonly NodeId[], disk: Partial<Disk> = {}): Raft {
  const raft = makeRaft(n1, voters, disk);
  raft.campaign();
  drain(raft);
  for (const id of voters.slice(1, Math.floor(voters.length / 2) + 1)) raft.step(id, grant(raft.term));
  drain(raft);
  expect(raft.role).to.equal('leader');
  return raft;
}

const termsOf = (entries: readonly Entry[] | undefined): number[] => (entries ?? []).map(({ term }) => term);

describe('raft: terms (§5.1)', () => {
  for (const role of ['follower', 'candidate', 'leader'] as const) {
    it(`a ${role} that hears of a higher term updates its own and becomes follower`, () => {
      const raft = role === 'leader' ? leaderOf(three) : makeRaft(n1, three);
      if (role === 'candidate') raft.campaign();
      drain(raft);

      raft.step(n2, append({ term: 7 }));

      expect(raft).to.include({ role: 'follower', term: 7, leader: n2 });
      expect(raft.takeReady()?.hardState).to.include({ currentTerm: 7, votedFor: undefined });
    });
  }

  it('does not do what a message with a lower term says', () => {
    const raft = makeRaft(n1, three, { hardState: { currentTerm: 5, votedFor: undefined, commitIndex: 0, rejoining: 0 } });

    raft.step(n2, append({ term: 4, entries: [entry(1, 4)] }));
    raft.step(n2, requestVote({ term: 4, lastLogIndex: 9, lastLogTerm: 4 }));
    raft.step(n2, heartbeat(4));

    expect(raft.status()).to.include({ term: 5, lastIndex: 0, leader: undefined, votedFor: undefined });
  });

  it('tells a leader of the past what the term is', () => {
    const raft = makeRaft(n1, three, { hardState: { currentTerm: 5, votedFor: undefined, commitIndex: 0, rejoining: 0 } });

    raft.step(n2, heartbeat(4));

    expect(ofType(drain(raft), 'AppendEntriesResponse')[0]).to.include({ term: 5, success: false });
  });
});

describe('raft: elections that fail (§5.2)', () => {
  for (const [size, granted, refused, role] of [
    [1, 0, 0, 'leader'],
    [3, 0, 0, 'candidate'],
    [3, 1, 0, 'leader'],
    [3, 0, 2, 'follower'],
    [5, 1, 1, 'candidate'],
    [5, 2, 0, 'leader'],
    [5, 1, 3, 'follower'],
    [5, 2, 2, 'leader'],
  ] as const) {
    it(`in a cluster of ${size}, ${granted} votes of others and ${refused} refusals make a ${role}`, () => {
      const raft = makeRaft(n1, five.slice(0, size));
      raft.campaign();
      drain(raft);

      const others = five.slice(1);
      for (const id of others.splice(0, granted)) raft.step(id, grant(1));
      for (const id of others.splice(0, refused)) raft.step(id, refuse(1));

      expect(raft.role).to.equal(role);
    });
  }

  it('a candidate whose election comes to nothing begins another in the next term', () => {
    const raft = makeRaft(n1, three);
    raft.campaign();
    drain(raft);
    raft.setRandomizedElectionTimeout(electionTicks);

    for (let i = 0; i < electionTicks; i++) raft.tick();

    expect(raft).to.include({ role: 'candidate', term: 2 });
    expect(ofType(drain(raft), 'RequestVote').map(({ term }) => term)).to.deep.equal([2, 2]);
  });

  it('does not count votes of an earlier term', () => {
    const raft = makeRaft(n1, three);
    raft.campaign();
    drain(raft);
    raft.campaign();
    drain(raft);

    raft.step(n2, grant(1));
    raft.step(n3, grant(1));

    expect(raft).to.include({ role: 'candidate', term: 2 });
  });

  it('does not count votes of strangers', () => {
    const raft = makeRaft(n1, three);
    raft.campaign();
    drain(raft);

    for (const id of [n4, n5]) raft.step(id, grant(1));

    expect(raft.role).to.equal('candidate');
  });

  it('a split vote ends with one leader, as the timeouts differ', () => {
    const network = new Network([n1, n2, n3, n4]);
    network.isolate(n3);
    network.isolate(n4);
    for (const id of [n1, n2]) network.at(id).campaign();
    for (const id of [n3, n4]) network.at(id).campaign();
    network.settle();
    expect([...network.nodes.values()].some(({ role }) => role === 'leader')).to.equal(false);

    network.heal();
    network.tick(20 * electionTicks);

    expect([...network.nodes.values()].filter(({ role }) => role === 'leader')).to.have.length(1);
  });

  it('a candidate believes a leader of its own term, but not one of an earlier', () => {
    const raft = makeRaft(n1, three);
    raft.campaign();
    raft.campaign();
    drain(raft);

    raft.step(n2, append({ term: 1 }));
    expect(raft.role).to.equal('candidate');
    raft.step(n2, append({ term: 2 }));

    expect(raft).to.include({ role: 'follower', term: 2, leader: n2 });
  });

  it('gives no vote away a second time, yet repeats its answer to the same candidate', () => {
    const raft = makeRaft(n1, three);

    raft.step(n2, requestVote());
    raft.step(n2, requestVote());
    raft.step(n3, requestVote());

    expect(ofType(drain(raft), 'RequestVoteResponse').map(({ voteGranted }) => voteGranted)).to.deep.equal([true, true, false]);
  });

  it('draws different timeouts on different nodes, so that split votes are rare', () => {
    let conflicts = 0;
    const rafts = five.map((id) => makeRaft(id, five));
    for (let round = 0; round < 200; round++) {
      const ticks = rafts.map((raft) => {
        const { term } = raft;
        let count = 0;
        for (; raft.term === term; count++) raft.tick();
        drain(raft);
        return count;
      });
      const first = Math.min(...ticks);
      if (ticks.filter((count) => count === first).length > 1) conflicts++;
    }

    // Five nodes over ten possible timeouts: the first is shared in about three of ten rounds if they are drawn apart, in every one if they are not.
    expect(conflicts).to.be.within(20, 100);
  });

  it('stays follower as long as it hears its leader', () => {
    const raft = makeRaft(n1, three);

    for (let i = 0; i < 10 * electionTicks; i++) {
      raft.tick();
      raft.step(n2, heartbeat(1));
    }

    expect(raft).to.include({ role: 'follower', term: 1, leader: n2 });
  });
});

describe('raft: a leader and its log (§5.3, §5.4.2)', () => {
  it('appends a no-op at the start of its term, and sends it at once (§8)', () => {
    const raft = makeRaft(n1, three, { entries: logOf(1, 1) });
    raft.campaign();
    drain(raft);

    raft.step(n2, grant(raft.term));
    const sent = ofType(drain(raft), 'AppendEntries');

    expect(sent).to.have.length(2);
    for (const { prevLogIndex, prevLogTerm, entries } of sent) {
      expect([prevLogIndex, prevLogTerm]).to.deep.equal([2, 1]);
      expect(entries.map(({ index, term, kind }) => [index, term, kind])).to.deep.equal([[3, 2, 'noop']]);
    }
  });

  it('never overwrites or deletes entries of its own log', () => {
    const raft = leaderOf(three, { entries: logOf(1, 1) });
    const before = raft.status().lastIndex;

    raft.step(n2, append({ term: raft.term, prevLogIndex: 0, entries: [entry(1, raft.term)] }));
    raft.step(n2, heartbeat(raft.term, 99));
    raft.step(n2, {
      type: 'InstallSnapshot',
      term: raft.term,
      snapshot: { index: 50, term: raft.term, configuration: raft.configuration, chain: new Uint8Array(32) },
      chunk: 0,
      chunks: 1,
      data: new Uint8Array(1),
    });

    expect(raft).to.include({ role: 'leader' });
    expect(raft.status()).to.include({ lastIndex: before, commitIndex: 0 });
    expect(raft.termAt(1)).to.equal(1);
  });

  for (const [size, acknowledged, isCommitted] of [
    [1, 0, true],
    [3, 0, false],
    [3, 1, true],
    [5, 1, false],
    [5, 2, true],
    [5, 4, true],
  ] as const) {
    it(`in a cluster of ${size}, an entry held by the leader and ${acknowledged} others is ${isCommitted ? '' : 'not '}committed`, () => {
      const raft = leaderOf(five.slice(0, size));
      const proposed = raft.propose(new Uint8Array([1]));
      drain(raft);

      for (const id of five.slice(1, 1 + acknowledged)) raft.step(id, success(raft.term, 2));

      expect(proposed).to.include({ index: 2 });
      expect(raft.commitIndex >= 2).to.equal(isCommitted);
    });
  }

  it('does not count the same follower twice', () => {
    const raft = leaderOf(five);

    for (let i = 0; i < 5; i++) raft.step(n2, success(raft.term, 1));

    expect(raft.commitIndex).to.equal(0);
  });

  it('commits all preceding entries with one of its own term, earlier leaders’ too', () => {
    const raft = leaderOf(three, { entries: logOf(1, 2, 2) });

    raft.step(n2, success(raft.term, 4));
    const applied = raft.takeReady()?.committedEntries;

    expect(termsOf(applied)).to.deep.equal([1, 2, 2, 3]);
  });

  it('tells its followers what is committed, and each applies it in the order of the log', () => {
    const raft = makeRaft(n2, three);
    raft.step(n1, append({ entries: logOf(1, 1, 1), leaderCommit: 0 }));
    expect(raft.takeReady()?.committedEntries).to.have.length(0);

    raft.step(n1, append({ prevLogIndex: 3, prevLogTerm: 1, leaderCommit: 2 }));

    expect(raft.takeReady()?.committedEntries.map(({ index }) => index)).to.deep.equal([1, 2]);
  });

  it('does not answer for an index at which none of its entries ends', () => {
    const raft = leaderOf(three);
    raft.propose(new Uint8Array([1]), 10);
    drain(raft);

    raft.step(n2, success(raft.term, 5));
    raft.step(n2, success(raft.term, 99));

    expect(raft.commitIndex).to.equal(0);
    expect(raft.status().progress.get(n2)?.match).to.equal(0);
  });

  it('sends a lagging follower no more bytes in one message, nor on their way, than allowed', () => {
    const network = new Network(three, { maxSizePerMessage: 100, maxInflightBytes: 250, maxInflight: 100 });
    const leader = network.elect(n1);
    for (let i = 0; i < 50; i++) leader.propose(new Uint8Array(40));

    const sent = drain(leader).filter(({ to }) => to === n2);
    const sizes = ofType(sent, 'AppendEntries').map(({ entries }) => entries.reduce((sum, { data }) => sum + data.length, 0));

    // The message that crosses the bound is the last one.
    expect(sizes).to.deep.equal([80, 80, 80, 80]);
    network.tick(4);
    expect(network.at(n2).commitIndex).to.equal(51);
  });

  it('sends an entry larger than a message alone', () => {
    const network = new Network(three, { maxSizePerMessage: 100 });
    const leader = network.elect(n1);

    for (const size of [10, 500, 10]) leader.propose(new Uint8Array(size));
    const sent = ofType(
      drain(leader).filter(({ to }) => to === n2),
      'AppendEntries',
    );

    expect(sent.map(({ entries }) => entries.map(({ data }) => data.length))).to.deep.equal([[10], [500], [10]]);
  });

  it('asks a follower whose connection was lost where it stands, and goes on from there', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    network.isolate(n2);
    for (let i = 0; i < 3; i++) leader.propose(new Uint8Array([i]));
    network.settle();

    leader.reportUnreachable(n2);
    expect(leader.status().progress.get(n2)).to.include({ state: 'probe', next: 2 });
    network.heal();
    network.tick(2);

    expect(network.at(n2).commitIndex).to.equal(4);
  });

  it('the history of figure 8 loses no entry that was committed', () => {
    // (c): n1 is back as leader of term 4 and has brought entry 2 of term 2 to a majority, without committing it.
    const logs = { n1: logOf(1, 2), n2: logOf(1, 2), n3: logOf(1, 2), n4: logOf(1), n5: logOf(1, 3) };
    const disks = Object.fromEntries(
      Object.entries(logs).map(([id, entries]) => [
        id,
        { entries, hardState: { currentTerm: 3, votedFor: undefined, commitIndex: 0, rejoining: 0 } },
      ]),
    );
    const network = new Network(five, {}, disks);
    network.isolate(n5);
    network.drop = (_from, { message }) => message.type === 'AppendEntriesResponse' && message.index > 2;
    network.elect(n1);
    expect(network.at(n1)).to.include({ role: 'leader', term: 4, commitIndex: 0 });
    expect([n1, n2, n3, n4].map((id) => network.at(id).termAt(2))).to.deep.equal([2, 2, 2, 2]);

    // (e): once its own entry 3 is on a majority, all are committed, and n5 can't be elected any more.
    network.drop = () => false;
    network.tick(4);
    expect(network.at(n1).commitIndex).to.equal(3);
    network.heal();
    network.isolate(n1);
    for (let i = 0; i < 5; i++) network.elect(n5);

    expect(network.at(n5).role).not.to.equal('leader');
    for (const id of [n2, n3, n4]) expect(termsOf(network.applied.get(id))).to.deep.equal([1, 2, 4]);
  });
});

describe('raft: pre-vote and check-quorum (thesis §6.2, §9.6)', () => {
  const options = { preVote: true, checkQuorum: true };

  it('a pre-candidate raises its term only when a majority would vote for it', () => {
    const raft = makeRaft(n1, three, {}, options);
    raft.campaign();
    drain(raft);
    expect(raft).to.include({ role: 'precandidate', term: 0 });

    raft.step(n2, grant(1, true));

    expect(raft).to.include({ role: 'candidate', term: 1 });
  });

  it('a pre-candidate that a majority refuses falls back, its term unchanged', () => {
    const raft = makeRaft(n1, three, {}, options);
    raft.campaign();
    drain(raft);

    for (const id of [n2, n3]) raft.step(id, refuse(0, true));

    expect(raft).to.include({ role: 'follower', term: 0 });
  });

  it('does not grant a pre-vote to a log that is behind', () => {
    const raft = makeRaft(n1, three, { entries: logOf(1, 1) }, options);

    raft.step(n2, requestVote({ term: 9, preVote: true, lastLogIndex: 1, lastLogTerm: 1 }));

    expect(ofType(drain(raft), 'RequestVoteResponse')[0]).to.include({ voteGranted: false, term: 1 });
  });

  it('may promise several pre-votes of one term, as they bind nobody', () => {
    const raft = makeRaft(n1, three, {}, options);

    for (const id of [n2, n3]) raft.step(id, requestVote({ preVote: true }));

    expect(ofType(drain(raft), 'RequestVoteResponse').every(({ voteGranted }) => voteGranted)).to.equal(true);
  });

  it('a pre-candidate with an old term learns the term from a refusal', () => {
    const network = new Network(three, options, {
      n2: { hardState: { currentTerm: 4, votedFor: undefined, commitIndex: 0, rejoining: 0 } },
    });

    network.elect(n1);

    expect(network.at(n1).term).to.equal(4);
  });

  it('a vote that was granted does not count as a pre-vote, nor the other way round', () => {
    const raft = makeRaft(n1, three, {}, options);
    raft.campaign();
    drain(raft);

    raft.step(n2, grant(0));

    expect(raft).to.include({ role: 'precandidate', term: 0 });
  });

  it('a leader that hears a majority goes on, though a minority is silent', () => {
    const network = new Network(five, options);
    network.elect(n1);

    for (const id of [n4, n5]) network.isolate(id);
    network.tick(6 * electionTicks);

    expect(network.at(n1)).to.include({ role: 'leader', term: 1 });
  });

  it('a leader that is heard and hears nobody gives way within an election timeout, to a voter that it asks to stand at once', () => {
    const network = new Network(three, options);
    network.elect(n1);
    network.tick(electionTicks);
    for (const other of [n2, n3]) network.cut.add(`${other} ${n1}`);

    network.tick(electionTicks + 1);

    expect(network.at(n1).role).to.not.equal('leader');
    expect([n2, n3].filter((id) => network.at(id).role === 'leader')).to.have.length(1);
  });

  it('a leader that is cut off steps down before the rest can do without it for long', () => {
    const network = new Network(three, options);
    network.elect(n1);
    network.isolate(n1);

    network.tick(4 * electionTicks);

    expect(network.at(n1)).to.include({ role: 'precandidate', term: 1 });
    expect([n2, n3].filter((id) => network.at(id).role === 'leader')).to.have.length(1);
  });
});
