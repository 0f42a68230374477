import { expect } from 'chai';
import { type ConfigurationChange, encodeConfigurationChange } from '../../src/raft/configuration-change.ts';
import { drain, electionTicks, entry, logOf, makeRaft, n1, n2, n3, n4, n5, Network, ofType, requestVote } from './network.ts';

const three = [n1, n2, n3];
const alone: ConfigurationChange = {
  transition: 'joint-implicit',
  changes: [
    { type: 'remove', node: n2 },
    { type: 'remove', node: n3 },
  ],
  context: '',
};

describe('raft: leader election (§5.2)', () => {
  it('starts as follower', () => {
    expect(makeRaft(n1, three).role).to.equal('follower');
  });

  it('begins an election when it hears no leader for an election timeout, in a new term, voting for itself', () => {
    const raft = makeRaft(n1, three);
    raft.setRandomizedElectionTimeout(electionTicks);

    for (let i = 0; i < electionTicks; i++) raft.tick();
    const requests = ofType(drain(raft), 'RequestVote');

    expect(raft.role).to.equal('candidate');
    expect(raft.term).to.equal(1);
    expect(raft.status().votedFor).to.equal(n1);
    expect(requests).to.have.length(2);
  });

  it('draws its timeouts at random from one to two election timeouts', () => {
    const timeouts = new Set<number>();
    const raft = makeRaft(n1, three);
    for (let round = 0; round < 300; round++) {
      const { term } = raft;
      let ticks = 0;
      for (; raft.term === term; ticks++) raft.tick();
      drain(raft);
      timeouts.add(ticks);
    }

    expect(Math.min(...timeouts)).to.equal(electionTicks);
    expect(Math.max(...timeouts)).to.equal(2 * electionTicks - 1);
    expect(timeouts.size).to.equal(electionTicks);
  });

  it('waits for as long as it lets others go first, and an election timeout more at most', () => {
    for (const [delay, expected] of [
      [0, electionTicks],
      [3, electionTicks + 3],
      [5 * electionTicks, 2 * electionTicks],
    ] as const) {
      const raft = makeRaft(n1, three, {}, { campaignDelay: () => delay });
      raft.setRandomizedElectionTimeout(electionTicks);

      for (let i = 1; i < expected; i++) raft.tick();
      expect(raft.role).to.equal('follower');
      raft.tick();

      expect(raft.role, `${delay}`).to.equal('candidate');
    }
  });

  it('becomes leader with the votes of a majority, its own included, and not before', () => {
    const raft = makeRaft(n1, [n1, n2, n3, n4, n5]);
    raft.campaign();
    drain(raft);
    const vote = { type: 'RequestVoteResponse', term: 1, preVote: false, voteGranted: true, commitIndex: 0, commitTerm: 0 } as const;

    raft.step(n2, vote);
    raft.step(n2, vote);
    expect(raft.role).to.equal('candidate');
    raft.step(n3, vote);
    expect(raft.role).to.equal('leader');
  });

  it('is lost when a majority refuses', () => {
    const raft = makeRaft(n1, three);
    raft.campaign();
    drain(raft);

    for (const from of [n2, n3])
      raft.step(from, { type: 'RequestVoteResponse', term: 1, preVote: false, voteGranted: false, commitIndex: 0, commitTerm: 0 });

    expect(raft.role).to.equal('follower');
  });

  it('counts its own vote only when it is durable', () => {
    const raft = makeRaft(n1, [n1]);

    raft.campaign();
    const ready = raft.takeReady();

    expect(raft.role).to.equal('candidate');
    expect(ready?.hardState).to.deep.equal({ currentTerm: 1, votedFor: n1, commitIndex: 0, rejoining: 0 });
  });

  it('grants one vote per term, first come first served, and only after it is saved', () => {
    const raft = makeRaft(n3, three);

    raft.step(n1, requestVote());
    raft.step(n2, requestVote());
    const ready = raft.takeReady();

    expect(ready?.hardState?.votedFor).to.equal(n1);
    expect(ready?.messages).to.have.length(0);
    expect(
      ready?.messagesAfterSave.map(({ to, message }) => [to, message.type === 'RequestVoteResponse' && message.voteGranted]),
    ).to.deep.equal([
      [n1, true],
      [n2, false],
    ]);
  });

  it('keeps its vote through a restart', () => {
    const raft = makeRaft(n3, three, { hardState: { currentTerm: 1, votedFor: n1, commitIndex: 0, rejoining: 0 } });

    raft.step(n2, requestVote());

    expect(ofType(drain(raft), 'RequestVoteResponse')[0]?.voteGranted).to.equal(false);
  });

  const logs: readonly (readonly [string, number[], number, number, boolean])[] = [
    ['an equal log', [1, 1], 2, 1, true],
    ['a longer log of the same last term', [1, 1], 3, 1, true],
    ['a shorter log of the same last term', [1, 1], 1, 1, false],
    ['a shorter log of a later last term', [1, 1], 1, 2, true],
    ['a longer log of an earlier last term', [1, 2], 5, 1, false],
  ];
  for (const [what, terms, lastLogIndex, lastLogTerm, voteGranted] of logs) {
    it(`${voteGranted ? 'votes' : 'does not vote'} for ${what} (§5.4.1)`, () => {
      const raft = makeRaft(n1, three, { entries: logOf(...terms) });

      raft.step(n2, requestVote({ term: 3, lastLogIndex, lastLogTerm }));

      expect(ofType(drain(raft), 'RequestVoteResponse')[0]?.voteGranted).to.equal(voteGranted);
    });
  }

  it('steps down as candidate when a leader of the same term speaks', () => {
    const raft = makeRaft(n1, three);
    raft.campaign();
    drain(raft);

    raft.step(n2, { type: 'Heartbeat', term: 1, leaderCommit: 0, context: 0 });

    expect(raft.role).to.equal('follower');
    expect(raft.leader).to.equal(n2);
  });

  it('moves to any higher term it hears of, and forgets its vote', () => {
    const raft = makeRaft(n1, three);
    raft.campaign();
    drain(raft);

    raft.step(n2, requestVote({ term: 9, lastLogIndex: 1, lastLogTerm: 1 }));

    expect(raft.term).to.equal(9);
    expect(raft.status().votedFor).to.equal(n2);
  });

  it('sends heartbeats as leader, and so keeps the others from campaigning', () => {
    const network = new Network(three);
    network.elect(n1);

    network.tick(5 * electionTicks);

    expect(network.at(n1).role).to.equal('leader');
    expect(network.at(n2).term).to.equal(1);
  });
});

