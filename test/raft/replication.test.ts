import { expect } from 'chai';
import * as fc from 'fast-check';
import { SeededRandom } from '../../src/core/random.ts';
import type { Entry } from '../../src/raft/messages.ts';
import { drain, electionTicks, entry, logOf, makeRaft, n1, n2, n3, n4, n5, Network, ofType } from './network.ts';

const three = [n1, n2, n3];
const termsOf = (entries: readonly Entry[] | undefined): number[] => (entries ?? []).map(({ term }) => term);
const append = (fields: object) =>
  ({ type: 'AppendEntries', term: 1, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0, entries: [], ...fields }) as const;

describe('raft: log replication (§5.3)', () => {
  it('sends AppendEntries before its own disk is done, and counts itself only afterwards', () => {
    const raft = makeRaft(n1, three);
    raft.campaign();
    drain(raft);
    raft.step(n2, { type: 'RequestVoteResponse', term: 1, preVote: false, voteGranted: true, commitIndex: 0, commitTerm: 0 });

    const ready = raft.takeReady();

    expect(ofType(ready?.messages ?? [], 'AppendEntries')).to.have.length(2);
    expect(ready?.entries.map(({ kind }) => kind)).to.deep.equal(['noop']);
    expect(ready?.messagesAfterSave.map(({ to }) => to)).to.deep.equal([n1]);
  });

  it('commits an entry once a majority holds it, and applies it everywhere in order', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    network.isolate(n3);

    leader.propose(new Uint8Array([7]));
    network.settle();

    expect(leader.commitIndex).to.equal(2);
    expect(network.applied.get(n2)?.map(({ index }) => index)).to.deep.equal([1, 2]);
    expect(network.applied.get(n3)?.map(({ index }) => index)).to.deep.equal([1]);
  });

  it('does not commit without a majority', () => {
    const network = new Network([n1, n2, n3, n4, n5]);
    const leader = network.elect(n1);
    for (const id of [n3, n4, n5]) network.isolate(id);

    leader.propose(new Uint8Array([7]));
    network.settle();

    expect(leader.commitIndex).to.equal(1);
  });

  it('refuses entries whose predecessor it does not have, and says where the logs may agree', () => {
    const raft = makeRaft(n1, three, { entries: logOf(1, 1, 2, 2) });

    raft.step(n2, append({ term: 3, prevLogIndex: 9, prevLogTerm: 3 }));

    expect(ofType(drain(raft), 'AppendEntriesResponse')[0]).to.include({
      success: false,
      index: 9,
      conflictIndex: 4,
      conflictTerm: 2,
      rejoining: 0,
    });
  });

  it('drops nothing for a late duplicate of an older append', () => {
    const raft = makeRaft(n1, three);
    raft.step(n2, append({ entries: [entry(1, 1), entry(2, 1), entry(3, 1)] }));
    drain(raft);

    raft.step(n2, append({ entries: [entry(1, 1)] }));

    expect(raft.status().lastIndex).to.equal(3);
  });

  it('replaces entries that conflict, and all that follow them', () => {
    const raft = makeRaft(n1, three, { entries: logOf(1, 1, 2, 2, 2) });

    raft.step(n2, append({ term: 3, prevLogIndex: 2, prevLogTerm: 1, entries: [entry(3, 3)] }));
    const ready = raft.takeReady();

    expect(raft.status().lastIndex).to.equal(3);
    expect(termsOf(ready?.entries)).to.deep.equal([3]);
  });

  it('sets its commit index to the smaller of leaderCommit and the last new entry', () => {
    const raft = makeRaft(n1, three, { entries: logOf(1, 1, 1) });

    raft.step(n2, append({ term: 2, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 3 }));

    expect(raft.commitIndex).to.equal(1);
  });

  it('never has its commit index moved beyond its log by a heartbeat', () => {
    const raft = makeRaft(n1, three, { entries: logOf(1) });

    raft.step(n2, { type: 'Heartbeat', term: 1, leaderCommit: 9, context: 0 });

    expect(raft.commitIndex).to.equal(1);
  });

  it('refuses entries with a gap or with terms that fall', () => {
    const raft = makeRaft(n1, three);

    raft.step(n2, append({ entries: [entry(1, 1), entry(3, 1)] }));
    raft.step(n2, append({ term: 2, entries: [entry(1, 2), entry(2, 1)] }));

    expect(raft.status().lastIndex).to.equal(0);
  });

  const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const figure7: Readonly<Record<string, number[]>> = {
    a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 1, 4],
    c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 1, 4, 4, 4, 4],
    f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  };
  for (const [name, terms] of Object.entries(figure7)) {
    it(`brings follower (${name}) of figure 7 into line with the leader`, () => {
      const network = new Network(
        three,
        {},
        {
          n1: { entries: logOf(...leaderLog), hardState: { currentTerm: 7, votedFor: undefined, commitIndex: 0, rejoining: 0 } },
          n2: { entries: logOf(...leaderLog), hardState: { currentTerm: 7, votedFor: undefined, commitIndex: 0, rejoining: 0 } },
          n3: { entries: logOf(...terms) },
        },
      );

      network.elect(n1);
      network.tick(3);

      expect(termsOf(network.disks.get(n3)?.entries)).to.deep.equal([...leaderLog, 8]);
      expect(network.applied.get(n3)).to.have.length(11);
    });
  }

  it('does not commit an entry of an earlier term by counting replicas (§5.4.2, figure 8)', () => {
    const raft = makeRaft(n1, [n1, n2, n3, n4, n5], {
      entries: logOf(1, 2),
      hardState: { currentTerm: 3, votedFor: undefined, commitIndex: 1, rejoining: 0 },
    });
    raft.campaign();
    drain(raft);
    for (const id of [n2, n3])
      raft.step(id, { type: 'RequestVoteResponse', term: 4, preVote: false, voteGranted: true, commitIndex: 0, commitTerm: 0 });
    drain(raft);
    const acknowledge = (index: number): void => {
      for (const id of [n2, n3])
        raft.step(id, { type: 'AppendEntriesResponse', term: 4, success: true, index, conflictIndex: 0, conflictTerm: 0, rejoining: 0 });
    };

    acknowledge(2);
    expect(raft.commitIndex).to.equal(1);
    acknowledge(3);
    expect(raft.commitIndex).to.equal(3);
  });

  it('repairs a lost message without waiting for a refusal', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    let isDropping = true;
    network.drop = (_from, { to, message }) => isDropping && to === n3 && message.type === 'AppendEntries';
    leader.propose(new Uint8Array([1]));
    network.settle();
    isDropping = false;

    network.tick(4);

    expect(network.applied.get(n3)).to.have.length(2);
  });

  it('keeps at most the allowed number of messages on their way to a follower', () => {
    const network = new Network(three, { maxInflight: 4, maxSizePerMessage: 1 });
    const leader = network.elect(n1);
    network.tick();

    for (let i = 0; i < 20; i++) leader.propose(new Uint8Array([i]));
    const sent = drain(leader).filter(({ to, message }) => to === n2 && message.type === 'AppendEntries');

    expect(sent).to.have.length(4);
  });

  it('refuses proposals when too much is not yet committed, and on a follower', () => {
    const network = new Network(three, { maxUncommittedBytes: 10 });
    const leader = network.elect(n1);
    network.isolate(n1);

    expect(leader.propose(new Uint8Array(8)).ok).to.equal(true);
    expect(leader.propose(new Uint8Array(8))).to.deep.equal({ ok: false, refused: 'busy' });
    expect(network.at(n2).propose(new Uint8Array(1))).to.deep.equal({ ok: false, refused: 'not-leader' });
  });
});

