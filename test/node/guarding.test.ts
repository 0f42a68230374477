import { expect } from 'chai';
import { calmPlan } from '../../sim/plan.ts';
import { World } from '../../sim/world.ts';
import { type EpochRules, nextConfiguration, successionAction } from '../../src/byzantine/epoch-chain.ts';
import type { EpochConfiguration } from '../../src/byzantine/epoch.ts';
import type { GuardedAction } from '../../src/byzantine/guard.ts';
import { publicKeyOf } from '../../src/byzantine/peer-id.ts';
import { defined } from '../../src/core/assert.ts';
import type { LogIndex, NodeId } from '../../src/core/ids.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Guard, type Judged } from '../../src/node/guarding/guard.ts';
import type { Replica } from '../../src/node/replica.ts';
import type { Answer } from '../../src/node/service.ts';
import type { MemberChange } from '../../src/raft/configuration-change.ts';
import type { Configuration } from '../../src/raft/messages.ts';
import type { GuardedEntry } from '../../src/wire/guarded.ts';
import { Electorate, fixedSeeds } from '../byzantine/electorate.ts';

const second = 1_000_000;
const rules: EpochRules = { hashes: nodeHashes, verify: verifySignature, keyOf: publicKeyOf, guardMembership: true };
const deployment: GuardedAction = { kind: 'deployment-approve', subject: 'deploy:web', payload: 'v2' };

/** A guard that lets everything enter its own log. */
class LyingGuard extends Guard {
  override refusalOf(): undefined {
    return undefined;
  }

  override admit({ ts }: GuardedEntry): Judged {
    const command = {
      ...deployment,
      proposal: '',
      payloadDigest: '',
      epoch: 0,
      proposer: 0,
      proposerSeq: 0,
      notAfterMs: Number.MAX_SAFE_INTEGER,
    };
    return { ok: true, ts, command };
  }
}

/** A virtual cluster whose nodes have keys; the first `founders` are its members. */
class Cluster {
  readonly world: World;
  readonly seeds: readonly Uint8Array[];
  readonly ids: readonly NodeId[];
  readonly founding: EpochConfiguration;
  /** Payloads of the changes that leaders want the members to approve. */
  readonly wanted = new Set<string>();
  /** They approve these. */
  approves = false;

  constructor(
    nodes: number,
    founders: number,
    { liars = [], snapshotBytes = 1_000_000 }: { readonly liars?: readonly number[]; readonly snapshotBytes?: number } = {},
  ) {
    this.seeds = fixedSeeds(nodes);
    this.ids = new Electorate(nodes).configuration.members.map(({ nodeId }) => nodeId);
    const all = new Electorate(nodes).configuration;
    this.founding = { ...all, members: all.members.slice(0, founders) };
    const guardOf = (id: NodeId) => new (liars.includes(this.ids.indexOf(id)) ? LyingGuard : Guard)({ rules, founding: this.founding });
    const approvalOf = (_id: NodeId, action: GuardedAction) => {
      this.wanted.add(action.payload);
      return this.approves ? Buffer.from(this.membersOf(this.founding).approval(action)).toString('base64') : undefined;
    };
    this.world = new World({ seed: 7, ids: this.ids, guardOf, approvalOf, plan: { ...calmPlan, nodes, founders, snapshotBytes } });
    for (let i = 0; i < nodes; i++) this.world.start(i);
    this.pass(3);
  }

  pass(seconds: number): void {
    this.world.runUntil(this.world.queue.nowUs + seconds * second);
  }

  replica(node: number): Replica {
    return defined(this.world.replica(node), `node ${node} is up`);
  }

  get leader(): number {
    return defined(this.world.leader, 'there is a leader');
  }

  id(node: number): NodeId {
    return defined(this.ids[node], `there is a node ${node}`);
  }

  /** What the members of an epoch sign. */
  membersOf(configuration: EpochConfiguration): Electorate {
    return new Electorate(configuration.members.length, { seeds: this.seeds, configuration });
  }

  /** The certificate of a change of the voters, as the context of the change. */
  permit(current: EpochConfiguration, voters: readonly number[]): string {
    const next = defined(
      nextConfiguration(
        rules,
        current,
        voters.map((node) => this.id(node)),
      ),
      'they have keys',
    );
    return Buffer.from(this.membersOf(current).approval(successionAction(current, next))).toString('base64');
  }

  enact(at: number, action: GuardedAction, certificate: Uint8Array): Answer<LogIndex> | undefined {
    let answer: Answer<LogIndex> | undefined;
    this.replica(at).requests.enact(action, certificate, 2000, (given) => {
      answer = given;
    });
    this.pass(3);
    return answer;
  }

  change(at: number, context: string, ...changes: MemberChange[]): Answer<Configuration> | undefined {
    let answer: Answer<Configuration> | undefined;
    this.replica(at).requests.changeMembers({ transition: 'auto', changes, context }, 2000, (given) => {
      answer = given;
    });
    this.pass(3);
    return answer;
  }

