import { expect } from 'chai';
import { calmPlan } from '../../sim/plan.ts';
import { World } from '../../sim/world.ts';
import { nodeId, type NodeId } from '../../src/core/ids.ts';
import type { Replica } from '../../src/node/replica.ts';
import type { Answer } from '../../src/node/service.ts';
import type { ConfigurationChange, MemberChange } from '../../src/raft/configuration-change.ts';
import type { Configuration } from '../../src/raft/messages.ts';

const second = 1_000_000;
const change = (...changes: MemberChange[]): ConfigurationChange => ({ transition: 'auto', changes, context: '' });
const [n1, n2, n3, n4] = ['n1', 'n2', 'n3', 'n4'].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];

/** Nodes of a virtual cluster; all run, the first `founders` are its members. */
class Cluster {
  readonly world: World;

  constructor(nodes: number, founders: number) {
    this.world = new World({ seed: 7, plan: { ...calmPlan, nodes, founders, snapshotBytes: 1_000_000 } });
    for (let i = 0; i < nodes; i++) this.world.start(i);
    this.pass(3);
  }

  pass(seconds: number): void {
    this.world.runUntil(this.world.queue.nowUs + seconds * second);
  }

  /** Lets time go by in small steps, for two seconds at most; returns how much did. */
  passUntil(isThere: () => boolean): number {
    const fromUs = this.world.queue.nowUs;
    let passedUs = 0;
    for (; passedUs < 2 * second && !isThere(); passedUs += 100) this.world.runUntil(fromUs + passedUs);
    return passedUs;
  }

  replica(node: number): Replica {
    const replica = this.world.replica(node);
    if (replica === undefined) throw new Error(`node ${node} is down`);
    return replica;
  }

  leader(): number {
    for (let i = 0; i < this.world.size; i++) if (this.world.replica(i)?.isServing === true) return i;
    throw new Error('no leader');
  }

  follower(): number {
    const leader = this.leader();
    return leader === 0 ? 1 : 0;
  }

  change(at: number, what: ConfigurationChange): Answer<Configuration> | undefined {
    let answer: Answer<Configuration> | undefined;
    this.replica(at).requests.changeMembers(what, 5000, (given) => {
      answer = given;
    });
    this.pass(6);
    return answer;
  }

  transfer(at: number, to: NodeId | undefined): Answer<NodeId> | undefined {
    let answer: Answer<NodeId> | undefined;
    this.replica(at).requests.transferLeadership(to, 5000, (given) => {
      answer = given;
    });
    this.pass(6);
    return answer;
  }
}

const codeOf = (answer: Answer<unknown> | undefined): string | undefined => (answer?.ok === false ? answer.failure.code : undefined);