describe('raft: pre-vote, check-quorum, stickiness (thesis §4.2.3, §6.2, §9.6)', () => {
  const options = { preVote: true, checkQuorum: true };

  it('changes no term and no vote by a pre-vote', () => {
    const raft = makeRaft(n1, three, {}, options);

    raft.step(n2, requestVote({ term: 5, preVote: true }));
    const [answer] = ofType(drain(raft), 'RequestVoteResponse');

    expect(answer).to.include({ preVote: true, voteGranted: true, term: 5 });
    expect(raft.term).to.equal(0);
    expect(raft.status().votedFor).to.equal(undefined);
  });

  it('lets a cut-off node come back without an election', () => {
    const network = new Network(three, options);
    network.elect(n1);
    network.isolate(n3);
    network.tick(5 * electionTicks);
    expect(network.at(n3).term).to.equal(1);

    network.heal();
    network.tick(electionTicks);

    expect(network.at(n1).role).to.equal('leader');
    expect(network.at(n3).leader).to.equal(n1);
  });

  it('makes a leader step down that hears no majority', () => {
    const network = new Network(three, options);
    network.elect(n1);

    network.isolate(n1);
    for (let i = 0; i < 2 * electionTicks; i++) network.at(n1).tick();

    expect(network.at(n1).role).to.equal('follower');
  });

  it('ignores candidates while a leader is heard, unless the leader asked for them', () => {
    const network = new Network(three, options);
    network.elect(n1);

    network.at(n2).step(n3, requestVote({ term: 7, lastLogIndex: 9, lastLogTerm: 9 }));
    expect(network.at(n2).term).to.equal(1);
    network.at(n2).step(n3, requestVote({ term: 7, lastLogIndex: 9, lastLogTerm: 9, transfer: true }));
    expect(network.at(n2).term).to.equal(7);
  });

  it('does not leave behind a node with a higher term', () => {
    const network = new Network(three, options, {
      n3: { hardState: { currentTerm: 9, votedFor: undefined, commitIndex: 0, rejoining: 0 } },
    });
    network.elect(n1);

    network.tick(6 * electionTicks);

    const leaders = [...network.nodes.values()].filter(({ role }) => role === 'leader');
    expect(leaders).to.have.length(1);
    expect([...network.nodes.values()].every(({ leader }) => leader === leaders[0]?.id)).to.equal(true);
  });

  it('elects soon when a majority has lost the connection to the leader', () => {
    const network = new Network(three, { ...options, heartbeatTicks: 2 });
    network.elect(n1);
    network.isolate(n1);

    network.at(n2).reportUnreachable(n1);
    network.at(n3).reportUnreachable(n1);
    network.tick(2 * electionTicks - 8);

    expect([n2, n3].some((id) => network.at(id).role === 'leader')).to.equal(true);
  });

  it('elects soon when a majority that was cut to pieces hears each other again', () => {
    const shatter = (): Network => {
      const network = new Network(three, { ...options, electionTicks: 100, heartbeatTicks: 2 });
      network.elect(n1);
      for (const id of three) network.isolate(id);
      network.tick(300);
      expect(three.map((id) => network.at(id).leader)).to.deep.equal([undefined, undefined, undefined]);
      network.heal();
      return network;
    };
    const [patient, hasty] = [shatter(), shatter()];

    for (const id of three) hasty.at(id).campaignSoon();
    for (const network of [patient, hasty]) network.tick(10);

    const leaders = (network: Network): number => three.filter((id) => network.at(id).role === 'leader').length;
    expect([leaders(patient), leaders(hasty)]).to.deep.equal([0, 1]);
  });

  it('disturbs no live leader when one node has lost the connection to it', () => {
    const network = new Network(three, options);
    network.elect(n1);

    network.at(n2).reportUnreachable(n1);
    network.tick(2 * electionTicks);

    expect(network.at(n1)).to.include({ role: 'leader', term: 1 });
  });
});

