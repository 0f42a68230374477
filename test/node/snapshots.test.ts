import { expect } from 'chai';
import { calmPlan } from '../../sim/plan.ts';
import { World } from '../../sim/world.ts';
import type { Replica } from '../../src/node/replica.ts';
import type { SnapshotMeta } from '../../src/raft/messages.ts';

const second = 1_000_000;
const snapshotBytes = 20_000;

/** Three nodes of a virtual cluster without clients, whose snapshots have chunks of 1000 bytes. */
class Cluster {
  readonly world = new World({
    seed: 11,
    plan: { ...calmPlan, nodes: 3, founders: 3, snapshotBytes, clients: { writers: 0, readers: 0, agents: 0, deciders: 0 } },
  });

  constructor() {
    for (let i = 0; i < 3; i++) this.world.start(i);
    this.pass(3);
  }

  #nowUs = 0;
  /** The world takes equal values for one command carried out twice. */
  #written = 0;

  /** The queue's own time stands still where nothing happens. */
  pass(seconds: number): void {
    this.#nowUs += seconds * second;
    this.world.runUntil(this.#nowUs);
  }

  replica(node: number): Replica {
    const replica = this.world.replica(node);
    if (replica === undefined) throw new Error(`node ${node} is down`);
    return replica;
  }

  get leader(): number {
    for (let i = 0; i < 3; i++) if (this.world.replica(i)?.isServing === true) return i;
    throw new Error('no leader');
  }

  /** Writes that many keys of 100 bytes, and waits for them. */
  write(keys: number): void {
    const { leader } = this;
    for (let i = 0; i < keys; i++) {
      const command = { op: 'PutKey', key: `key-${i}`, value: String(this.#written++).padEnd(100), ifVersion: undefined } as const;
      this.replica(leader).requests.submit(command, undefined, 5000, () => {});
    }
    this.pass(3);
  }
}

describe('node: snapshots', () => {
  it('the log is cut when it has grown by its bound, and a node restarts from the snapshot and the rest', () => {
    const cluster = new Cluster();
    const { leader } = cluster;
    cluster.write(100);
    expect(cluster.replica(leader).counters.snapshotsTaken).to.equal(0);

    for (let round = 0; round < 5; round++) cluster.write(200);

    const { counters, raft, state } = cluster.replica(leader);
    expect(counters.snapshotsTaken).to.be.greaterThan(1);
    expect(raft.status().firstIndex).to.be.greaterThan(500);
    const hash = state.hash();
    cluster.world.crash(leader);
    cluster.world.start(leader);
    cluster.pass(3);
    expect(cluster.replica(leader).state.hash()).to.equal(hash);
  });

  it('a follower that installs a large snapshot goes on answering its leader, and takes entries meanwhile', () => {
    const cluster = new Cluster();
    const { leader } = cluster;
    const follower = (leader + 1) % 3;
    cluster.world.crash(follower);
    for (let round = 0; round < 6; round++) cluster.write(400);
    const { term } = cluster.replica(leader).raft;

    cluster.world.start(follower);
    const installing = (): boolean => cluster.replica(follower).isInstalling;
    for (let i = 0; i < 10_000 && !installing(); i++) cluster.pass(0.001);
    expect(installing()).to.equal(true);
    const before = cluster.replica(follower).raft.commitIndex;
    cluster
      .replica(leader)
      .requests.submit({ op: 'PutKey', key: 'meanwhile', value: '1', ifVersion: undefined }, undefined, 5000, () => {});
    for (let i = 0; i < 10_000 && installing() && cluster.replica(follower).raft.commitIndex === before; i++) cluster.pass(0.001);

    expect(cluster.replica(follower).raft.commitIndex, 'committed while it installs').to.be.greaterThan(before);
    expect(installing()).to.equal(true);
    expect(cluster.replica(follower).state.keys.get('meanwhile')).to.equal(undefined);
    cluster.pass(10);
    expect(cluster.replica(follower).counters.snapshotsInstalled).to.equal(1);
    expect(cluster.replica(follower).state.hash()).to.equal(cluster.replica(leader).state.hash());
    expect(cluster.replica(leader).raft.term).to.equal(term);
  });

  it('whoever asks for a fresh snapshot gets one of that index or a later one', () => {
    const cluster = new Cluster();
    const { leader } = cluster;
    cluster.write(10);
    const { appliedIndex } = cluster.replica(leader);
    const given: (SnapshotMeta | undefined)[] = [];

    cluster.replica(leader).freshSnapshot(appliedIndex, (meta) => given.push(meta));
    cluster.replica(leader).freshSnapshot(appliedIndex, (meta) => given.push(meta));
    cluster.pass(1);
    cluster.replica(leader).freshSnapshot(appliedIndex, (meta) => given.push(meta));

    expect(given.map((meta) => meta?.index)).to.deep.equal([appliedIndex, appliedIndex, appliedIndex]);
    expect(cluster.replica(leader).counters.snapshotsTaken).to.equal(1);
  });

  it('a node that stops gives up those who wait', () => {
    const cluster = new Cluster();
    const replica = cluster.replica(cluster.leader);
    const given: (SnapshotMeta | undefined)[] = [];

    replica.freshSnapshot(replica.appliedIndex + 100, (meta) => given.push(meta));
    replica.stop();

    expect(given).to.deep.equal([undefined]);
  });
});