describe('raft: linearizable reads (thesis §6.4)', () => {
  it('confirms a read with a majority, on the leader and through a follower', () => {
    const network = new Network(three);
    network.elect(n1);

    network.at(n1).readIndex(1);
    network.at(n2).readIndex(2);
    network.settle();

    expect(network.reads).to.deep.equal([
      { node: n1, context: 1, index: 1 },
      { node: n2, context: 2, index: 1 },
    ]);
  });

  it('confirms nothing while the majority is silent', () => {
    const network = new Network(three);
    network.elect(n1);
    network.isolate(n1);

    network.at(n1).readIndex(1);
    network.tick(3);

    expect(network.reads).to.have.length(0);
  });

  it('waits for the first commit of the term', () => {
    const network = new Network(three);
    network.drop = (_from, { message }) => message.type === 'AppendEntriesResponse';
    network.elect(n1);

    network.at(n1).readIndex(1);
    network.settle();
    expect(network.reads).to.have.length(0);
    network.drop = () => false;
    network.tick(4);

    expect(network.reads).to.have.length(1);
  });

  it('refuses when there is no leader, and when leadership is lost meanwhile', () => {
    const network = new Network(three, { preVote: true, checkQuorum: true });
    network.at(n2).readIndex(5);
    network.settle();
    expect(network.refused).to.deep.equal([{ node: n2, context: 5 }]);
    network.elect(n1);
    network.isolate(n1);

    network.at(n1).readIndex(6);
    network.tick(3 * electionTicks);

    expect(network.refused).to.deep.include({ node: n1, context: 6 });
  });
});

