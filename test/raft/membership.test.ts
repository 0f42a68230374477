import { expect } from 'chai';
import type { NodeId } from '../../src/core/ids.ts';
import { changeConfiguration, configurationOf, members } from '../../src/raft/configuration.ts';
import {
  type ConfigurationChange,
  decodeConfigurationChange,
  encodeConfigurationChange,
  leaveJoint,
  maxMemberChanges,
  type MemberChange,
} from '../../src/raft/configuration-change.ts';
import type { Raft } from '../../src/raft/raft.ts';
import { drain, electionTicks, makeRaft, n1, n2, n3, n4, n5, Network, ofType } from './network.ts';

const three = [n1, n2, n3];
const options = { preVote: true, checkQuorum: true };
const change = (transition: ConfigurationChange['transition'], ...changes: [MemberChange['type'], NodeId][]): ConfigurationChange => ({
  transition,
  changes: changes.map(([type, node]) => ({ type, node })),
  context: '',
});

/** A node that knows only who the founders are joins the network. */
function join(network: Network, id: NodeId): Raft {
  const raft = makeRaft(id, three, {}, options);
  network.nodes.set(id, raft);
  network.applied.set(id, []);
  return raft;
}

function apply(network: Network, leader: Raft, what: ConfigurationChange): void {
  expect(leader.proposeConfigChange(what)).to.include({ ok: true });
  network.settle();
}

describe('raft: configurations (§6, thesis §4)', () => {
  const old = configurationOf([n1, n2, n3], [n4]);

  it('keeps the ids sorted and each once, so that equal configurations look equal', () => {
    expect(configurationOf([n3, n1, n3, n2]).voters).to.deep.equal([n1, n2, n3]);
  });

  const simple: readonly (readonly [string, [MemberChange['type'], NodeId], NodeId[], NodeId[]])[] = [
    ['adds a voter', ['add-voter', n5], [n1, n2, n3, n5], [n4]],
    ['promotes a learner', ['add-voter', n4], [n1, n2, n3, n4], []],
    ['adds a learner', ['add-learner', n5], [n1, n2, n3], [n4, n5]],
    ['demotes a voter', ['add-learner', n3], [n1, n2], [n3, n4]],
    ['removes a voter', ['remove', n2], [n1, n3], [n4]],
    ['removes a learner', ['remove', n4], [n1, n2, n3], []],
    ['removes a stranger, which changes nothing', ['remove', n5], [n1, n2, n3], [n4]],
    ['adds a voter that is one already', ['add-voter', n1], [n1, n2, n3], [n4]],
  ];
  for (const [what, step, voters, learners] of simple) {
    it(`${what} directly`, () => {
      expect(changeConfiguration(old, change('auto', step))).to.deep.equal({ ok: true, configuration: configurationOf(voters, learners) });
    });
  }

  it('several changes go through a joint configuration, in which a voter that is demoted still votes', () => {
    const entered = changeConfiguration(old, change('auto', ['add-voter', n5], ['add-learner', n3]));

    expect(entered).to.deep.equal({
      ok: true,
      configuration: { voters: [n1, n2, n5], outgoing: [n1, n2, n3], learners: [n4], learnersNext: [n3], autoLeave: true },
    });
    if (!entered.ok) return;
    expect(members(entered.configuration)).to.have.members([n1, n2, n3, n4, n5]);
    expect(changeConfiguration(entered.configuration, leaveJoint)).to.deep.equal({
      ok: true,
      configuration: configurationOf([n1, n2, n5], [n3, n4]),
    });
  });

  it('refuses to change a joint configuration, to leave one that is not joint, and to leave nobody with a vote', () => {
    const entered = changeConfiguration(old, change('joint-explicit', ['remove', n3]));
    expect(entered.ok && entered.configuration).to.deep.include({ autoLeave: false, outgoing: [n1, n2, n3] });
    if (!entered.ok) return;

    expect(changeConfiguration(entered.configuration, change('auto', ['remove', n2])).ok).to.equal(false);
    expect(changeConfiguration(entered.configuration, change('joint-explicit', ['remove', n2])).ok).to.equal(false);
    expect(changeConfiguration(old, leaveJoint).ok).to.equal(false);
    expect(changeConfiguration(configurationOf([n1]), change('auto', ['remove', n1])).ok).to.equal(false);
    expect(changeConfiguration(old, change('auto', ['remove', n1], ['remove', n2], ['remove', n3])).ok).to.equal(false);
  });

  it('brings a change back from its bytes, and refuses bytes that are none', () => {
    const whole = { ...change('joint-implicit', ['add-voter', n4], ['remove', n1]), context: 'n4=10.0.0.4:7000' };
    const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

    expect(decodeConfigurationChange(encodeConfigurationChange(whole))).to.deep.equal(whole);
    for (const bad of [
      null,
      [],
      {},
      { ...whole, transition: 'other' },
      { ...whole, changes: {} },
      { ...whole, changes: [{ type: 'promote', node: n4 }] },
      { ...whole, changes: [{ type: 'remove', node: 'no name' }] },
      { ...whole, changes: [null] },
      { ...whole, context: 7 },
      { ...whole, context: 'x'.repeat(65_537) },
      { ...whole, changes: Array.from({ length: maxMemberChanges + 1 }, () => ({ type: 'remove', node: n1 })) },
    ])
      expect(decodeConfigurationChange(bytes(bad)), JSON.stringify(bad).slice(0, 60)).to.equal(undefined);
    expect(decodeConfigurationChange(new Uint8Array([0xff, 0xfe]))).to.equal(undefined);
  });
});

