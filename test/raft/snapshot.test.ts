import { expect } from 'chai';
import { configurationOf } from '../../src/raft/configuration.ts';
import type { InstallSnapshot } from '../../src/raft/messages.ts';
import type { Raft } from '../../src/raft/raft.ts';
import type { SnapshotReceived, SnapshotSend } from '../../src/raft/ready.ts';
import { drain, electionTicks, logOf, makeRaft, n1, n2, n3, n4, n5, Network, ofType } from './network.ts';

const three = [n1, n2, n3];

const chunk = (number: number, fields: Partial<InstallSnapshot> = {}): InstallSnapshot => ({
  type: 'InstallSnapshot',
  term: 1,
  snapshot: { index: 6, term: 1, configuration: configurationOf([n1, n2, n3, n4]), chain: new Uint8Array(32) },
  chunk: number,
  chunks: 3,
  data: new Uint8Array([number]),
  ...fields,
});

/** A leader whose follower n3 needs what is compacted, and the first chunk that it wants sent. */
function leaderWithSnapshot(): { readonly leader: Raft; readonly sends: SnapshotSend[]; readonly drainSends: () => SnapshotSend[] } {
  const network = new Network(three);
  const leader = network.elect(n1);
  network.isolate(n3);
  for (let i = 0; i < 5; i++) leader.propose(new Uint8Array([i]));
  network.settle();
  leader.snapshotTaken({ index: 6, term: 1, configuration: leader.configuration, chain: new Uint8Array(32) });
  leader.compact(6, 0);
  const drainSends = (): SnapshotSend[] => {
    const sends: SnapshotSend[] = [];
    drain(leader, (ready) => sends.push(...ready.snapshotSends));
    return sends;
  };
  leader.reportUnreachable(n3);
  return { leader, sends: drainSends(), drainSends };
}

describe('raft: sending a snapshot (§7)', () => {
  it('begins with the first chunk, and sends nothing else meanwhile', () => {
    const { leader, sends } = leaderWithSnapshot();
    expect(sends.map(({ to, chunk: number, snapshot }) => [to, number, snapshot.index])).to.deep.equal([[n3, 0, 6]]);

    leader.propose(new Uint8Array([1]));
    const sent = drain(leader);

    expect(sent.filter(({ to, message }) => to === n3 && message.type === 'AppendEntries')).to.deep.equal([]);
    expect(leader.status().progress.get(n3)).to.include({ state: 'snapshot', pendingSnapshot: 6 });
  });

  it('sends the chunk that the follower wants next', () => {
    const { leader, drainSends } = leaderWithSnapshot();

    leader.step(n3, { type: 'InstallSnapshotResponse', term: 1, index: 6, nextChunk: 1 });

    expect(drainSends().map((send) => send.chunk)).to.deep.equal([1]);
  });

  it('sends a chunk again when no answer comes for an election timeout', () => {
    const { leader, drainSends } = leaderWithSnapshot();
    leader.step(n3, { type: 'InstallSnapshotResponse', term: 1, index: 6, nextChunk: 1 });
    drainSends();

    for (let i = 0; i < electionTicks - 1; i++) leader.tick();
    expect(drainSends()).to.deep.equal([]);
    leader.tick();

    expect(drainSends().map((send) => send.chunk)).to.deep.equal([1]);
  });

  it('sends a chunk again with the next tick when the driver could not send it', () => {
    const { leader, drainSends } = leaderWithSnapshot();

    leader.reportSnapshot(n3, false);
    leader.tick();

    expect(drainSends().map((send) => send.chunk)).to.deep.equal([0]);
  });

  it('begins anew when its snapshot was replaced by a newer one', () => {
    const { leader, drainSends } = leaderWithSnapshot();
    leader.step(n3, { type: 'InstallSnapshotResponse', term: 1, index: 6, nextChunk: 2 });
    drainSends();
    leader.propose(new Uint8Array([1]));
    drain(leader);
    leader.step(n2, { type: 'AppendEntriesResponse', term: 1, success: true, index: 7, conflictIndex: 0, conflictTerm: 0, rejoining: 0 });
    drain(leader);
    leader.snapshotTaken({ index: 7, term: 1, configuration: leader.configuration, chain: new Uint8Array(32) });

    leader.step(n3, { type: 'InstallSnapshotResponse', term: 1, index: 6, nextChunk: 3 });

    expect(drainSends().map((send) => [send.snapshot.index, send.chunk])).to.deep.equal([[7, 0]]);
  });

  it('is not moved by an answer about another snapshot', () => {
    const { leader, drainSends } = leaderWithSnapshot();

    leader.step(n3, { type: 'InstallSnapshotResponse', term: 1, index: 5, nextChunk: 2 });

    expect(drainSends()).to.deep.equal([]);
  });

  it('goes on with the log where the follower then stands', () => {
    const { leader } = leaderWithSnapshot();
    leader.propose(new Uint8Array([1]));
    drain(leader);

    leader.step(n3, { type: 'AppendEntriesResponse', term: 1, success: true, index: 6, conflictIndex: 0, conflictTerm: 0, rejoining: 0 });
    const sent = ofType(drain(leader), 'AppendEntries');

    expect(leader.status().progress.get(n3)).to.include({ state: 'replicate', match: 6 });
    expect(sent.map(({ prevLogIndex, entries }) => [prevLogIndex, entries.map(({ index }) => index)])).to.deep.equal([[6, [7]]]);
  });

  it('does not compact what no snapshot holds', () => {
    const network = new Network(three);
    const leader = network.elect(n1);

    expect(() => leader.compact(1, 0)).to.throw('only up to its snapshot');
  });
});