describe('raft: leadership transfer (thesis §3.10)', () => {
  it('hands over to a follower that is caught up, and refuses proposals meanwhile', () => {
    const network = new Network(three, { preVote: true, checkQuorum: true });
    const leader = network.elect(n1);

    expect(leader.transferLeadership(n2)).to.equal(true);
    expect(leader.propose(new Uint8Array([1]))).to.deep.equal({ ok: false, refused: 'transferring' });
    network.settle();

    expect(network.at(n2).role).to.equal('leader');
    expect(leader.role).to.equal('follower');
  });

  it('is given up after an election timeout', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    network.isolate(n2);
    leader.transferLeadership(n2);

    network.tick(electionTicks);

    expect(leader.propose(new Uint8Array([1])).ok).to.equal(true);
  });

  it('is refused towards a node without a vote', () => {
    const leader = new Network(three).elect(n1);

    expect(leader.transferLeadership(n4)).to.equal(false);
    expect(leader.transferLeadership(n1)).to.equal(false);
  });
});

describe('raft: entries that carry many commands', () => {
  it('gives each command an index of its own and compares logs where entries end', () => {
    const network = new Network(three);
    const leader = network.elect(n1);

    expect(leader.propose(new Uint8Array([1]), 10)).to.include({ index: 11 });
    expect(leader.propose(new Uint8Array([2]), 5)).to.include({ index: 16 });
    network.settle();

    expect(network.applied.get(n3)?.map(({ index, count }) => [index, count])).to.deep.equal([
      [1, 1],
      [11, 10],
      [16, 5],
    ]);
    expect(leader.termAt(5)).to.equal(undefined);
    expect(leader.termAt(11)).to.equal(1);
  });

  it('replaces a conflicting batch by entries that end elsewhere', () => {
    const network = new Network(
      three,
      {},
      {
        n3: { entries: [entry(1, 1), entry(8, 1, 7)] },
        n1: { entries: [entry(1, 1), entry(2, 2)] },
        n2: { entries: [entry(1, 1), entry(2, 2)] },
      },
    );

    network.elect(n1);

    expect(network.disks.get(n3)?.entries.map(({ index, term }) => [index, term])).to.deep.equal([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  it('learns from a refused vote what is committed, and stands no longer by a configuration that has ended', () => {
    const network = new Network([n1, n2, n3]);
    const raft = network.at(n1);
    raft.step(n2, {
      type: 'AppendEntries',
      term: 1,
      prevLogIndex: 0,
      prevLogTerm: 0,
      leaderCommit: 0,
      entries: [{ term: 1, index: 1, count: 1, kind: 'configuration', data: encodeConfigurationChange(alone) }],
    });
    drain(raft);
    raft.campaign();

    raft.step(n3, { type: 'RequestVoteResponse', term: raft.term, preVote: false, voteGranted: false, commitIndex: 1, commitTerm: 1 });

    expect(raft.status()).to.include({ role: 'follower', commitIndex: 1 });
    expect(raft.takeReady()?.committedEntries.map(({ kind }) => kind)).to.deep.equal(['configuration']);
  });

  it('a learner that hears no leader for an election timeout names none', () => {
    const raft = makeRaft(n4, three);
    raft.step(n2, { type: 'Heartbeat', term: 1, leaderCommit: 0, context: 0 });
    expect(raft.leader).to.equal(n2);

    for (let tick = 0; tick < 2 * electionTicks; tick++) raft.tick();

    expect(raft.status()).to.include({ role: 'follower', term: 1, leader: undefined });
  });

  it('does not take for committed what another log has at that index', () => {
    const raft = makeRaft(n1, three);
    raft.step(n2, { type: 'AppendEntries', term: 1, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0, entries: [entry(1, 1)] });

    raft.step(n3, requestVote({ term: 3, lastLogIndex: 1, lastLogTerm: 2, commitIndex: 1, commitTerm: 2 }));

    expect(raft.commitIndex).to.equal(0);
  });
});
