import { defined } from '../core/assert.ts';
import { QuorateError, failure } from '../core/errors.ts';
import type { AgentId, LogIndex, NodeId, TaskId } from '../core/ids.ts';
import { nodeHashes } from '../crypto/node.ts';
import type { ConfigurationChange } from '../raft/configuration-change.ts';
import type { Configuration, SnapshotMeta } from '../raft/messages.ts';
import type { RaftStore } from '../storage/store.ts';
import type { Command, CommandResult, SessionCommand } from '../tasks/commands.ts';
import type { ClusterState } from '../tasks/state.ts';
import { isTerminal, type Task } from '../tasks/task.ts';
import { isPeerId } from '../transport/identity.ts';
import type { Question, Reply } from '../wire/frames.ts';
import { agentPage, agentView } from './agent-views.ts';
import { type NodeEvent, type ToldEvent, toldOf } from './event-log.ts';
import type { Genesis } from './genesis.ts';
import type { BadGuard } from './guarding/door.ts';
import type { Guard } from './guarding/guard.ts';
import { changeContext, enactment } from './guarding/requests.ts';
import type { Metrics } from './metrics.ts';
import { readinessOf, type StatusParts, statusOf } from './node-status.ts';
import type { NodePartition } from './partition/node-partition.ts';
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
import type { Replica } from './replica.ts';
import type { ReplyOf } from './requests.ts';
import { settle } from './settle.ts';
import { writeSnapshotFile } from './snapshot-file.ts';
import { readChunk } from './snapshot-reading.ts';
import type { OpenedVote, VoteQuestion, VoteRequest } from './votes/vote-service.ts';
import type { Votes } from './votes/votes.ts';
import { waitUntil } from './wait-until.ts';

export interface ServiceParts extends StatusParts {
  readonly genesis: Genesis;
  readonly partition: NodePartition;
  readonly store: RaftStore;
  readonly metrics: Metrics;
  /** Undefined at a node that is no member of the epoch. */
  readonly votes: () => Votes | undefined;
  /** What was known to be committed when the node started. */
  readonly commitAtStart: LogIndex;
}

