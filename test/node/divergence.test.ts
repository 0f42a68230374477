import { expect } from 'chai';
import { peerIdOf } from '../../src/byzantine/peer-id.ts';
import { type NodeId, nodeId } from '../../src/core/ids.ts';
import { signingKey } from '../../src/crypto/node.ts';
import { Divergence } from '../../src/node/divergence.ts';
import type { NodeEvent } from '../../src/node/event-log.ts';
import { nodeKeys, signHead } from '../../src/node/log-head.ts';
import { configurationOf } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/messages.ts';
import type { Frame, SignedHead } from '../../src/wire/frames.ts';

interface Member {
  readonly id: NodeId;
  readonly divergence: Divergence;
  readonly events: NodeEvent[];
  readonly errors: string[];
  /** Indices that it has named to its peers. */
  readonly named: number[];
}

const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number + 1);
const entry = (index: number, text = `entry ${index}`, count = 1): Entry => ({
  index,
  term: 1,
  count,
  kind: 'command',
  data: new TextEncoder().encode(text),
});

/** Nodes whose frames arrive at once, unless they are held back. */
class Cluster {
  readonly ids: readonly NodeId[];
  readonly members: Member[];
  readonly configuration;
  nowMs = 0;
  isHeldBack: (from: NodeId, to: NodeId) => boolean = () => false;

  constructor(size: number) {
    this.ids = Array.from({ length: size }, (_, i) => nodeId(peerIdOf(signingKey(seedOf(i)).publicKey)));
    this.configuration = configurationOf(this.ids);
    this.members = this.ids.map((id, i) => this.#member(id, i));
  }

  #member(id: NodeId, number: number): Member {
    const events: NodeEvent[] = [];
    const errors: string[] = [];
    const named: number[] = [];
    const frame = (to: NodeId, { kind, ...rest }: Frame): void => {
      if (kind !== 'heads' || !('heads' in rest)) throw new Error('it sends heads only');
      const [own] = rest.heads;
      if (named.at(-1) !== own?.index) named.push(own?.index ?? 0);
      if (!this.isHeldBack(id, to)) this.at(to).divergence.onHeads(id, rest.heads);
    };
    const divergence = new Divergence(
      {
        self: id,
        clusterId: 'c1',
        keys: nodeKeys(seedOf(number)),
        logger: { debug() {}, info() {}, warn() {}, error: (_fields, message) => errors.push(message) },
        configuration: () => this.configuration,
        clock: { unixMs: () => this.nowMs },
        outbox: { frame },
        events: { append: (some) => events.push(...some) },
      },
      undefined,
    );
    return { id, divergence, events, errors, named };
  }

  at(id: NodeId): Member {
    const found = this.members.find((member) => member.id === id);
    if (found === undefined) throw new Error(`${id} is no member`);
    return found;
  }

  node(number: number): Divergence {
    return this.at(this.id(number)).divergence;
  }

  id(number: number): NodeId {
    return this.ids[number] ?? nodeId('none');
  }

  /** The node's process is another one, with nothing in memory. */
  restart(number: number): void {
    this.members[number] = this.#member(this.id(number), number);
  }

  apply(number: number, ...entries: readonly Entry[]): void {
    for (const one of entries) this.node(number).log.add(one);
    this.node(number).onApplied();
  }

  /** The same on all of these nodes, by default on all there are. */
  applyAll(entries: readonly Entry[], numbers: readonly number[] = [...this.ids.keys()]): void {
    for (const number of numbers) this.apply(number, ...entries);
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 20) {
      this.nowMs += 20;
      for (const { divergence } of this.members) divergence.onTick(this.nowMs);
    }
  }

  /** As the node signs it, of any log. */
  head(number: number, index: number, fill: number, clusterId = 'c1'): SignedHead {
    return signHead(nodeKeys(seedOf(number)), clusterId, this.id(number), { index, chain: new Uint8Array(32).fill(fill) });
  }

  /** What each node says of its log: whose is odd, and whether it is in doubt. */
  get verdicts(): string[] {
    return this.members.map(({ divergence }) => {
      const { divergence: found } = divergence.status();
      return found === null ? 'fine' : `${found.odd}${found.isDiverged ? ', in doubt' : ''}`;
    });
  }
}