describe('raft: changes of the members (§6, thesis §4)', () => {
  it('a learner is sent the log, but its answers commit nothing and it does not campaign', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    const learner = join(network, n4);
    apply(network, leader, change('auto', ['add-learner', n4]));
    network.tick(3);
    expect(network.applied.get(n4)).to.have.length(2);

    network.isolate(n2);
    network.isolate(n3);
    leader.propose(new Uint8Array([1]));
    network.settle();
    for (let i = 0; i < 5 * electionTicks; i++) learner.tick();

    expect(leader.commitIndex).to.equal(2);
    expect(learner).to.include({ role: 'follower', term: 1 });
  });

  it('a learner is asked for no vote', () => {
    const raft = makeRaft(n1, three);
    raft.applyConfigChange({
      term: 1,
      index: 1,
      count: 1,
      kind: 'configuration',
      data: encodeConfigurationChange(change('auto', ['add-learner', n4])),
    });

    raft.campaign();

    expect(
      drain(raft)
        .filter(({ message }) => message.type === 'RequestVote')
        .map(({ to }) => to),
    ).to.deep.equal([n2, n3]);
  });

  it('a promoted learner votes and counts', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    join(network, n4);
    apply(network, leader, change('auto', ['add-learner', n4]));
    network.tick(3);
    apply(network, leader, change('auto', ['add-voter', n4]));
    expect(leader.configuration.voters).to.deep.equal([n1, n2, n3, n4]);

    network.isolate(n2);
    leader.propose(new Uint8Array([1]));
    network.settle();
    expect(leader.commitIndex).to.equal(4);
    network.isolate(n3);
    leader.propose(new Uint8Array([1]));
    network.settle();

    expect(leader.commitIndex).to.equal(4);
  });

  it('a smaller cluster commits what its majority had already', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    leader.proposeConfigChange(change('auto', ['remove', n3]));
    network.isolate(n3);
    network.settle();

    leader.propose(new Uint8Array([1]));
    network.settle();

    expect(leader.configuration.voters).to.deep.equal([n1, n2]);
    expect(leader.commitIndex).to.equal(3);
    expect(leader.status().progress.has(n3)).to.equal(false);
  });

  it('in a joint configuration both majorities must hold an entry', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    for (const id of [n4, n5]) join(network, id);
    apply(network, leader, change('joint-explicit', ['add-voter', n4], ['add-voter', n5], ['remove', n2], ['remove', n3]));
    network.tick(3);
    const { commitIndex } = leader;

    network.isolate(n2);
    network.isolate(n3);
    leader.propose(new Uint8Array([1]));
    network.settle();
    expect(leader.commitIndex).to.equal(commitIndex);
    network.heal();
    network.tick(4);

    expect(leader.commitIndex).to.equal(commitIndex + 1);
    apply(network, leader, leaveJoint);
    expect(leader.configuration).to.deep.equal(configurationOf([n1, n4, n5]));
  });

  it('a new leader leaves a joint configuration that the old one had entered', () => {
    const network = new Network([n1, n2, n3, n4, n5], options);
    const leader = network.elect(n1);
    leader.proposeConfigChange(change('auto', ['remove', n4], ['remove', n5]));
    // The change is committed, and its leader is gone before it could write that it is left.
    network.drop = (_from, { message }) => message.type === 'AppendEntries' && message.entries.some(({ index }) => index > 2);
    network.settle();
    network.isolate(n1);
    network.drop = () => false;
    network.tick(6 * electionTicks);

    const next = [n2, n3, n4, n5].map((id) => network.at(id)).find(({ role }) => role === 'leader');

    expect(next?.term).to.be.greaterThan(1);
    expect(next?.configuration).to.deep.equal(configurationOf([n1, n2, n3]));
  });

  it('refuses a second change until the first is applied, a change that changes too much, and any on a follower', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    expect(network.at(n2).proposeConfigChange(change('auto', ['remove', n3]))).to.include({ refused: 'not-leader' });
    expect(leader.proposeConfigChange(leaveJoint)).to.include({ refused: 'invalid-change' });

    leader.proposeConfigChange(change('auto', ['add-learner', n4]));
    expect(leader.proposeConfigChange(change('auto', ['add-learner', n5]))).to.include({ refused: 'change-pending' });
    network.settle();

    expect(leader.proposeConfigChange(change('auto', ['add-learner', n5]))).to.include({ ok: true });
  });

  it('a removed node that does not know it disturbs nobody (thesis §4.2.3)', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    network.isolate(n3);
    apply(network, leader, change('auto', ['remove', n3]));
    network.heal();

    network.tick(6 * electionTicks);

    expect(leader).to.include({ role: 'leader', term: 1 });
    expect(network.at(n2).term).to.equal(1);
  });

  it('does not campaign by a configuration that may be out of force: a committed change is applied first', () => {
    const raft = makeRaft(n1, three);
    const data = encodeConfigurationChange(change('auto', ['remove', n3]));
    raft.step(n2, {
      type: 'AppendEntries',
      term: 1,
      prevLogIndex: 0,
      prevLogTerm: 0,
      leaderCommit: 1,
      entries: [{ term: 1, index: 1, count: 1, kind: 'configuration', data }],
    });

    raft.campaign();
    expect(raft.role).to.equal('follower');
    drain(raft);
    raft.campaign();

    expect(ofType(drain(raft), 'RequestVote')).to.have.length(1);
  });

  it('a leader without a vote asks the voter that is furthest to take over, and the others need not wait for its silence', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    network.cut.add('n1 n2');

    apply(network, leader, change('auto', ['remove', n1]));

    expect(leader.role).to.equal('follower');
    expect(network.at(n3)).to.include({ role: 'leader', term: 2 });
  });

  it('asks nobody who lost its disk', () => {
    const network = new Network(three, options);
    const leader = network.elect(n1);
    leader.proposeConfigChange(change('auto', ['remove', n1]));
    drain(leader);
    const answer = { type: 'AppendEntriesResponse', term: 1, success: true, index: 2, conflictIndex: 0, conflictTerm: 0 } as const;
    leader.step(n2, { ...answer, rejoining: 4711 });
    leader.step(n3, { ...answer, rejoining: 0 });

    const asked: NodeId[] = [];
    for (const { to, message } of drain(leader)) if (message.type === 'TimeoutNow') asked.push(to);

    expect(asked).to.deep.equal([n3]);
  });

  it('campaigns when it is asked to together with the news of a change, but applies that first', () => {
    const raft = makeRaft(n2, three, {}, options);
    const data = encodeConfigurationChange(change('auto', ['remove', n1]));
    raft.step(n1, {
      type: 'AppendEntries',
      term: 1,
      prevLogIndex: 0,
      prevLogTerm: 0,
      leaderCommit: 0,
      entries: [{ term: 1, index: 1, count: 1, kind: 'configuration', data }],
    });
    raft.step(n1, { type: 'TimeoutNow', term: 1, leaderCommit: 1 });
    expect(raft.role).to.equal('follower');

    const asked: NodeId[] = [];
    for (const { to, message } of drain(raft)) if (message.type === 'RequestVote' && message.transfer) asked.push(to);

    expect(raft).to.include({ role: 'candidate', term: 2 });
    expect(asked).to.deep.equal([n3]);
  });
});
