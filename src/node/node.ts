import '../core/polyfill.ts';
import { randomInt } from 'node:crypto';
import { genesisConfiguration } from '../byzantine/configuration.ts';
import { isGuardedByDefault } from '../byzantine/epoch-chain.ts';
import { publicKeyOf } from '../byzantine/peer-id.ts';
import { createAgreementKey, nodeHashes, signingKey, verifySignature } from '../crypto/node.ts';
import type { NodeId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { openNodeStore } from '../storage/node-store.ts';
import type { OpenedStore } from '../storage/opening.ts';
import type { RaftStore } from '../storage/store.ts';
import type { ClusterState } from '../tasks/state.ts';
import { type Identity, loadIdentity } from '../transport/identity.ts';
import { type LinkFaults, type PeerTransport, startLibp2pTransport } from '../transport/libp2p-transport.ts';
import { isGossipFrame } from '../wire/gossip.ts';
import { maxEntryBytes, snapshotChunkBytes } from '../wire/limits.ts';
import { isPartitionFrame } from '../wire/partition.ts';
import type { GossipSettings } from './gossip/driver.ts';
import { NodeGossip } from './gossip/node-gossip.ts';
import { clusterTag, type Genesis, type Roster } from './genesis.ts';
import { Guard } from './guarding/guard.ts';
import { Promotions } from './guarding/promotions.ts';
import { LocalService } from './local-service.ts';
import { type NodeKeys, nodeKeys } from './log-head.ts';
import { Metrics } from './metrics.ts';
import { NodePartition } from './partition/node-partition.ts';
import { Peers } from './peers.ts';
import { Replica } from './replica.ts';
import { ticksPerHeartbeat } from './replica-options.ts';
import { loadState } from './snapshot-reading.ts';
import { nextBoot } from './starts.ts';
import { isVoteFrame } from './votes/vote-links.ts';
import { VoteEpochs } from './votes/vote-epochs.ts';
import type { Votes } from './votes/votes.ts';
import { runLater, systemClock } from './system-clock.ts';

export const version = '0.1.0';

export interface NodeConfig {
  /** Holds the store; of this node alone. */
  readonly dataDir: string;
  readonly genesis: Genesis;
  /** The latest `onRoster`, or what a node that joined was told. None for a founder of a cluster whose members never changed. */
  readonly roster?: Roster | undefined;
  /** To be kept, durably, for the next start: without it a node that was away, or lost its store, may not find the others. */
  readonly onRoster?: (roster: Roster) => void;
  readonly name: string;
  /** The node's libp2p key, protobuf-encoded Ed25519. Its peer id must be the member's. */
  readonly privateKey: Uint8Array;
  readonly peerHost: string;
  readonly peerPort: number;
  /** 10 or more. Less finds dead nodes sooner and costs traffic. */
  readonly heartbeatMs: number;
  /** At least 5 heartbeats. Less elects sooner and mistakes more pauses for deaths. */
  readonly electionTimeoutMs: number;
  /** Bytes of log that trigger a snapshot. */
  readonly snapshotBytes: number;
  /** `lease`: a leader may answer linearizable reads alone, which trusts the clocks of the nodes (docs/raft.md). By default `safe`. */
  readonly readMode?: 'safe' | 'lease';
  readonly requestTimeoutMs?: number;
  readonly gossip?: GossipSettings;
  /** Kinds of Byzantine votes that this node approves without asking anyone; `*` is all. By default none: an operator votes. */
  readonly autoApprove?: readonly string[];
  readonly logger: Logger;
  /** The node can't go on: its disk failed or an invariant broke. The process should end. */
  readonly onFatal: (error: Error) => void;
}

/**
 * Starts a node: opens the store, rebuilds the state, listens to its peers and lets time run, in this order; `stop` undoes it in reverse. What had
 * started is stopped again when a later part fails.
 *
 * @throws StorageError when the data directory is damaged, in use or another node's; Error when the port is taken or the key isn't the member's.
 */
export async function startNode(config: NodeConfig): Promise<Node> {
  const identity = loadIdentity(config.privateKey);
  const { nodeId: id } = identity;
  checkKey(config, id);
  const opened = await openNodeStore({
    dataDir: config.dataDir,
    isAlone: (config.roster?.members.filter(({ voter }) => voter) ?? config.genesis.members).every(({ nodeId }) => nodeId === id),
    nonce: () => randomInt(1, 2 ** 47),
    identity: { clusterId: config.genesis.clusterId, nodeId: id },
    logger: config.logger,
  });
  const { store, state } = opened;
  try {
    return await Node.start({ config, identity, opened, state: await loadState(store, state), boot: await nextBoot(config.dataDir) });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** What a node is made of when its parts are put together. */
interface NodeOrigin {
  readonly config: NodeConfig;
  readonly identity: Identity;
  readonly opened: OpenedStore;
  readonly state: ClusterState;
  /** How often it was started. */
  readonly boot: number;
}

/**
 * A running node: a `Replica` with real sockets, a real disk and real time, and beside it what goes over the same links: votes, gossip, the watch over partitions.
 * Every frame goes to the part that it is for.
 */
export class Node {
  /** For the node's front doors. */
  readonly service: LocalService;
  readonly peers: Peers;
  readonly #replica: Replica;
  readonly #partition: NodePartition;
  readonly #gossip: NodeGossip;
  readonly #epochs: VoteEpochs;
  readonly #store: RaftStore;
  #transport: PeerTransport | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(origin: NodeOrigin, metrics: Metrics) {
    const { config, opened, identity } = origin;
    const { genesis, name, logger } = config;
    const keys = nodeKeys(identity.privateKey.raw.slice(0, 32));
    const guard = guardOf(genesis);
    this.#store = metrics.timed(opened.store);
    this.#replica = this.#makeReplica(origin, keys, guard);
    const replica = this.#replica;
    const { roster, electionTimeoutMs: farewellMs, onRoster = () => {} } = config;
    this.peers = new Peers({ genesis, roster, replica, farewellMs, onRoster, logger });
    this.#gossip = this.#makeGossip(origin, keys);
    this.#partition = this.#makePartition(origin, keys);
    this.#epochs = this.#makeEpochs(origin, guard);
    this.service = new LocalService({
      genesis,
      name,
      clusterId: genesis.clusterId,
      version,
      replica,
      peers: this.peers,
      partition: this.#partition,
      store: this.#store,
      metrics,
      votes: () => this.#votes,
      commitAtStart: opened.state.hardState.commitIndex,
    });
  }

  static async start(origin: NodeOrigin): Promise<Node> {
    const metrics = new Metrics(version);
    const node = new Node(origin, metrics);
    const { config, identity, opened } = origin;
    const replica = node.#replica;
    const transport = await startLibp2pTransport({
      privateKey: identity.privateKey,
      listen: { host: config.peerHost, port: config.peerPort },
      clusterId: config.genesis.clusterId,
      members: node.peers.dialable(),
      handlers: {
        onFrame: (from, frame) => node.#onFrame(from, frame),
        onLink: (peer, up) => {
          replica.onLink(peer, up);
          node.#partition.onLink(peer, up);
          node.#votes?.onLink(peer, up);
          node.#gossip.driver.onLink(peer, up);
        },
      },
      logger: config.logger,
    });
    node.#transport = transport;
    node.peers.connect(transport);
    metrics.watch(replica, opened.store, transport.stats, () => node.#votes, node.#partition);
    metrics.watchGossip(node.#gossip);
    node.#gossip.start();
    node.#partition.start();
    // One tick for each time the timer fires, however late: a paused process must not believe that everybody else was silent (Lifeguard).
    node.#timer = setInterval(() => {
      replica.tick();
      node.#partition.tick();
      node.#epochs.follow();
      node.#votes?.tick();
    }, config.heartbeatMs / ticksPerHeartbeat);
    return node;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#partition.stop();
    this.peers.stop();
    this.#replica.stop();
    this.#epochs.stop();
    await this.#gossip.stop();
    await this.#transport?.stop();
    await this.#store.close();
  }

  #onFrame(from: NodeId, frame: Uint8Array): void {
    this.#replica.heard(from);
    if (isPartitionFrame(frame)) return this.#partition.onFrame(from, frame);
    this.#partition.heard(from);
    if (isGossipFrame(frame)) this.#gossip.driver.onFrame(from, frame);
    else this.#deliver(from, frame);
  }

  #send(to: NodeId, frame: Uint8Array): void {
    this.#transmit(to, frame);
    this.#partition.relay(to, frame);
  }

  #transmit(to: NodeId, frame: Uint8Array): void {
    this.#replica.spoke(to);
    this.#transport?.send(to, frame);
  }

  /** A frame that also comes by way of a third node. */
  #deliver(from: NodeId, frame: Uint8Array): void {
    if (isVoteFrame(frame)) this.#votes?.onFrame(from, frame);
    else this.#replica.onFrame(from, frame);
  }

  /** Undefined at a node that is no member of the epoch. */
  get #votes(): Votes | undefined {
    return this.#epochs.current;
  }

  #makeReplica({ config, identity, opened, state }: NodeOrigin, keys: NodeKeys, guard: Guard): Replica {
    const { genesis, heartbeatMs, electionTimeoutMs, snapshotBytes, logger } = config;
    const votes = () => (this.#votes?.configuration.epoch === guard.current.epoch ? this.#votes : undefined);
    const promotions = new Promotions({ votes, hashes: nodeHashes, clock: systemClock, logger });
    return new Replica(
      {
        id: identity.nodeId,
        members: genesis.members.map(({ nodeId }) => nodeId),
        clusterId: genesis.clusterId,
        clusterTag: clusterTag(genesis.clusterId),
        heartbeatMs,
        electionTimeoutMs,
        snapshotBytes,
        chunkBytes: snapshotChunkBytes,
        appendBytes: maxEntryBytes,
        readMode: config.readMode ?? 'safe',
        guard,
        requestTimeoutMs: config.requestTimeoutMs ?? 5000,
      },
      {
        send: (to, frame) => this.#send(to, frame),
        store: this.#store,
        clock: systemClock,
        random: { below: (bound) => randomInt(bound) },
        keys,
        mayLead: (candidate) => this.#partition.mayLead(candidate),
        campaignDelay: () => this.#partition.campaignDelay,
        logger,
        defer: (job) => void setImmediate(job),
        onFatal: (error) => config.onFatal(error),
        onMembers: () => {
          this.peers.follow();
          this.#gossip.followMembers();
        },
        onHeard: (agent) => this.#gossip.heard(agent),
        onConfiguration: (index) => this.#gossip.onConfiguration(index),
        approvalOf: (action) => promotions.approvalOf(action),
      },
      opened.state,
      state,
    );
  }

  #makePartition({ config, boot }: NodeOrigin, keys: NodeKeys): NodePartition {
    const { name, genesis, heartbeatMs, electionTimeoutMs, logger } = config;
    return new NodePartition(
      { boot, clusterTag: clusterTag(genesis.clusterId), heartbeatMs, electionTimeoutMs },
      {
        replica: this.#replica,
        send: (to, frame) => this.#transmit(to, frame),
        dial: (peer) => this.#transport?.redial(peer),
        deliver: (from, frame) => this.#deliver(from, frame),
        publish: (row) => this.#gossip.tellRow(row),
        keys,
        votes: () => this.#votes?.counters,
        gossip: this.#gossip.driver,
        nameOf: (node) => this.peers.nameOf(node) ?? node,
        ownNames: () => [name, this.peers.infoOf(this.#replica.id)?.http ?? ''],
        logger,
      },
    );
  }

  #makeGossip({ config, boot }: NodeOrigin, keys: NodeKeys): NodeGossip {
    const { name, genesis, gossip = {}, logger } = config;
    return new NodeGossip({
      name,
      boot,
      keys,
      clusterTag: clusterTag(genesis.clusterId),
      settings: gossip,
      replica: this.#replica,
      transport: () => this.#transport,
      send: (to, frame) => this.#transmit(to, frame),
      nameOf: (node) => this.peers.nameOf(node),
      onRow: (row) => this.#partition.onGossip(row),
      logger,
    });
  }

  #makeEpochs({ config, identity, opened }: NodeOrigin, guard: Guard): VoteEpochs {
    const { autoApprove = [], logger, onFatal } = config;
    const { store, votes } = opened;
    const replica = this.#replica;
    return new VoteEpochs(
      {
        self: identity.nodeId,
        autoApprove,
        current: () => ({ configuration: guard.current, from: guard.currentFrom }),
        configurationOf: (epoch) => guard.configurationOf(epoch),
        isRejoining: () => replica.raft.status().rejoining !== 0,
        commitIndex: () => replica.raft.commitIndex,
        votes: {
          send: (to, frame) => this.#send(to, frame),
          store,
          clock: systemClock,
          logger,
          hashes: nodeHashes,
          verify: verifySignature,
          sign: signingKey(identity.privateKey.raw.slice(0, 32)).sign,
          createKey: createAgreementKey,
          isReachable: (node) => replica.links.isReachable(node, performance.now()),
          onNews: (news) => replica.events.append([{ ...news, index: replica.appliedIndex, ts: Date.now() }]),
          defer: runLater,
          onFatal,
        },
      },
      votes,
    );
  }

  /** For demonstrations and tests of what a network may do: makes exactly these links bad. */
  impairLinks(faults: LinkFaults): void {
    this.#transport?.impair(faults);
  }
}

/** The key says who this node is. A node that joined is known by its roster, or was removed and is told so. */
function checkKey({ genesis, roster, name, dataDir }: NodeConfig, id: NodeId): void {
  if (roster !== undefined || genesis.members.some(({ nodeId }) => nodeId === id)) return;
  const named = genesis.members.find((member) => member.name === name);
  if (named === undefined) throw new Error(`the genesis of cluster ${genesis.clusterId} has no member named ${name}`);
  throw new Error(`the key in ${dataDir} is of node ${id}, but the cluster says that ${name} is ${named.nodeId}`);
}

/** What certificates are verified by. */
function guardOf({ clusterId, members, votes }: Genesis): Guard {
  const founding = genesisConfiguration(
    clusterId,
    members.map(({ nodeId }) => nodeId),
  );
  const guardMembership = votes?.guardMembership ?? isGuardedByDefault(founding);
  return new Guard({ founding, rules: { hashes: nodeHashes, verify: verifySignature, keyOf: publicKeyOf, guardMembership } });
}