  leadBy(node: number): void {
    this.replica(this.leader).requests.transferLeadership(this.id(node), 2000, () => {});
    this.pass(2);
  }
}

const codeOf = (answer: Answer<unknown> | undefined): string | undefined => (answer?.ok === false ? answer.failure.code : undefined);

describe('node: guarded commands (protocol design 1.9)', () => {
  it('carries out what the members approved, on every node, once, whichever is asked', () => {
    const cluster = new Cluster(4, 4);
    const certificate = cluster.membersOf(cluster.founding).approval(deployment);

    const first = cluster.enact(0, deployment, certificate);
    const again = cluster.enact(1, deployment, certificate);

    expect(first).to.deep.include({ ok: true });
    expect(again).to.deep.equal(first);
    for (const node of [0, 1, 2, 3])
      expect([...cluster.replica(node).state.decisions.all()].map(({ subject }) => subject)).to.deep.equal(['deploy:web']);
  });

  it('refuses at the leader what a certificate does not permit, and says why', () => {
    const cluster = new Cluster(4, 4);
    const certificate = cluster.membersOf(cluster.founding).approval(deployment);

    const other = cluster.enact(1, { ...deployment, payload: 'v3' }, certificate);

    expect(codeOf(other)).to.equal('bad_certificate');
    expect(other?.ok === false && other.failure.detail).to.match(/another payload/);
  });

  it("is neither taken nor acknowledged by a node whose log may not be the cluster's", () => {
    const cluster = new Cluster(4, 4);
    const certificate = cluster.membersOf(cluster.founding).approval(deployment);
    const odd = (cluster.leader + 1) % 4;
    const { world } = cluster;
    cluster.replica(odd).requests.submit({ op: 'PutKey', key: 'mine', value: 'once', ifVersion: undefined }, undefined, 2000, () => {});
    cluster.pass(2);
    world.rewriteLog(odd);
    cluster.pass(3);

    const answer = cluster.enact(cluster.leader, deployment, certificate);

    expect(cluster.replica(odd).divergence.isDiverged).to.equal(true);
    expect(answer).to.deep.include({ ok: true });
    expect([...cluster.replica(cluster.leader).state.decisions.all()]).to.have.length(1);
    expect([...cluster.replica(odd).state.decisions.all()]).to.have.length(0);
    cluster.leadBy(odd);
    expect(cluster.leader, 'nobody votes for who is behind').to.not.equal(odd);
  });

  it('a lying leader can not get a guarded command past honest followers: it is not acknowledged, and the leader is replaced', () => {
    const cluster = new Cluster(4, 4, { liars: [0] });
    cluster.leadBy(0);
    const lied = cluster.enact(0, deployment, new Uint8Array(9));

    expect(lied?.ok).not.to.equal(true);
    expect(cluster.leader).not.to.equal(0);
    for (const node of [1, 2, 3]) {
      const { counters, badGuards, state } = cluster.replica(node);
      expect(counters.badGuards).to.be.greaterThan(0);
      expect(badGuards[0]).to.include({ leader: cluster.id(0), detail: 'a guarded command: it is not a certificate' });
      expect([...state.decisions.all()]).to.deep.equal([]);
    }
  });

  it('a lying leader can not change the voters either', () => {
    const cluster = new Cluster(5, 4, { liars: [0] });
    cluster.leadBy(0);

    cluster.change(0, '', { type: 'remove', node: cluster.id(1) });

    expect(cluster.leader).not.to.equal(0);
    for (const node of [1, 2, 3]) expect(cluster.replica(node).raft.configuration.voters).to.have.length(4);
  });
});