const first = entry(1);
const upTo = (last: number): Entry[] => Array.from({ length: last }, (_, i) => entry(i + 1));

describe('node: a log that is not the cluster’s (RAFT_DIVERGENCE, protocols 1.9)', () => {
  it('nodes at rest compare their last applied index, each with each, once a second', () => {
    const cluster = new Cluster(3);
    cluster.applyAll([first, entry(2)]);

    cluster.pass(1000);

    expect(cluster.members.map(({ named }) => named)).to.deep.equal([[2], [2], [2]]);
    expect(cluster.members.map(({ divergence }) => divergence.compared)).to.deep.equal([2, 2, 2]);
    expect(cluster.verdicts).to.deep.equal(['fine', 'fine', 'fine']);
    expect(cluster.node(0).refusal()).to.equal(undefined);
  });

  it('nodes at speed name checkpoints, ten a second at most, and their last index when they come to rest', () => {
    const cluster = new Cluster(2);
    let index = 0;
    for (let round = 0; round < 50; round++) {
      cluster.applyAll(Array.from({ length: 300 }, () => entry(++index)));
      cluster.pass(20);
    }
    cluster.pass(1200);

    const named = cluster.members[0]?.named ?? [];
    expect(named.length).to.be.within(10, 13);
    expect(named.slice(1, -1).filter((each) => each % 1024 !== 0)).to.deep.equal([]);
    expect(named.at(-1)).to.equal(15_000);
    expect(cluster.node(1).compared).to.equal(named.length);
  });

  it('one node with another entry knows that it is the odd one, the others that a majority agrees with them', () => {
    const cluster = new Cluster(4);
    cluster.applyAll([first], [0, 1, 2]);
    cluster.apply(3, entry(1, 'rewritten'));
    cluster.applyAll([entry(2)]);

    cluster.pass(2000);

    expect(cluster.verdicts).to.deep.equal(['peers', 'peers', 'peers', 'self, in doubt']);
    expect(cluster.node(3).refusal()).to.deep.include({ code: 'raft_divergence' });
    expect(cluster.node(3).detail).to.contain('this node, which is the odd one');
    expect(cluster.node(0).refusal()).to.equal(undefined);
    expect(cluster.node(0).status().divergence).to.deep.include({ agreeing: [cluster.id(1), cluster.id(2)] });
    expect(cluster.node(0).status().divergence?.differing).to.have.length(1);
    expect(cluster.node(0).status().divergence?.differing[0]).to.deep.include({ nodeId: cluster.id(3), index: 2 });
    expect(cluster.members[0]?.errors[0]).to.contain(`RAFT_DIVERGENCE: this node's log differs from that of ${cluster.id(3)} at index 2`);
    expect(cluster.members[3]?.events.at(-1)).to.deep.include({ kind: 'divergence', index: 2, odd: 'self' });
  });

  it('says it once, not with every head', () => {
    const cluster = new Cluster(3);
    cluster.applyAll([first], [0, 1]);
    cluster.apply(2, entry(1, 'rewritten'));

    cluster.pass(10_000);

    expect(cluster.members.map(({ errors }) => errors.length)).to.deep.equal([1, 1, 1]);
  });

  it('two nodes that differ, without a third, are both in doubt', () => {
    const cluster = new Cluster(3);
    cluster.apply(0, first);
    cluster.apply(1, entry(1, 'other'));

    cluster.pass(1000);

    expect(cluster.verdicts.slice(0, 2)).to.deep.equal(['unclear, in doubt', 'unclear, in doubt']);
  });

  it('the difference stays for good: all later heads differ as well', () => {
    const cluster = new Cluster(3);
    cluster.applyAll([first], [0, 1]);
    cluster.apply(2, entry(1, 'rewritten'));
    for (let index = 2; index < 100; index++) cluster.applyAll([entry(index)]);

    cluster.pass(1020);

    expect(cluster.verdicts).to.deep.equal(['peers', 'peers', 'self, in doubt']);
  });

  it('a log whose entries end elsewhere is another one', () => {
    const cluster = new Cluster(2);
    cluster.apply(0, entry(3, 'three', 3));
    cluster.apply(1, entry(1), entry(2));
    cluster.pass(1000);

    expect(cluster.verdicts[0]).to.equal('unclear, in doubt');
    expect(cluster.node(0).status().divergence?.differing[0]?.own).to.equal(null);
  });

  it('a node that is behind compares when it gets there', () => {
    const cluster = new Cluster(2);
    cluster.applyAll([first]);
    cluster.apply(1, entry(2, 'other'), entry(3));
    cluster.pass(1000);
    expect(cluster.verdicts[0]).to.equal('fine');

    cluster.apply(0, entry(2), entry(3));

    expect(cluster.verdicts[0]).to.equal('unclear, in doubt');
  });

  it('a log that was put right is one like the others again', () => {
    const cluster = new Cluster(3);
    cluster.applyAll([first], [0, 1]);
    cluster.apply(2, entry(1, 'rewritten'));
    cluster.pass(1020);

    cluster.restart(2);
    cluster.apply(2, first);
    cluster.applyAll([entry(2)]);
    cluster.pass(1000);

    expect(cluster.verdicts).to.deep.equal(['fine', 'fine', 'fine']);
    expect(cluster.members[0]?.events.at(-1)).to.deep.include({ kind: 'divergence', differing: [] });
  });

  it('a snapshot puts a log right, and is where the chain goes on', () => {
    const cluster = new Cluster(3);
    cluster.applyAll(upTo(5), [0, 1]);
    cluster.apply(2, entry(1, 'rewritten'));
    cluster.pass(1020);

    cluster.node(2).onInstalled(cluster.node(0).log.head);
    cluster.applyAll([entry(6)]);
    cluster.pass(1000);

    expect(cluster.verdicts).to.deep.equal(['fine', 'fine', 'fine']);
  });

  it('a liar casts doubt for a moment and once', () => {
    const cluster = new Cluster(4);
    cluster.isHeldBack = (from) => from === cluster.id(3);
    cluster.applyAll([first]);
    const lie = (index: number): void => cluster.node(0).onHeads(cluster.id(3), [cluster.head(3, index, 9)]);
    lie(1);
    expect(cluster.verdicts[0]).to.equal('unclear, in doubt');
    cluster.pass(1000);
    expect(cluster.verdicts[0]).to.equal('peers');

    cluster.isHeldBack = () => false;
    cluster.applyAll([entry(2)]);
    cluster.pass(1000);
    expect(cluster.verdicts[0]).to.equal('fine');
    lie(2);

    expect(cluster.verdicts[0]).to.equal('peers');
    expect(cluster.node(0).isDiverged).to.equal(false);
  });

  it('says now this, now that, of a liar that does so, and not more than once a second', () => {
    const cluster = new Cluster(4);
    cluster.isHeldBack = (from) => from === cluster.id(3);
    cluster.applyAll([first, entry(2)]);
    const [lie, truth] = [cluster.head(3, 1, 9), signHead(nodeKeys(seedOf(3)), 'c1', cluster.id(3), cluster.node(3).log.head)];

    for (let i = 0; i < 300; i++) {
      cluster.node(0).onHeads(cluster.id(3), [truth, lie, truth, lie, ...(i % 100 < 50 ? [truth] : [])]);
      cluster.pass(20);
    }

    expect(cluster.members[0]?.events.length).to.be.within(1, 7);
    expect(cluster.node(0).isDiverged).to.equal(false);
  });

  it('those that were odd before cast doubt on a node when they leave it no majority', () => {
    const cluster = new Cluster(4);
    cluster.isHeldBack = () => true;
    cluster.applyAll([first]);
    const own = cluster.node(0).log.head;
    const hear = (from: number, isTrue: boolean): void => {
      const head = isTrue ? signHead(nodeKeys(seedOf(from)), 'c1', cluster.id(from), own) : cluster.head(from, 1, 9);
      cluster.node(0).onHeads(cluster.id(from), [head]);
    };
    for (const from of [1, 2, 3]) hear(from, true);
    for (const from of [1, 2, 3]) {
      hear(from, false);
      expect(cluster.node(0).isDiverged).to.equal(false);
      hear(from, true);
    }

    hear(1, false);
    hear(2, false);

    expect(cluster.verdicts[0]).to.equal('unclear, in doubt');
  });

  it('who left is of no account', () => {
    const cluster = new Cluster(3);
    cluster.applyAll([first], [0, 1]);
    cluster.apply(2, entry(1, 'rewritten'));
    cluster.pass(1020);

    Object.assign(cluster.configuration, configurationOf(cluster.ids.slice(0, 2)));
    cluster.pass(1000);

    expect(cluster.verdicts.slice(0, 2)).to.deep.equal(['fine', 'fine']);
    expect(cluster.node(0).refused.not_a_member).to.be.greaterThan(0);
  });

  it('keeps two heads that one node signed for one index, also when each went to another node', () => {
    const cluster = new Cluster(4);
    cluster.applyAll([first], [0, 1, 2]);
    const honest = signHead(nodeKeys(seedOf(3)), 'c1', cluster.id(3), cluster.node(0).log.head);
    const other = cluster.head(3, 1, 7);
    cluster.node(0).onHeads(cluster.id(3), [other]);
    cluster.node(1).onHeads(cluster.id(3), [honest]);
    expect(cluster.node(1).status().equivocations).to.deep.equal([]);

    cluster.pass(1000);

    const [found] = cluster.node(1).status().equivocations;
    expect(found).to.deep.include({ nodeId: cluster.id(3), index: 1 });
    expect(found?.heads.map(({ signature }) => signature)).to.have.members(
      [honest, other].map(({ signature }) => Buffer.from(signature).toString('hex')),
    );
    expect(cluster.verdicts[1], 'what others pass on is no word to this node').to.equal('fine');
    expect(cluster.node(1).refused.bad_signature).to.equal(0);
  });

  it('drops and counts heads with a wrong signature, of strangers, of the far future, and more than it has time for', () => {
    const cluster = new Cluster(2);
    const stranger = new Cluster(3).id(2);
    cluster.apply(0, first);
    const good = cluster.head(1, 1, 9);
    const bad: readonly SignedHead[] = [
      { ...good, signature: good.signature.with(3, 1 ^ (good.signature[3] ?? 0)) },
      { ...good, chain: new Uint8Array(32) },
      { ...good, index: 2 },
      cluster.head(1, 1, 9, 'another cluster'),
    ];

    cluster.node(0).onHeads(cluster.id(1), bad);
    cluster.node(0).onHeads(cluster.id(1), [{ ...good, node: stranger }, cluster.head(1, 2_000_000, 1)]);
    for (let i = 0; i < 100; i++) cluster.node(0).onHeads(cluster.id(1), [{ ...good, signature: new Uint8Array(64).fill(i) }]);

    expect(cluster.node(0).refused).to.deep.equal({ not_a_member: 1, too_far_ahead: 1, too_many: 40, bad_signature: 64 });
    expect(cluster.verdicts[0]).to.equal('fine');
    cluster.pass(1000);
    cluster.node(0).onHeads(cluster.id(1), [good]);
    expect(cluster.verdicts[0]).to.equal('unclear, in doubt');
  });
});
