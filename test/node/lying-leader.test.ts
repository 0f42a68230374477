import { expect } from 'chai';
import { calmPlan } from '../../sim/plan.ts';
import { World } from '../../sim/world.ts';
import type { Replica } from '../../src/node/replica.ts';
import type { Entry, RaftMessage } from '../../src/raft/messages.ts';
import { decodeFrame, encodeFrame } from '../../src/wire/frames.ts';

const clusterTag = 7;
const told = new TextEncoder().encode('all of it');
const lie = new TextEncoder().encode('nothing..');

/** Four nodes without clients, whose leader tells one follower another value than the rest. */
class Cluster {
  readonly world = new World({
    seed: 5,
    plan: { ...calmPlan, nodes: 4, founders: 4, clients: { writers: 0, readers: 0, agents: 0, deciders: 0 } },
  });
  readonly leader: number;
  readonly deceived: number;
  #nowUs = 0;

  constructor() {
    const { world } = this;
    for (const node of world.indices) world.start(node);
    this.pass(3);
    this.leader = world.leader ?? 0;
    this.deceived = (this.leader + 1) % 4;
    world.observer.rewritten(world.idOf(this.deceived));
    const { network } = world;
    const send = network.send.bind(network);
    network.send = (from, to, frame) => send(from, to, from === this.leader && to === this.deceived ? falsified(frame) : frame);
  }

  pass(seconds: number): void {
    this.#nowUs += seconds * 1_000_000;
    this.world.runUntil(this.#nowUs);
  }

  replica(node: number): Replica {
    const replica = this.world.replica(node);
    if (replica === undefined) throw new Error(`node ${node} is down`);
    return replica;
  }
}

function falsified(bytes: Uint8Array): Uint8Array {
  const frame = decodeFrame(clusterTag, bytes);
  if (typeof frame === 'string' || frame.kind !== 'raft') return bytes;
  return encodeFrame(clusterTag, { kind: 'raft', messages: frame.messages.map(falsifiedMessage) });
}

const falsifiedMessage = (message: RaftMessage): RaftMessage =>
  message.type === 'AppendEntries' ? { ...message, entries: message.entries.map(falsifiedEntry) } : message;

function falsifiedEntry(entry: Entry): Entry {
  const at = Buffer.from(entry.data).indexOf(told);
  if (at < 0) return entry;
  const data = entry.data.slice();
  data.set(lie, at);
  return { ...entry, data };
}

describe('node: a leader that tells one follower another entry', () => {
  it('is found out: the follower sees that it stands alone, also after a restart, and the others that it does', () => {
    const cluster = new Cluster();
    const { world, leader, deceived } = cluster;

    cluster
      .replica(leader)
      .requests.submit({ op: 'PutKey', key: 'mine', value: 'all of it', ifVersion: undefined }, undefined, 5000, () => {});
    cluster.pass(3);

    expect(cluster.replica(deceived).state.keys.get('mine')?.value, 'the lie was believed').to.equal('nothing..');
    for (const isRestarted of [false, true]) {
      if (isRestarted) {
        world.crash(deceived);
        world.start(deceived);
        cluster.pass(3);
      }
      expect(cluster.replica(deceived).divergence.isDiverged).to.equal(true);
      expect(cluster.replica(deceived).divergence.detail).to.contain('this node, which is the odd one');
      for (const node of world.indices.filter((each) => each !== deceived)) {
        const { differing, isDiverged } = cluster.replica(node).divergence;
        expect(differing).to.deep.equal([world.idOf(deceived)]);
        expect(isDiverged).to.equal(false);
      }
    }
  });
});