describe('raft: snapshots (§7)', () => {
  function withSlowFollower(chunks: number): Network {
    const network = new Network(three);
    network.chunks = chunks;
    const leader = network.elect(n1);
    network.isolate(n3);
    for (let i = 0; i < 5; i++) leader.propose(new Uint8Array([i]));
    network.settle();
    leader.snapshotTaken({ index: 6, term: 1, configuration: leader.configuration, chain: new Uint8Array(32) });
    leader.compact(6, 0);
    network.heal();
    return network;
  }

  it('sends a snapshot, chunk by chunk, to a follower that needs what is compacted', () => {
    const network = withSlowFollower(3);

    network.tick(4);
    network.at(n1).propose(new Uint8Array([9]));
    network.settle();

    expect(network.at(n3).status()).to.include({ commitIndex: 7, firstIndex: 7 });
    expect(network.at(n1).status().progress.get(n3)?.state).to.equal('replicate');
  });

  it('asks again for a chunk out of order', () => {
    const raft = makeRaft(n3, three);
    const configuration = raft.configuration;
    const chunk = (number: number) =>
      ({
        type: 'InstallSnapshot',
        term: 1,
        snapshot: { index: 6, term: 1, configuration, chain: new Uint8Array(32) },
        chunk: number,
        chunks: 3,
        data: new Uint8Array(1),
      }) as const;

    raft.step(n1, chunk(0));
    drain(raft);
    raft.step(n1, chunk(2));

    expect(ofType(drain(raft), 'InstallSnapshotResponse')).to.deep.equal([
      { type: 'InstallSnapshotResponse', term: 1, index: 6, nextChunk: 1 },
    ]);
  });

  it('keeps its log when the snapshot holds nothing new', () => {
    const raft = makeRaft(n3, three, { entries: logOf(1, 1, 1) });
    const snapshot = { index: 2, term: 1, configuration: raft.configuration, chain: new Uint8Array(32) };

    raft.step(n1, { type: 'InstallSnapshot', term: 1, snapshot, chunk: 0, chunks: 1, data: new Uint8Array(1) });

    expect(raft.status()).to.include({ lastIndex: 3, commitIndex: 2, firstIndex: 1 });
  });

  it('keeps the newest bytes of the log for followers a little behind', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    for (let i = 0; i < 10; i++) leader.propose(new Uint8Array(10));
    network.settle();
    leader.snapshotTaken({ index: 11, term: 1, configuration: leader.configuration, chain: new Uint8Array(32) });

    expect(leader.compact(11, 30)).to.deep.equal({ index: 8, term: 1 });
  });
});

describe('raft: membership (§6, thesis §4)', () => {
  it('adds a learner, promotes it, and removes a voter', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    const change = (type: 'add-voter' | 'add-learner' | 'remove', node: typeof n1): void => {
      expect(leader.proposeConfigChange({ transition: 'auto', changes: [{ type, node }], context: '' }).ok).to.equal(true);
      network.settle();
    };

    change('add-learner', n4);
    expect(leader.configuration.learners).to.deep.equal([n4]);
    change('remove', n3);
    expect(leader.configuration.voters).to.deep.equal([n1, n2]);
  });

  it('goes through a joint configuration for several changes, and leaves it by itself', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    const changes = [
      { type: 'remove', node: n3 },
      { type: 'add-learner', node: n4 },
    ] as const;

    leader.proposeConfigChange({ transition: 'auto', changes, context: '' });
    network.settle();

    expect(leader.configuration).to.deep.equal({ voters: [n1, n2], outgoing: [], learners: [n4], learnersNext: [], autoLeave: false });
  });

  it('takes one change at a time', () => {
    const network = new Network(three);
    const leader = network.elect(n1);
    network.isolate(n1);
    const change = { transition: 'auto', changes: [{ type: 'remove', node: n3 }], context: '' } as const;

    expect(leader.proposeConfigChange(change).ok).to.equal(true);
    expect(leader.proposeConfigChange(change)).to.include({ refused: 'change-pending' });
  });

  it('makes a removed leader step down once its removal is applied', () => {
    const network = new Network(three);
    const leader = network.elect(n1);

    leader.proposeConfigChange({ transition: 'auto', changes: [{ type: 'remove', node: n1 }], context: '' });
    network.settle();

    expect(leader.role).to.equal('follower');
  });
});

describe('raft: safety under random faults', () => {
  it('elects one leader a term and applies one history', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (seed) => {
        const random = new SeededRandom(seed);
        const network = new Network([n1, n2, n3, n4, n5], { preVote: true, checkQuorum: true });
        const leaders = new Map<number, string>();
        network.drop = () => random.below(5) === 0;
        for (let step = 0; step < 150; step++) {
          if (random.below(20) === 0) network.isolate([n1, n2, n3, n4, n5][random.below(5)] ?? n1);
          if (random.below(10) === 0) network.heal();
          for (const raft of network.nodes.values()) {
            if (random.below(2) === 0) raft.tick();
            if (raft.role === 'leader') raft.propose(new Uint8Array([step]), 1 + random.below(3));
          }
          network.settle();
          for (const { id, role, term } of network.nodes.values()) {
            if (role !== 'leader') continue;
            expect(leaders.get(term) ?? id).to.equal(id);
            leaders.set(term, id);
          }
        }
        const longest = [...network.applied.values()].reduce((a, b) => (b.length > a.length ? b : a));
        for (const applied of network.applied.values()) expect(applied).to.deep.equal(longest.slice(0, applied.length));
      }),
      { numRuns: 40 },
    );
  });
});