describe('raft: receiving a snapshot (§7)', () => {
  function received(raft: Raft): SnapshotReceived[] {
    const chunks: SnapshotReceived[] = [];
    drain(raft, (ready) => {
      if (ready.snapshotChunk !== undefined) chunks.push(ready.snapshotChunk);
    });
    return chunks;
  }

  it('hands over each chunk once, in order, and asks for the next only after the save', () => {
    const raft = makeRaft(n3, three);

    raft.step(n1, chunk(0));
    const ready = raft.takeReady();

    expect(ready?.snapshotChunk).to.include({ chunk: 0, chunks: 3 });
    expect(ready?.messages).to.deep.equal([]);
    expect(ofType(ready?.messagesAfterSave ?? [], 'InstallSnapshotResponse')[0]).to.include({ index: 6, nextChunk: 1 });
    raft.step(n1, chunk(1));
    raft.step(n1, chunk(1));
    expect(received(raft).map((part) => part.chunk)).to.deep.equal([1]);
  });

  it('replaces log and configuration with the last chunk, whatever the log held', () => {
    const raft = makeRaft(n3, three, { entries: logOf(1, 1, 1) });

    for (const number of [0, 1]) {
      raft.step(n1, chunk(number));
      received(raft);
    }
    expect(raft.status()).to.include({ lastIndex: 3, commitIndex: 0 });
    raft.step(n1, chunk(2));
    const ready = raft.takeReady();

    expect(raft.status()).to.include({ firstIndex: 7, lastIndex: 6, commitIndex: 6, appliedIndex: 6 });
    expect(raft.configuration).to.deep.equal(configurationOf([n1, n2, n3, n4]));
    expect(ready?.hardState).to.include({ currentTerm: 1, commitIndex: 6 });
    expect(ofType(ready?.messagesAfterSave ?? [], 'AppendEntriesResponse')[0]).to.include({ success: true, index: 6 });
  });

  it('answers the last chunk again when its answer was lost', () => {
    const raft = makeRaft(n3, three);
    for (const number of [0, 1, 2]) {
      raft.step(n1, chunk(number));
      received(raft);
    }

    raft.step(n1, chunk(2));

    expect(ofType(drain(raft), 'AppendEntriesResponse')[0]).to.include({ success: true, index: 6 });
  });

  it('takes the log up from the snapshot', () => {
    const raft = makeRaft(n3, three);
    raft.step(n1, chunk(0, { chunks: 1 }));
    received(raft);

    raft.step(n1, {
      type: 'AppendEntries',
      term: 1,
      prevLogIndex: 6,
      prevLogTerm: 1,
      leaderCommit: 7,
      entries: [{ term: 1, index: 7, count: 1, kind: 'command', data: new Uint8Array([1]) }],
    });

    expect(raft.takeReady()?.committedEntries.map(({ index }) => index)).to.deep.equal([7]);
  });

  it('begins anew with another snapshot', () => {
    const raft = makeRaft(n3, three);
    raft.step(n1, chunk(0));
    received(raft);

    const newer = { index: 9, term: 1, configuration: configurationOf(three), chain: new Uint8Array(32) };
    raft.step(n1, chunk(1, { snapshot: newer }));

    expect(ofType(drain(raft), 'InstallSnapshotResponse')[0]).to.include({ index: 9, nextChunk: 0 });
  });

  it('ignores a snapshot of what it has committed', () => {
    const raft = makeRaft(n3, three, {
      hardState: { currentTerm: 1, votedFor: undefined, commitIndex: 3, rejoining: 0 },
      entries: logOf(1, 1, 1),
    });

    raft.step(n1, chunk(0, { snapshot: { index: 2, term: 1, configuration: configurationOf([n5]), chain: new Uint8Array(32) } }));

    expect(received(raft)).to.deep.equal([]);
    expect(raft.configuration.voters).to.deep.equal(three);
  });

  it('takes no snapshot whose configuration contradicts itself', () => {
    const raft = makeRaft(n3, three);
    const configuration = { ...configurationOf(three), learners: [n1] };

    raft.step(n1, chunk(0, { chunks: 1, snapshot: { index: 6, term: 1, configuration, chain: new Uint8Array(32) } }));

    expect(received(raft)).to.deep.equal([]);
    expect(raft.status()).to.include({ commitIndex: 0, lastIndex: 0 });
  });
});
