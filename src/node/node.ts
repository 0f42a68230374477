import '../core/polyfill.ts';
import { randomInt } from 'node:crypto';
import { genesisConfiguration } from '../byzantine/configuration.ts';
import { isGuardedByDefault } from '../byzantine/epoch-chain.ts';
import { publicKeyOf } from '../byzantine/peer-id.ts';
import { createAgreementKey, nodeHashes, signingKey, verifySignature } from '../crypto/node.ts';
import { defined } from '../core/assert.ts';
import { QuorateError, failure, type Failure } from '../core/errors.ts';
import type { AgentId, LogIndex, NodeId, TaskId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { ConfigurationChange } from '../raft/configuration-change.ts';
import type { Configuration, SnapshotMeta } from '../raft/messages.ts';
import type { Agent } from '../registry/agent.ts';
import { openNodeStore } from '../storage/node-store.ts';
import type { OpenedStore } from '../storage/opening.ts';
import type { RaftStore } from '../storage/store.ts';
import type { Command, CommandResult, SessionCommand } from '../tasks/commands.ts';
import type { ClusterState } from '../tasks/state.ts';
import { isTerminal, type Task } from '../tasks/task.ts';
import { isPeerId, loadIdentity } from '../transport/identity.ts';
import { type LinkFaults, type PeerTransport, startLibp2pTransport, type TransportMember } from '../transport/libp2p-transport.ts';
import type { Question, Reply } from '../wire/frames.ts';
import { isGossipFrame } from '../wire/gossip.ts';
import { maxEntryBytes, snapshotChunkBytes } from '../wire/limits.ts';
import { isPartitionFrame } from '../wire/partition.ts';
import { AddressBook, type OwnView } from './address-book.ts';
import type { NodeEvent } from './event-log.ts';
import type { GossipSettings } from './gossip/driver.ts';
import { NodeGossip } from './gossip/node-gossip.ts';
import { clusterTag, type Genesis, type MemberInfo, type Roster } from './genesis.ts';
import type { BadGuard } from './guarding/door.ts';
import { Guard } from './guarding/guard.ts';
import { Promotions } from './guarding/promotions.ts';
import { changeContext, enactment } from './guarding/requests.ts';
import { type NodeKeys, nodeKeys } from './log-head.ts';
import { Metrics } from './metrics.ts';
import { NodePartition } from './partition/node-partition.ts';
import { Replica } from './replica.ts';
import { ticksPerHeartbeat } from './replica-options.ts';
import type {
  AgentQuery,
  AgentReport,
  AgentView,
  Answer,
  ClaimedTask,
  ClaimRequest,
  Consistency,
  Health,
  HeartbeatAnswer,
  NodeService,
  NodeStatus,
  Page,
  ReadPoint,
  RequestOptions,
  SnapshotDownload,
  TaskHeartbeatAnswer,
} from './service.ts';
import { writeSnapshotFile } from './snapshot-file.ts';
import { loadState, readChunk } from './snapshot-reading.ts';
import { settle } from './settle.ts';
import { nextBoot } from './starts.ts';
import { isVoteFrame } from './votes/vote-links.ts';
import type { OpenedVote, VoteQuestion, VoteRequest } from './votes/vote-service.ts';
import { VoteEpochs } from './votes/vote-epochs.ts';
import type { Votes } from './votes/votes.ts';
import { runLater, systemClock } from './system-clock.ts';
import { waitUntil } from './wait-until.ts';

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
  const { nodeId: id } = loadIdentity(config.privateKey);
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
    return await Node.start(config, opened, await loadState(store, state), await nextBoot(config.dataDir));
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** A running node: a `Replica` with real sockets, a real disk and real time, and the requests of its front doors as promises. */
export class Node implements NodeService {
  readonly #config: NodeConfig;
  readonly #store: RaftStore;
  readonly #replica: Replica;
  readonly partition: NodePartition;
  readonly #epochs: VoteEpochs;
  readonly #metrics: Metrics;
  readonly #addresses: AddressBook;
  readonly #gossip: NodeGossip;
  #transport: PeerTransport | undefined;
  #linked: readonly TransportMember[] = [];
  /** The roster that was last given to be kept, as text; its index left out. */
  #kept: string;
  #removed = false;
  readonly #removalListeners: (() => void)[] = [];
  #forgetTimer: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #commitAtStart: LogIndex;

  private constructor(config: NodeConfig, opened: OpenedStore, state: ClusterState, boot: number) {
    const { store, state: stored } = opened;
    this.#config = config;
    this.#metrics = new Metrics(version);
    this.#store = this.#metrics.timed(store);
    this.#commitAtStart = stored.hardState.commitIndex;
    const { genesis, heartbeatMs, electionTimeoutMs, snapshotBytes, logger } = config;
    this.#addresses = new AddressBook(genesis.members, config.roster);
    this.#kept = JSON.stringify((config.roster ?? foundersOf(genesis)).members);
    const { nodeId: id, privateKey } = loadIdentity(config.privateKey);
    const keys = nodeKeys(privateKey.raw.slice(0, 32));
    const votes = () => (this.votes?.configuration.epoch === this.guard.current.epoch ? this.votes : undefined);
    const promotions = new Promotions({ votes, hashes: nodeHashes, clock: systemClock, logger });
    this.#replica = new Replica(
      {
        id,
        members: genesis.members.map(({ nodeId }) => nodeId),
        clusterId: genesis.clusterId,
        clusterTag: clusterTag(genesis.clusterId),
        heartbeatMs,
        electionTimeoutMs,
        snapshotBytes,
        chunkBytes: snapshotChunkBytes,
        appendBytes: maxEntryBytes,
        readMode: config.readMode ?? 'safe',
        guard: guardOf(genesis),
        requestTimeoutMs: config.requestTimeoutMs ?? 5000,
      },
      {
        send: (to, frame) => this.#send(to, frame),
        store: this.#store,
        clock: systemClock,
        random: { below: (bound) => randomInt(bound) },
        keys,
        mayLead: (candidate) => this.partition.mayLead(candidate),
        campaignDelay: () => this.partition.campaignDelay,
        logger,
        defer: (job) => void setImmediate(job),
        onFatal: (error) => config.onFatal(error),
        onMembers: () => this.#followMembers(),
        onHeard: (agent) => this.#gossip.heard(agent),
        onConfiguration: (index) => this.#gossip.onConfiguration(index),
        approvalOf: (action) => promotions.approvalOf(action),
      },
      stored,
      state,
    );
    this.#gossip = new NodeGossip({
      name: config.name,
      boot,
      keys,
      clusterTag: clusterTag(genesis.clusterId),
      settings: config.gossip ?? {},
      replica: this.#replica,
      transport: () => this.#transport,
      nameOf: (node) => this.#addresses.all(this.#replica.state.members).get(node)?.name,
      logger,
    });
    this.partition = this.#makePartition(keys, boot);
    this.#epochs = this.#makeEpochs(opened);
  }

  static async start(config: NodeConfig, opened: OpenedStore, state: ClusterState, boot: number): Promise<Node> {
    const node = new Node(config, opened, state, boot);
    const replica = node.#replica;
    const transport = await startLibp2pTransport({
      privateKey: loadIdentity(config.privateKey).privateKey,
      listen: { host: config.peerHost, port: config.peerPort },
      clusterId: config.genesis.clusterId,
      members: node.#peers(),
      handlers: {
        onFrame: (from, frame) => node.#onFrame(from, frame),
        onLink: (peer, up) => {
          replica.onLink(peer, up);
          node.partition.onLink(peer, up);
          node.votes?.onLink(peer, up);
          node.#gossip.driver.onLink(peer, up);
        },
      },
      logger: config.logger,
    });
    node.#transport = transport;
    node.#linked = node.#peers();
    node.#followMembers();
    node.#metrics.watch(replica, opened.store, transport.stats, () => node.votes, node.partition);
    node.#metrics.watchGossip(node.#gossip);
    node.#gossip.start();
    // One tick for each time the timer fires, however late: a paused process must not believe that everybody else was silent (Lifeguard).
    node.partition.start();
    node.#timer = setInterval(() => {
      replica.tick();
      node.partition.tick();
      node.#epochs.follow();
      node.votes?.tick();
    }, config.heartbeatMs / ticksPerHeartbeat);
    return node;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.partition.stop();
    clearTimeout(this.#forgetTimer);
    this.#replica.stop();
    this.#epochs.stop();
    await this.#gossip.stop();
    await this.#transport?.stop();
    await this.#store.close();
  }

  #onFrame(from: NodeId, frame: Uint8Array): void {
    this.#replica.heard(from);
    if (isPartitionFrame(frame)) return this.partition.onFrame(from, frame);
    this.partition.heard(from);
    if (isGossipFrame(frame)) this.#gossip.driver.onFrame(from, frame);
    else this.#deliver(from, frame);
  }

  #send(to: NodeId, frame: Uint8Array): void {
    this.#transport?.send(to, frame);
    this.partition.relay(to, frame);
  }

  /** A frame that also comes by way of a third node. */
  #deliver(from: NodeId, frame: Uint8Array): void {
    if (isVoteFrame(frame)) this.votes?.onFrame(from, frame);
    else this.#replica.onFrame(from, frame);
  }

  #infoOf(node: NodeId): MemberInfo | undefined {
    return this.#addresses.all(this.#replica.state.members).get(node);
  }

  /** Undefined at a node that is no member of the epoch. */
  get votes(): Votes | undefined {
    return this.#epochs.current;
  }

  #makePartition(keys: NodeKeys, boot: number): NodePartition {
    const { name, genesis, heartbeatMs, electionTimeoutMs, logger } = this.#config;
    return new NodePartition(
      { boot, clusterTag: clusterTag(genesis.clusterId), heartbeatMs, electionTimeoutMs },
      {
        replica: this.#replica,
        send: (to, frame) => this.#transport?.send(to, frame),
        dial: (peer) => this.#transport?.redial(peer),
        deliver: (from, frame) => this.#deliver(from, frame),
        keys,
        votes: () => this.votes?.counters,
        gossip: this.#gossip.driver,
        nameOf: (node) => this.#infoOf(node)?.name ?? node,
        ownNames: () => [name, this.#infoOf(this.#replica.id)?.http ?? ''],
        logger,
      },
    );
  }

  #makeEpochs({ store, votes }: OpenedStore): VoteEpochs {
    const { privateKey, autoApprove = [], logger, onFatal } = this.#config;
    const { nodeId: self, privateKey: key } = loadIdentity(privateKey);
    const replica = this.#replica;
    return new VoteEpochs(
      {
        self,
        autoApprove,
        current: () => ({ configuration: this.guard.current, from: this.guard.currentFrom }),
        configurationOf: (epoch) => this.guard.configurationOf(epoch),
        isRejoining: () => replica.raft.status().rejoining !== 0,
        commitIndex: () => replica.raft.commitIndex,
        votes: {
          send: (to, frame) => this.#send(to, frame),
          store,
          clock: systemClock,
          logger,
          hashes: nodeHashes,
          verify: verifySignature,
          sign: signingKey(key.raw.slice(0, 32)).sign,
          createKey: createAgreementKey,
          isReachable: (node) => replica.links.isReachable(node, performance.now()),
          onEvent: (event) => replica.events.append([{ ...event, index: replica.appliedIndex, ts: Date.now() }]),
          defer: runLater,
          onFatal,
        },
      },
      votes,
    );
  }

  #peers(): readonly TransportMember[] {
    // A record that names no key can be nobody's: it is passed over rather than handed to the transport.
    const peers = this.#addresses.peers(this.#replica.id, this.#ownView()).filter((member) => isPeerId(member.nodeId));
    return peers.map(({ nodeId, peer }) => ({ nodeId, ...address(peer) }));
  }

  #ownView(): OwnView {
    const { raft, state, appliedIndex } = this.#replica;
    return { index: appliedIndex, configuration: raft.configuration, table: state.members };
  }

  /** Every node that this one has heard of but itself: whom to ask when no leader is heard. */
  knownNodes(): readonly MemberInfo[] {
    return [...this.#addresses.all(this.#replica.state.members).values()].filter(({ nodeId }) => nodeId !== this.#replica.id);
  }

  /** What another member says of the members. Heeded when it is later than what this node knows: it was away while they changed. */
  tellRoster(roster: Roster): void {
    if (roster.index > this.#replica.appliedIndex && this.#addresses.tell(roster)) this.#followMembers();
  }

  #followMembers(): void {
    const roster = this.#addresses.roster(this.#ownView());
    this.#followRemoval(roster);
    const text = JSON.stringify(roster.members);
    if (text !== this.#kept) {
      this.#kept = text;
      this.#config.onRoster?.(roster);
    }
    this.#followLinks();
    this.#gossip.followMembers();
  }

  #followRemoval({ members }: Roster): void {
    const removed = members.every(({ nodeId }) => nodeId !== this.#replica.id);
    if (removed === this.#removed) return;
    this.#removed = removed;
    if (removed) for (const listener of this.#removalListeners) listener();
    this.#replica.setRemoved(removed);
    if (removed) this.#config.logger.warn({ id: this.#replica.id }, 'this node was removed from the cluster: stop it');
    else this.#config.logger.info({ id: this.#replica.id }, 'this node is a member again');
  }

  /** Newcomers are met at once. Who has left keeps its link for a moment: the answer to its own removal may be on the way. */
  #followLinks(): void {
    const transport = this.#transport;
    if (transport === undefined) return;
    const peers = this.#peers();
    const leaving = this.#linked.filter(({ nodeId }) => peers.every((peer) => peer.nodeId !== nodeId));
    this.#linked = [...peers, ...leaving];
    transport.setMembers(this.#linked);
    clearTimeout(this.#forgetTimer);
    this.#forgetTimer = setTimeout(() => {
      this.#linked = this.#peers();
      transport.setMembers(this.#linked);
    }, this.#config.electionTimeoutMs);
  }

  /** For demonstrations and tests of what a network may do: makes exactly these links bad. */
  impairLinks(faults: LinkFaults): void {
    this.#transport?.impair(faults);
  }

  /** The running replica, for benchmarks and tests of this package. */
  get replica(): Replica {
    return this.#replica;
  }

  genesis(): Genesis {
    return this.#config.genesis;
  }

  status(): NodeStatus {
    const { genesis, name } = this.#config;
    const { raft, links, appliedIndex, divergence } = this.#replica;
    const nowMs = performance.now();
    const leader = raft.leader === undefined ? undefined : this.#infoOf(raft.leader);
    const { members } = this.#addresses.roster(this.#ownView());
    return {
      nodeId: this.#replica.id,
      name,
      clusterId: genesis.clusterId,
      version,
      role: roleOf(raft.role, raft.configuration.learners.includes(this.#replica.id)),
      term: raft.term,
      leader: leader === undefined ? null : { nodeId: leader.nodeId, http: leader.http },
      commitIndex: raft.commitIndex,
      appliedIndex,
      members,
      removed: this.#removed,
      partition: {
        state: this.partition.state,
        reachable: members.filter(({ nodeId }) => links.isReachable(nodeId, nowMs)).map((member) => member.name),
      },
      durability: 'sync',
      logChain: divergence.status(),
    };
  }

  readiness(): Health {
    const { raft, links, appliedIndex, isInstalling, divergence } = this.#replica;
    const minority = links.isMinority(raft.configuration.voters, performance.now());
    const checks = [
      {
        name: 'member',
        ok: !this.#removed,
        detail: this.#removed ? 'this node was removed from the cluster' : 'this node is a member of the cluster',
      },
      {
        name: 'leader',
        ok: raft.leader !== undefined,
        detail: raft.leader === undefined ? 'no leader is known' : `leader is ${raft.leader}`,
      },
      {
        name: 'applied',
        ok: appliedIndex >= this.#commitAtStart && !isInstalling,
        detail: `applied ${appliedIndex} of ${this.#commitAtStart} known at start${isInstalling ? '; installing a snapshot' : ''}`,
      },
      {
        name: 'quorum',
        ok: !minority,
        detail: minority ? 'only a minority of the voters can be reached' : 'a majority of the voters can be reached',
      },
      { name: 'divergence', ok: !divergence.isDiverged, detail: divergence.detail },
    ];
    return { ok: checks.every(({ ok }) => ok), checks };
  }

  metrics(): Promise<string> {
    return this.#metrics.text();
  }

  submit(command: Command, options: RequestOptions & { readonly idempotencyKey?: string | undefined } = {}): Promise<CommandResult> {
    return settle((done) => this.#replica.submit(command, options.idempotencyKey, options.timeoutMs, done), options.signal, true);
  }

  submitAll(commands: readonly Command[], options: RequestOptions = {}): Promise<readonly CommandResult[]> {
    return Promise.all(commands.map((command) => this.submit(command, options)));
  }

  submitEncoded(command: SessionCommand, bytes: Uint8Array, done: (answer: Answer<CommandResult>) => void): void {
    this.#replica.submitEncoded(command, bytes, done);
  }

  readPoint(consistency: Consistency, options: RequestOptions = {}): Promise<ReadPoint> {
    return settle((done) => this.#replica.read(consistency, options.timeoutMs, done), options.signal, false);
  }

  state(): ClusterState {
    return this.#replica.state;
  }

  agent(id: AgentId): AgentView | undefined {
    const agent = this.#replica.state.registry.get(id);
    return agent === undefined ? undefined : this.#view(agent, performance.now());
  }

  agents(query: AgentQuery, limit: number, cursor: string | undefined): Page<AgentView> {
    const nowMs = performance.now();
    const items: AgentView[] = [];
    for (const agent of this.#replica.state.registry.query(query, cursor)) {
      const view = this.#view(agent, nowMs);
      if (query.status !== undefined && view.status !== query.status) continue;
      if (items.length === limit) return { items, cursor: items.at(-1)?.agent.id };
      items.push(view);
    }
    return { items, cursor: undefined };
  }

  #view(agent: Agent, nowMs: number): AgentView {
    const { liveness, state } = this.#replica;
    const sign = liveness.sign(agent);
    const age = (atMs: number): number => Math.max(0, Math.round(nowMs - atMs));
    const nameOf = (node: NodeId | undefined): string | undefined => node && this.#addresses.all(state.members).get(node)?.name;
    const evidence = liveness.evidence(agent, nowMs);
    return {
      agent,
      status: liveness.status(agent, nowMs),
      lastSeenMs: sign && age(sign.atMs),
      heardBy: nameOf(sign?.by),
      report: sign?.said?.report ?? {},
      reportedMs: sign?.said && age(sign.said.atMs),
      evidence: evidence && { ...evidence, noticedBy: nameOf(evidence.noticedBy), ageMs: age(evidence.atMs) },
    };
  }

  async heartbeat(agent: AgentId, generation: number, report: AgentReport, options: RequestOptions = {}): Promise<HeartbeatAnswer> {
    const reply = await this.#ask({ kind: 'beat', agent, generation, report }, options);
    if (reply.kind !== 'beat') throw refused(reply);
    const cancelled = reply.cancelled.map((taskId) => ({ type: 'cancel', taskId }));
    return { ttlMs: reply.ttlMs, commands: [...cancelled, ...this.#questionsFor(agent)] };
  }

  /** An agent speaks for the node that it registered at, and no other: else one agent that goes from node to node would be many opinions. */
  #questionsFor(id: AgentId): readonly VoteQuestion[] {
    const agent = this.#replica.state.registry.get(id);
    const isAttached = agent !== undefined && (agent.node === this.#config.name || agent.node === this.#infoOf(this.#replica.id)?.http);
    return isAttached ? (this.votes?.questionsFor(agent.capabilities) ?? []) : [];
  }

  async taskHeartbeat(
    task: TaskId,
    fence: number,
    progress: number | undefined,
    options: RequestOptions = {},
  ): Promise<TaskHeartbeatAnswer> {
    const reply = await this.#ask({ kind: 'taskBeat', task, fence, progress }, options);
    if (reply.kind !== 'taskBeat') throw refused(reply);
    return { leaseMs: reply.leaseMs, cancelRequested: reply.cancelRequested };
  }

  #ask(question: Question, options: RequestOptions): Promise<Reply> {
    return settle<Reply>(
      (done) =>
        this.#replica.ask(question, options.timeoutMs, (reply) =>
          done(reply.kind === 'failure' ? { ok: false, failure: reply.failure } : { ok: true, value: reply }),
        ),
      options.signal,
      false,
    );
  }

  async changeMembers(change: ConfigurationChange, options: RequestOptions = {}): Promise<Configuration> {
    const bad = change.changes.find(({ type, node }) => type !== 'remove' && !isPeerId(node));
    if (bad !== undefined) throw new QuorateError(failure('invalid_argument', `${bad.node} is not a peer id`));
    const certified = { ...change, context: changeContext(nodeHashes, change.context) };
    return await settle((done) => this.#replica.requests.changeMembers(certified, options.timeoutMs, done), options.signal, true);
  }

  async enact(
    bytes: Uint8Array,
    what: { readonly subject: string | undefined; readonly payload: string },
    options: RequestOptions = {},
  ): Promise<LogIndex> {
    const { action, certificate } = enactment(nodeHashes, bytes, what);
    return await settle((done) => this.#replica.requests.enact(action, certificate, options.timeoutMs, done), options.signal, true);
  }

  get guard(): Guard {
    return defined(this.#replica.guard, 'a daemon verifies certificates');
  }

  get badGuards(): readonly BadGuard[] {
    return this.#replica.badGuards;
  }

  transferLeadership(to: NodeId | undefined, options: RequestOptions = {}): Promise<NodeId> {
    return settle((done) => this.#replica.requests.transferLeadership(to, options.timeoutMs, done), options.signal, true);
  }

  async snapshot(options: RequestOptions = {}): Promise<SnapshotDownload> {
    const { index: point } = await this.readPoint('linearizable', options);
    const meta = await new Promise<SnapshotMeta | undefined>((resolve) => this.#replica.freshSnapshot(point, resolve));
    if (meta === undefined) throw new QuorateError(failure('overloaded', 'too many requests wait for a snapshot of this node'));
    const { index, term, configuration } = meta;
    const first = await readChunk(this.#store, index, 0);
    const header = { clusterId: this.#config.genesis.clusterId, nodeId: this.#replica.id, version, index, term, configuration };
    return { index, term, file: writeSnapshotFile({ ...header, chunks: first.chunks }, this.#chunks(index, first)) };
  }

  async *#chunks(index: LogIndex, first: { readonly data: Uint8Array; readonly chunks: number }): AsyncGenerator<Uint8Array> {
    yield first.data;
    for (let chunk = 1; chunk < first.chunks; chunk++) {
      this.#replica.noteSnapshotRead();
      yield (await readChunk(this.#store, index, chunk)).data;
    }
  }

  claim(request: ClaimRequest, options: RequestOptions = {}): Promise<readonly ClaimedTask[]> {
    return settle((done) => this.#replica.claim(request, done), options.signal, false);
  }

  openVote(request: VoteRequest, options: RequestOptions & { readonly idempotencyKey?: string | undefined } = {}): Promise<OpenedVote> {
    return settle((done) => this.#voting().open(request, options.idempotencyKey, done), options.signal, true);
  }

  castBallot(id: string, option: string, options: RequestOptions = {}): Promise<void> {
    return settle((done) => this.#voting().cast(id, option, done), options.signal, true);
  }

  async waitForVote(id: string, waitMs: number, signal?: AbortSignal): Promise<void> {
    const endMs = performance.now() + waitMs;
    for (let leftMs = waitMs; leftMs > 0; leftMs = endMs - performance.now()) {
      await this.#certified(id, leftMs, signal);
      // An epoch has ended, and the vote goes on in the next.
      if (signal?.aborted === true || this.#voting().view(id)?.state !== 'open') return;
    }
  }

  /** Resolves once the vote has a certificate, its epoch is over or the time is. */
  #certified(id: string, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    this.#voting().seek(id);
    return waitUntil((end) => this.#voting().onCertified(id, end), waitMs, signal);
  }

  #voting(): Votes {
    if (this.votes === undefined)
      throw new QuorateError(failure('byzantine_unavailable', 'this node is no member of the epoch that votes'));
    return this.votes;
  }

  async waitForTask(task: TaskId, waitMs: number, signal?: AbortSignal): Promise<Task | undefined> {
    const ended = (): boolean => {
      const found = this.#replica.state.tasks.get(task);
      return found === undefined || isTerminal(found.state);
    };
    await this.#until(ended, (event) => event.kind === 'task' && event.task === task, waitMs, signal);
    return this.#replica.state.tasks.get(task);
  }

  async waitForKey(key: string, than: LogIndex, waitMs: number, signal?: AbortSignal): Promise<void> {
    const newer = (): boolean => (this.#replica.state.keys.get(key)?.version ?? 0) > than;
    let deleted = false;
    await this.#until(
      () => deleted || newer(),
      (event) => {
        if (event.kind !== 'key' || event.key !== key) return false;
        deleted = event.version === undefined;
        return true;
      },
      waitMs,
      signal,
    );
  }

  /** Resolves when `condition` holds after an event that `concerns` it, or after `waitMs`. */
  #until(
    condition: () => boolean,
    concerns: (event: NodeEvent) => boolean,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (condition()) return Promise.resolve();
    const watch = (end: () => void) =>
      this.#replica.events.subscribe((events) => {
        if (events.some(concerns) && condition()) end();
      });
    return waitUntil(watch, waitMs, signal);
  }

  eventsAfter(index: LogIndex): { readonly events: readonly NodeEvent[]; readonly complete: boolean } {
    return this.#replica.events.after(index);
  }

  get isRemoved(): boolean {
    return this.#removed;
  }

  onRemoved(listener: () => void): void {
    this.#removalListeners.push(listener);
  }

  subscribe(listener: (events: readonly NodeEvent[]) => void): () => void {
    return this.#replica.events.subscribe(listener);
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

const refused = (reply: Reply): QuorateError => {
  const why: Failure = reply.kind === 'failure' ? reply.failure : failure('internal', 'the leader answered another question');
  return new QuorateError(why);
};

function roleOf(role: string, isLearner: boolean): NodeStatus['role'] {
  if (isLearner) return 'learner';
  if (role === 'leader' || role === 'follower') return role;
  return 'candidate';
}

/** The members at the founding. */
const foundersOf = ({ members }: Genesis): Roster => ({ index: 0, members: members.map((member) => ({ ...member, voter: true })) });

function address(peer: string): { host: string; port: number } {
  const at = peer.lastIndexOf(':');
  return { host: peer.slice(0, at), port: Number(peer.slice(at + 1)) };
}