/** What a running node offers to its front doors: the replica's requests as promises, waits that end, and what this node knows as it is asked for. */
export class LocalService implements NodeService {
  readonly #parts: ServiceParts;
  readonly #replica: Replica;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#replica = parts.replica;
  }

  // What this node knows.

  genesis(): Genesis {
    return this.#parts.genesis;
  }

  get leader(): NodeId | undefined {
    return this.#replica.raft.leader;
  }

  status(): NodeStatus {
    return statusOf(this.#parts, performance.now());
  }

  readiness(): Health {
    return readinessOf(this.#parts, this.#parts.commitAtStart, performance.now());
  }

  metrics(): Promise<string> {
    return this.#parts.metrics.text();
  }

  get partition(): NodePartition {
    return this.#parts.partition;
  }

  get votes(): Votes | undefined {
    return this.#parts.votes();
  }

  get guard(): Guard {
    return defined(this.#replica.guard, 'a daemon verifies certificates');
  }

  get badGuards(): readonly BadGuard[] {
    return this.#replica.badGuards;
  }

  get isRemoved(): boolean {
    return this.#parts.peers.isRemoved;
  }

  onRemoved(listener: () => void): void {
    this.#parts.peers.onRemoved(listener);
  }

  state(): ClusterState {
    return this.#replica.state;
  }

  agent(id: AgentId): AgentView | undefined {
    const agent = this.#replica.state.registry.get(id);
    return agent && agentView(this.#parts, agent, performance.now());
  }

  agents(query: AgentQuery, limit: number, cursor: string | undefined): Page<AgentView> {
    return agentPage(this.#parts, { query, limit, cursor }, performance.now());
  }

  eventsAfter(index: LogIndex): { readonly events: readonly ToldEvent[]; readonly complete: boolean } {
    const { events, complete } = this.#replica.events.after(index);
    return { events: toldOf(events), complete };
  }

  subscribe(listener: (events: readonly ToldEvent[]) => void): () => void {
    return this.#replica.events.subscribe((events) => listener(toldOf(events)));
  }

  // Requests.

  submit(command: Command, options: RequestOptions & { readonly idempotencyKey?: string | undefined } = {}): Promise<CommandResult> {
    return settle((done) => this.#replica.requests.submit(command, options.idempotencyKey, options.timeoutMs, done), options.signal, true);
  }

  submitAll(commands: readonly Command[], options: RequestOptions = {}): Promise<readonly CommandResult[]> {
    return Promise.all(commands.map((command) => this.submit(command, options)));
  }

  submitEncoded(command: SessionCommand, bytes: Uint8Array, done: (answer: Answer<CommandResult>) => void): void {
    this.#replica.requests.submitEncoded(command, bytes, done);
  }

  readPoint(consistency: Consistency, options: RequestOptions = {}): Promise<ReadPoint> {
    return settle((done) => this.#replica.requests.read(consistency, options.timeoutMs, done), options.signal, false);
  }

  onConnectionLost(agent: AgentId, generation: number): void {
    this.#replica.liveness.onConnectionLost(agent, generation, performance.now());
  }

  async heartbeat(agent: AgentId, generation: number, report: AgentReport, options: RequestOptions = {}): Promise<HeartbeatAnswer> {
    const reply = await this.#ask({ kind: 'beat', agent, generation, report }, 'beat', options);
    const cancelled = reply.cancelled.map((taskId) => ({ type: 'cancel', taskId }));
    return { ttlMs: reply.ttlMs, commands: [...cancelled, ...this.#questionsFor(agent)] };
  }

  /** An agent speaks for the node that it registered at, and no other: else one agent that goes from node to node would be many opinions. */
  #questionsFor(id: AgentId): readonly VoteQuestion[] {
    const agent = this.#replica.state.registry.get(id);
    const isAttached =
      agent !== undefined && (agent.node === this.#parts.name || agent.node === this.#parts.peers.infoOf(this.#replica.id)?.http);
    return isAttached ? (this.votes?.questionsFor(agent.capabilities) ?? []) : [];
  }

  async taskHeartbeat(
    task: TaskId,
    fence: number,
    progress: number | undefined,
    options: RequestOptions = {},
  ): Promise<TaskHeartbeatAnswer> {
    const reply = await this.#ask({ kind: 'taskBeat', task, fence, progress }, 'taskBeat', options);
    return { leaseMs: reply.leaseMs, cancelRequested: reply.cancelRequested };
  }

  #ask<K extends Reply['kind']>(question: Question, kind: K, { timeoutMs, signal }: RequestOptions): Promise<ReplyOf<K>> {
    return settle<ReplyOf<K>>((done) => this.#replica.requests.ask(question, kind, timeoutMs, done), signal, false);
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

  transferLeadership(to: NodeId | undefined, options: RequestOptions = {}): Promise<NodeId> {
    return settle((done) => this.#replica.requests.transferLeadership(to, options.timeoutMs, done), options.signal, true);
  }

  claim(request: ClaimRequest, options: RequestOptions = {}): Promise<readonly ClaimedTask[]> {
    return settle((done) => this.#replica.requests.claim(request, done), options.signal, false);
  }

  async snapshot(options: RequestOptions = {}): Promise<SnapshotDownload> {
    const { index: point } = await this.readPoint('linearizable', options);
    const meta = await new Promise<SnapshotMeta | undefined>((resolve) => this.#replica.freshSnapshot(point, resolve));
    if (meta === undefined) throw new QuorateError(failure('overloaded', 'too many requests wait for a snapshot of this node'));
    const { index, term, configuration } = meta;
    const first = await readChunk(this.#parts.store, index, 0);
    const header = { clusterId: this.#parts.clusterId, nodeId: this.#replica.id, version: this.#parts.version, index, term, configuration };
    return { index, term, file: writeSnapshotFile({ ...header, chunks: first.chunks }, this.#chunks(index, first)) };
  }

  async *#chunks(index: LogIndex, first: { readonly data: Uint8Array; readonly chunks: number }): AsyncGenerator<Uint8Array> {
    yield first.data;
    for (let chunk = 1; chunk < first.chunks; chunk++) {
      this.#replica.noteSnapshotRead();
      yield (await readChunk(this.#parts.store, index, chunk)).data;
    }
  }

  // Votes.

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

  // Waits.

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
}