describe('node: changes of the members', () => {
  it('a follower passes a new learner on to the leader, which brings it up to date; it is promoted when asked', () => {
    const cluster = new Cluster(4, 3);
    const follower = cluster.follower();

    const added = cluster.change(follower, change({ type: 'add-learner', node: n4 }));
    const promoted = cluster.change(follower, change({ type: 'add-voter', node: n4 }));

    expect(added).to.deep.include({ ok: true });
    expect(promoted?.ok === true && promoted.value.voters).to.deep.equal([n1, n2, n3, n4]);
    expect(cluster.replica(3).raft.configuration.voters).to.deep.equal([n1, n2, n3, n4]);
  });

  it('promotes a learner that joined by itself, and no other', () => {
    const cluster = new Cluster(5, 3);
    const leader = cluster.replica(cluster.leader());
    const member = { nodeId: n4, name: 'node-4', http: 'http://h:1', peer: 'h:2', promote: true };
    leader.requests.submit({ op: 'PutMember', member }, undefined, undefined, () => {});

    cluster.change(cluster.leader(), change({ type: 'add-learner', node: n4 }));
    cluster.change(cluster.leader(), change({ type: 'add-learner', node: nodeId('n5') }));

    expect(leader.raft.configuration.voters).to.deep.equal([n1, n2, n3, n4]);
    expect(leader.raft.configuration.learners).to.deep.equal(['n5']);
  });

  it('answers a joint change once the joint configuration is left', () => {
    const cluster = new Cluster(4, 3);
    const removed = nodeId(`n${cluster.follower() + 1}`);
    cluster.change(cluster.leader(), change({ type: 'add-learner', node: n4 }));

    const answer = cluster.change(cluster.leader(), change({ type: 'add-voter', node: n4 }, { type: 'remove', node: removed }));

    expect(answer?.ok === true && answer.value.outgoing).to.deep.equal([]);
    expect(answer?.ok === true && answer.value.voters).to.deep.equal([n1, n2, n3, n4].filter((node) => node !== removed));
  });

  it('a leader that is to be removed hands over first: nobody waits for an election timeout', () => {
    const cluster = new Cluster(3, 3);
    const leader = cluster.leader();
    let answer: Answer<Configuration> | undefined;
    cluster.replica(leader).requests.changeMembers(change({ type: 'remove', node: nodeId(`n${leader + 1}`) }), 5000, (given) => {
      answer = given;
    });

    cluster.pass(0.5);

    expect(answer).to.deep.include({ ok: true });
    expect(cluster.leader()).to.not.equal(leader);
    expect(cluster.replica(cluster.leader()).raft.configuration.voters).to.have.length(2);
  });

  it('a follower learns its removal from its own log', () => {
    const cluster = new Cluster(3, 3);
    const removed = cluster.follower();

    cluster.change(cluster.leader(), change({ type: 'remove', node: nodeId(`n${removed + 1}`) }));

    expect(cluster.replica(removed).raft.configuration.voters).to.not.include(`n${removed + 1}`);
  });

  it('forgets the addresses of who was removed, whoever was asked', () => {
    const cluster = new Cluster(4, 3);
    const leader = cluster.replica(cluster.leader());
    const member = { nodeId: n4, name: 'node-4', http: 'http://h:1', peer: 'h:2', promote: false };
    leader.requests.submit({ op: 'PutMember', member }, undefined, undefined, () => {});
    cluster.change(cluster.follower(), change({ type: 'add-learner', node: n4 }));
    expect(leader.state.members.get(n4)).to.deep.equal(member);

    cluster.change(cluster.follower(), change({ type: 'remove', node: n4 }));

    expect(leader.state.members.get(n4)).to.equal(undefined);
  });

  it('a node that was removed refuses what it cannot decide', () => {
    const cluster = new Cluster(3, 3);
    const removed = cluster.replica(cluster.follower());
    let waiting: Answer<unknown> | undefined;
    removed.requests.submit({ op: 'DeleteKey', key: 'k', ifVersion: undefined }, undefined, undefined, (given) => {
      waiting = given;
    });

    removed.requests.setRemoved(true);

    let read: Answer<unknown> | undefined;
    removed.requests.read('linearizable', undefined, (given) => {
      read = given;
    });
    expect([codeOf(waiting), codeOf(read)]).to.deep.equal(['unavailable', 'unavailable']);
  });

  it('answers what is already so, without another entry', () => {
    const cluster = new Cluster(3, 3);
    const before = cluster.replica(0).raft.commitIndex;

    const answer = cluster.change(cluster.leader(), change({ type: 'add-voter', node: n2 }));

    expect(answer).to.deep.include({ ok: true });
    expect(cluster.replica(0).raft.commitIndex).to.equal(before);
  });

  it('refuses a second change while one is under way', () => {
    const cluster = new Cluster(5, 3);
    const leader = cluster.replica(cluster.leader());
    const answers: (Answer<Configuration> | undefined)[] = [];
    leader.requests.changeMembers(change({ type: 'add-learner', node: n4 }), 5000, (answer) => answers.push(answer));
    leader.requests.changeMembers(change({ type: 'add-learner', node: nodeId('n5') }), 5000, (answer) => answers.push(answer));

    cluster.pass(6);

    expect(answers.map(codeOf)).to.have.members(['change_pending', undefined]);
  });

  it('refuses a voter that is no learner yet, and a learner that is behind', () => {
    const cluster = new Cluster(4, 3);

    const stranger = cluster.change(cluster.leader(), change({ type: 'add-voter', node: n4 }));
    cluster.world.crash(3);
    cluster.change(cluster.leader(), change({ type: 'add-learner', node: n4 }));
    const behind = cluster.change(cluster.leader(), change({ type: 'add-voter', node: n4 }));

    expect(codeOf(stranger)).to.equal('not_caught_up');
    expect(codeOf(behind)).to.equal('not_caught_up');
  });

  it('refuses a removal that would leave too few who can be reached, and names them', () => {
    const cluster = new Cluster(3, 3);
    const dead = cluster.follower();
    const leader = cluster.leader();
    const other = 3 - dead - leader;
    cluster.world.crash(dead);
    cluster.pass(3);

    const answer = cluster.change(leader, change({ type: 'remove', node: nodeId(`n${other + 1}`) }));

    expect(codeOf(answer)).to.equal('would_lose_quorum');
    expect(answer?.ok === false && answer.failure.data?.['unreachable']).to.deep.equal([`n${dead + 1}`]);
  });

  it('hands leadership to the node that is named, and to any when none is, whoever is asked', () => {
    const cluster = new Cluster(3, 3);
    const first = cluster.leader();
    const target = cluster.follower();

    const named = cluster.transfer(3 - first - target, nodeId(`n${target + 1}`));
    const afterNamed = cluster.leader();
    const any = cluster.transfer(afterNamed, undefined);

    expect(named).to.deep.equal({ ok: true, value: nodeId(`n${target + 1}`) });
    expect(afterNamed).to.equal(target);
    expect(any?.ok === true && any.value).to.equal(nodeId(`n${cluster.leader() + 1}`));
    expect(cluster.leader()).to.not.equal(afterNamed);
  });

  it('refuses to hand leadership to a stranger or to a node that is down', () => {
    const cluster = new Cluster(3, 3);
    const dead = cluster.follower();
    cluster.world.crash(dead);
    cluster.pass(3);

    expect(codeOf(cluster.transfer(cluster.leader(), n4))).to.equal('not_found');
    expect(codeOf(cluster.transfer(cluster.leader(), nodeId(`n${dead + 1}`)))).to.equal('unavailable');
  });

  for (const [what, type] of [
    ['removes itself', 'remove'],
    ['makes itself a learner', 'add-learner'],
  ] as const) {
    it(`a leader that ${what} is followed by another long before its silence would be noticed`, () => {
      const cluster = new Cluster(3, 3);
      const leader = cluster.leader();
      const isOther = (): boolean => cluster.world.indices.some((i) => i !== leader && cluster.world.replica(i)?.isServing === true);

      cluster.replica(leader).requests.changeMembers(change({ type, node: nodeId(`n${leader + 1}`) }), 5000, () => {});
      const passedUs = cluster.passUntil(isOther);

      expect(passedUs).to.be.below(second / 10);
      cluster.pass(1);
      expect(cluster.leader()).to.not.equal(leader);
      expect(cluster.replica(leader).raft.configuration.voters).to.have.length(2);
    });
  }

  it('takes several voters and learners in, out, up and down in one change', () => {
    const cluster = new Cluster(6, 4);
    const leader = cluster.leader();
    const [first, later, third] = [0, 1, 2, 3].filter((i) => i !== leader).map((i) => nodeId(`n${i + 1}`)) as [NodeId, NodeId, NodeId];
    const [n5, n6] = [nodeId('n5'), nodeId('n6')];
    cluster.change(leader, change({ type: 'add-learner', node: n5 }, { type: 'add-learner', node: n6 }));

    const answer = cluster.change(
      leader,
      change(
        { type: 'add-voter', node: n5 },
        { type: 'remove', node: n6 },
        { type: 'remove', node: first },
        { type: 'add-learner', node: later },
      ),
    );

    const voters = [nodeId(`n${leader + 1}`), third, n5].toSorted();
    expect(answer).to.deep.equal({ ok: true, value: { voters, outgoing: [], learners: [later], learnersNext: [], autoLeave: false } });
  });

  it('does not count on a voter that lost its disk, and names it', () => {
    const cluster = new Cluster(3, 3);
    const leader = cluster.leader();
    const lost = cluster.follower();
    const other = 3 - lost - leader;
    const isRejoining = (): boolean =>
      cluster
        .replica(leader)
        .raft.status()
        .progress.get(nodeId(`n${lost + 1}`))?.isRejoining === true;
    cluster.world.loseDisk(lost);
    cluster.world.start(lost);
    cluster.passUntil(isRejoining);

    const answer = cluster.change(leader, change({ type: 'remove', node: nodeId(`n${other + 1}`) }));

    expect(codeOf(answer)).to.equal('would_lose_quorum');
    expect(answer?.ok === false && answer.failure.data?.['rejoining']).to.deep.equal([`n${lost + 1}`]);
  });
});