describe('node: certified epochs (protocol design 1.8)', () => {
  it('says what has to be voted on when a change of four voters comes without a certificate', () => {
    const cluster = new Cluster(4, 4);

    const refused = cluster.change(0, '', { type: 'remove', node: cluster.id(3) });

    expect(codeOf(refused)).to.equal('certificate_required');
    expect(refused?.ok === false && refused.failure.data).to.include({ kind: 'evict', subject: `evict:${cluster.id(3)}` });
  });

  it('learners come and go without one; a learner becomes a voter by one, and a new epoch begins everywhere', () => {
    const cluster = new Cluster(5, 4);
    const learner = cluster.change(0, '', { type: 'add-learner', node: cluster.id(4) });

    const promoted = cluster.change(1, cluster.permit(cluster.founding, [0, 1, 2, 3, 4]), { type: 'add-voter', node: cluster.id(4) });

    expect(learner).to.deep.include({ ok: true });
    expect(promoted?.ok === true && promoted.value.voters).to.have.length(5);
    for (const node of [0, 1, 2, 3, 4]) {
      expect(cluster.replica(node).guard?.current).to.deep.include({ epoch: 1 });
      expect(cluster.replica(node).state.epochs.current).to.equal(1);
    }
  });

  it('a learner that joined is promoted by itself once the members have approved it, whoever leads then', () => {
    const cluster = new Cluster(5, 4);
    const member = { nodeId: cluster.id(4), name: 'node-4', http: 'http://h:1', peer: 'h:2', promote: true };
    cluster.replica(0).requests.submit({ op: 'PutMember', member }, undefined, undefined, () => {});
    cluster.change(0, '', { type: 'add-learner', node: cluster.id(4) });
    const before = cluster.replica(0).raft.configuration.learners;
    cluster.leadBy(cluster.leader === 0 ? 1 : 0);

    cluster.approves = true;
    cluster.pass(3);

    expect(before).to.deep.equal([cluster.id(4)]);
    expect([...cluster.wanted], 'all leaders want the same').to.have.length(1);
    for (const node of [0, 1, 2, 3, 4]) expect(cluster.replica(node).guard?.current).to.deep.include({ epoch: 1 });
    expect(cluster.replica(0).raft.configuration.voters).to.have.length(5);
  });

  it('a certificate of an epoch that is over permits nothing; what it permitted before stays carried out', () => {
    const cluster = new Cluster(5, 4);
    const before = cluster.membersOf(cluster.founding);
    const other = { ...deployment, subject: 'deploy:api' };
    const first = cluster.enact(0, deployment, before.approval(deployment));
    cluster.change(0, '', { type: 'add-learner', node: cluster.id(4) });
    cluster.change(0, cluster.permit(cluster.founding, [0, 1, 2, 3, 4]), { type: 'add-voter', node: cluster.id(4) });

    expect(codeOf(cluster.enact(0, other, before.approval(other)))).to.equal('bad_certificate');
    expect(cluster.enact(0, deployment, before.approval(deployment))).to.deep.equal(first);
    const now = cluster.membersOf(defined(cluster.replica(0).guard, 'it has one').current);
    expect(cluster.enact(0, other, now.approval(other))).to.deep.include({ ok: true });
  });

  it('a leader lets no decision of an epoch into its log behind a change of the members that ends it', () => {
    const cluster = new Cluster(5, 4);
    const at = cluster.leader;
    cluster.change(at, '', { type: 'add-learner', node: cluster.id(4) });
    const context = cluster.permit(cluster.founding, [0, 1, 2, 3, 4]);
    const promotion = { transition: 'auto', changes: [{ type: 'add-voter', node: cluster.id(4) }], context } as const;
    cluster.replica(at).requests.changeMembers(promotion, 2000, () => {});

    const enacted = cluster.enact(at, deployment, cluster.membersOf(cluster.founding).approval(deployment));

    expect(codeOf(enacted)).to.equal('bad_certificate');
    for (const node of [0, 1, 2, 3, 4]) expect(cluster.replica(node).counters.badGuards).to.equal(0);
  });

  it('of two certified changes of one epoch the first in the log counts', () => {
    const cluster = new Cluster(6, 4);
    for (const node of [4, 5]) cluster.change(0, '', { type: 'add-learner', node: cluster.id(node) });
    const both = [4, 5].map((node) => cluster.permit(cluster.founding, [0, 1, 2, 3, node]));

    const first = cluster.change(0, both[0] ?? '', { type: 'add-voter', node: cluster.id(4) });
    const later = cluster.change(0, both[1] ?? '', { type: 'add-voter', node: cluster.id(5) });

    expect(first).to.deep.include({ ok: true });
    expect(codeOf(later)).to.equal('bad_certificate');
  });

  it('a node that was away catches up over changes of the members and decisions of their epochs, by log or by snapshot', () => {
    for (const snapshot of [false, true]) {
      const cluster = new Cluster(6, 4, snapshot ? { snapshotBytes: 500 } : {});
      const away = cluster.leader === 0 ? 1 : 0;
      const at = cluster.leader;
      for (const node of [4, 5]) cluster.change(at, '', { type: 'add-learner', node: cluster.id(node) });
      cluster.world.crash(away);
      cluster.change(at, cluster.permit(cluster.founding, [0, 1, 2, 3, 4]), { type: 'add-voter', node: cluster.id(4) });
      const { current } = defined(cluster.replica(at).guard, 'it has one');
      cluster.enact(at, deployment, cluster.membersOf(current).approval(deployment));
      cluster.change(at, cluster.permit(current, [0, 1, 2, 3, 4, 5]), { type: 'add-voter', node: cluster.id(5) });

      cluster.world.start(away);
      cluster.pass(10);

      const replica = cluster.replica(away);
      expect(replica.guard?.current.epoch).to.equal(2);
      expect(replica.counters.snapshotsInstalled > 0).to.equal(snapshot);
      expect(replica.state.hash()).to.equal(cluster.replica(cluster.leader).state.hash());
    }
  });

  it('three voters need no certificate, and their fourth makes the cluster a guarded one', () => {
    const cluster = new Cluster(5, 3);
    for (const node of [3, 4]) cluster.change(0, '', { type: 'add-learner', node: cluster.id(node) });

    const fourth = cluster.change(0, '', { type: 'add-voter', node: cluster.id(3) });
    const fifth = cluster.change(0, '', { type: 'add-voter', node: cluster.id(4) });

    expect(fourth).to.deep.include({ ok: true });
    expect(codeOf(fifth)).to.equal('certificate_required');
  });
});
