import { assert } from '../core/assert.ts';
import type { LogIndex, NodeId, Term } from '../core/ids.ts';
import { configurationOf, members } from '../raft/configuration.ts';
import type { RaftMessage, SnapshotMeta } from '../raft/messages.ts';
import { Raft } from '../raft/raft.ts';
import type { Ready } from '../raft/ready.ts';
import type { StoredState } from '../storage/store.ts';
import type { Command, CommandResult, SessionCommand } from '../tasks/commands.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { ClusterState } from '../tasks/state.ts';
import { decodeFrame, type Frame, type Question } from '../wire/frames.ts';
import { Applier } from './applier.ts';
import { Claims } from './claims.ts';
import { Divergence } from './divergence.ts';
import { EventLog } from './event-log.ts';
import { type BadGuard, Door } from './guarding/door.ts';
import type { Guard } from './guarding/guard.ts';
import { GuardedLog } from './guarding/guarded-log.ts';
import { heardIn } from './heard.ts';
import { Inbox } from './inbox.ts';
import { Leadership } from './leadership.ts';
import { Links } from './links.ts';
import { Liveness } from './liveness.ts';
import { Outbox } from './outbox.ts';
import { pinged } from './pinged.ts';
import { Proposals } from './proposals.ts';
import { Proposer } from './proposer.ts';
import { Questions } from './questions.ts';
import { Reads } from './reads.ts';
import { Replies } from './replies.ts';
import { raftOptions, type ReplicaCounters, type ReplicaOptions, type ReplicaPorts, ticksPerHeartbeat } from './replica-options.ts';
import { Requests } from './requests.ts';
import type { ReadPoint } from './service.ts';
import { Snapshots } from './snapshots.ts';
import { Turns } from './turns.ts';

/**
 * One node's part in the cluster, without its sockets, files and clocks: Raft, the replicated state machine and the requests that wait for them.
 *
 * It works in turns that never overlap. A turn takes in all that has arrived, hands new commands to Raft as one entry, sends what may leave before the
 * disk is done, starts one synced write and applies what is committed while the disk works. Acknowledgements and votes leave when the write is done;
 * what arrives meanwhile waits for the next turn. Everything here is synchronous, so that the simulator runs it as it is.
 */
export class Replica {
  readonly id: NodeId;
  readonly counters: ReplicaCounters = {
    turns: 0,
    framesDropped: 0,
    commandsApplied: 0,
    leaderChanges: 0,
    snapshotsTaken: 0,
    snapshotsInstalled: 0,
    lateResults: 0,
    badGuards: 0,
  };
  readonly liveness: Liveness;
  readonly links: Links;
  readonly events: EventLog;
  readonly divergence: Divergence;
  readonly requests: Requests;
  /** What this node has verified of the epochs; undefined where there are none. */
  readonly guard: Guard | undefined;
  readonly #options: ReplicaOptions;
  readonly #ports: ReplicaPorts;
  readonly #raft: Raft;
  readonly #turns: Turns;
  readonly #leadership: Leadership;
  readonly #guarded: GuardedLog;
  readonly #door: Door;
  readonly #inbox = new Inbox();
  readonly #outbox: Outbox;
  /** Of this turn. */
  readonly #replies: Replies;
  readonly #proposals = new Proposals();
  readonly #proposer: Proposer;
  readonly #questions = new Questions();
  readonly #reads = new Reads();
  readonly #claims: Claims;
  readonly #applier: Applier;
  readonly #snapshots: Snapshots;
  #lostLinks: NodeId[] = [];
  #tickPending = false;
  #ticks = 0;
  #leader: NodeId | undefined;
  #leaderHeardMs: number;

  constructor(options: ReplicaOptions, ports: ReplicaPorts, stored: StoredState, state: ClusterState) {
    const { id, guard } = options;
    const { clock, logger } = ports;
    const nowMs = clock.monotonicMs();
    this.id = id;
    this.guard = guard;
    this.#options = options;
    this.#ports = ports;
    this.#turns = new Turns({ defer: (job) => ports.defer(job), onFatal: (error) => ports.onFatal(error), turn: () => this.#turn() });
    this.#outbox = new Outbox(options.clusterTag, (to, frame) => ports.send(to, frame));
    this.#replies = new Replies(this.#outbox);
    this.links = new Links(id, options.electionTimeoutMs, nowMs);
    this.#leaderHeardMs = nowMs;
    this.liveness = new Liveness(id, nowMs);
    const snapshot = stored.snapshot?.meta;
    const start = { index: snapshot?.index ?? 0, term: snapshot?.term ?? 0 };
    this.events = new EventLog(start.index);
    const raft = new Raft(raftOptions(options, ports), {
      hardState: stored.hardState,
      configuration: snapshot?.configuration ?? configurationOf(options.members),
      snapshot: start,
      compacted: { index: stored.compactedIndex, term: stored.compactedTerm },
      entries: stored.entries,
      appliedIndex: start.index,
    });
    this.#raft = raft;
    guard?.restore(state.epochs.all(), raft.configuration);
    this.#guarded = new GuardedLog({ raft, guard, logger });
    this.#door = new Door({ raft, guard, isDiverged: () => this.divergence.isDiverged, counters: this.counters, clock, logger });
    if (snapshot !== undefined) raft.snapshotTaken(snapshot);
    const { clusterId } = options;
    const divergencePorts = { ...ports, self: id, clusterId, outbox: this.#outbox, events: this.events };
    this.divergence = new Divergence({ ...divergencePorts, configuration: () => raft.configuration }, snapshot);
    const stateTs = (): number => this.state.ts;
    this.#proposer = new Proposer({ raft, proposals: this.#proposals, outbox: this.#outbox, clock, logger, stateTs });
    this.#claims = new Claims({
      ask: (question, done) => this.requests.askAnyway(question, done),
      started: (task) => this.#propose({ op: 'StartTask', task: task.id, fence: task.fence }),
    });
    this.requests = this.#makeRequests();
    this.#leadership = this.#makeLeadership();
    this.#applier = this.#makeApplier(state, start);
    this.#snapshots = this.#makeSnapshots(snapshot);
    this.#turns.ask();
  }

  #makeRequests(): Requests {
    return new Requests({
      clock: this.#ports.clock,
      random: this.#ports.random,
      requestTimeoutMs: this.#options.requestTimeoutMs,
      proposals: this.#proposals,
      questions: this.#questions,
      reads: this.#reads,
      claims: this.#claims,
      isStopped: () => this.#turns.isStopped,
      isServing: () => this.isServing,
      isMinority: (nowMs) => this.links.isMinority(this.#raft.configuration.voters, nowMs),
      leader: () => this.#leader,
      readPoint: (nowMs) => this.#readPoint(nowMs),
      hear: (question, nowMs) => this.#hear(question, nowMs),
      onWaiting: () => this.#turns.ask(),
    });
  }

  #makeLeadership(): Leadership {
    return new Leadership({
      raft: this.#raft,
      guard: this.guard,
      liveness: this.liveness,
      proposer: this.#proposer,
      state: () => this.state,
      isReachable: (node, nowMs) => this.links.isReachable(node, nowMs),
      doubt: () => this.divergence.refusal(),
      approvalOf: (action) => this.#ports.approvalOf?.(action),
      electionTimeoutMs: this.#options.electionTimeoutMs,
      respond: (to, id, reply) => (to === this.id ? this.#questions.onReply(id, reply) : this.#replies.add(to, id, reply)),
    });
  }

  #makeApplier(state: ClusterState, start: { readonly index: LogIndex; readonly term: Term }): Applier {
    return new Applier(
      {
        raft: {
          applyConfigChange: (entry) => {
            const configuration = this.#guarded.applyConfigChange(entry);
            this.#ports.onConfiguration?.(entry.index, configuration);
            return configuration;
          },
        },
        counters: this.counters,
        logger: this.#ports.logger,
        defer: (job) =>
          this.#turns.defer(() => {
            job();
            // What this has made possible: work for the leader, a snapshot.
            this.#turns.ask();
          }),
        onCommand: (index, command, result, events, from) => {
          this.#ports.onCommand?.(index, command, result, events.slice(from));
          this.#onCommand(command, result);
        },
        applyGuarded: (entry, guardedEvents) => {
          const result = this.#guarded.apply(entry, this.state, guardedEvents);
          this.#ports.onGuarded?.(entry, result);
          this.#leadership.onGuarded(entry.index, result);
        },
        onConfiguration: (index) => {
          this.#guarded.onConfiguration(index, this.state);
          this.#leadership.onConfiguration(index);
        },
        onEntry: (entry) => {
          this.divergence.log.add(entry);
          this.#ports.onApplied?.(entry);
        },
        onApplied: (events, membersChanged) => this.#onApplied(events, membersChanged),
      },
      state,
      start,
    );
  }

  #makeSnapshots(newest: SnapshotMeta | undefined): Snapshots {
    const { store, clock, logger } = this.#ports;
    return new Snapshots(
      {
        options: this.#options,
        store,
        raft: this.#raft,
        applier: this.#applier,
        log: this.divergence.log,
        clock,
        counters: this.counters,
        logger,
        defer: (job) => this.#turns.defer(job),
        guard: (job) => this.#turns.run(job),
        send: ({ to }, message) => {
          this.#outbox.raft(to, message);
          this.#outbox.flush();
        },
      },
      newest,
    );
  }

  // What happens to the node.

  tick(): void {
    this.#tickPending = true;
    this.#turns.ask();
  }

  /** A frame of a member. The bytes are only lent. */
  onFrame(from: NodeId, frame: Uint8Array): void {
    if (!this.#inbox.put(from, frame)) this.counters.framesDropped++;
    this.#turns.ask();
  }

  /** A frame of the peer has come that is not the replica's: it shows that the peer is there. */
  heard(peer: NodeId): void {
    this.links.heard(peer, this.#ports.clock.monotonicMs());
  }

  onLink(peer: NodeId, up: boolean): void {
    if (up) {
      this.heard(peer);
    } else {
      this.links.lost(peer);
      this.#lostLinks.push(peer);
    }
    this.#turns.ask();
  }

  stop(): void {
    this.#turns.stop();
    this.requests.stop();
    this.#snapshots.stop();
  }

  /** Calls back once a snapshot of `index` or later is durable here; undefined when it can't be. */
  freshSnapshot(index: LogIndex, done: (meta: SnapshotMeta | undefined) => void): void {
    if (this.#turns.isStopped) return done(undefined);
    return this.#turns.run(() => this.#snapshots.fresh(index, done));
  }

  /** Somebody reads the newest snapshot from the store: the next one waits a little. */
  noteSnapshotRead(): void {
    this.#snapshots.noteRead();
  }

  /** This leader knows that it can't lead. */
  resign(): void {
    this.#raft.resign();
    this.#turns.ask();
  }

  /** Another part of this node has sent the peer something. */
  spoke(to: NodeId): void {
    this.#outbox.spoke(to);
  }

  /** A majority is heard again. */
  campaignSoon(): void {
    this.#raft.campaignSoon();
  }

  // What can be seen of it.

  get state(): ClusterState {
    return this.#applier.state;
  }

  get raft(): Pick<Raft, 'status' | 'role' | 'term' | 'leader' | 'commitIndex' | 'configuration' | 'termAt' | 'takeTruncated'> {
    return this.#raft;
  }

  get appliedIndex(): LogIndex {
    return this.#applier.index;
  }

  get appliedTerm(): Term {
    return this.#applier.term;
  }

  /** True on a leader that has applied an entry of its own term, and with it all that was committed before. */
  get isServing(): boolean {
    return this.#leadership.isServing;
  }

  /** True while the state is being replaced by a leader's snapshot: it is whole, but old. */
  get isInstalling(): boolean {
    return this.#snapshots.isInstalling;
  }

  /** What leaders tried to have acknowledged here without the certificate that it takes, oldest first. */
  get badGuards(): readonly BadGuard[] {
    return this.#door.badGuards;
  }

  // Turns.

  #turn(): void {
    assert(!this.#turns.isSaving, 'turns do not overlap');
    this.counters.turns++;
    const nowMs = this.#ports.clock.monotonicMs();
    this.liveness.listen(nowMs);
    for (const { from, frame } of this.#inbox.takeSome()) this.#take(from, frame, nowMs);
    for (const peer of this.#lostLinks.splice(0)) this.#raft.reportUnreachable(peer);
    const isTick = this.#tickPending;
    if (isTick) {
      this.#tickPending = false;
      this.#raft.tick();
      this.#onTick(nowMs);
    }
    this.#work(nowMs);
    if (isTick) this.#outbox.ping(this.#pinged(), ticksPerHeartbeat);
    if (!this.#inbox.isEmpty) this.#turns.ask();
  }

  #work(nowMs: number): void {
    for (;;) {
      this.#noticeLeader(nowMs);
      this.#askLeader(nowMs);
      this.#leadership.schedule();
      this.#replies.flush();
      this.#proposer.flush(this.#leader);
      if (this.#reads.hasQueued && this.#leader !== undefined) this.#raft.readIndex(this.#reads.beginRound(nowMs));
      // Read anew: what was answered in this turn may have made somebody ask, and the process may have been stopped since it began.
      const ready = this.#raft.takeReady(this.#ports.clock.monotonicMs());
      if (ready === undefined) break;
      this.#begin(ready);
      if (this.#turns.isSaving) break;
      this.#finish(ready);
    }
    this.#outbox.flush();
    this.#snapshots.maybeTake();
  }

  /** Everything of a Ready that doesn't wait for the disk; and the disk's work is started. */
  #begin(ready: Ready): void {
    for (const { to, message } of ready.messages) this.#outbox.raft(to, message);
    for (const send of ready.snapshotSends) this.#snapshots.send(send);
    for (const { context, index } of ready.readStates) this.#reads.onReadState(context, index);
    for (const context of ready.readsRefused) this.#reads.onRefused(context);
    this.#outbox.flush();
    if (ready.hardState !== undefined || ready.entries.length > 0 || ready.snapshotChunk !== undefined) {
      this.#turns.beginSave();
      this.#ports.store.save({ hardState: ready.hardState, entries: ready.entries, snapshotChunk: ready.snapshotChunk }, (error) => {
        if (error === undefined) this.#turns.run(() => this.#onSaved(ready));
        else this.#turns.fail(error);
      });
    }
    // What this Ready commits follows the snapshot that it completes.
    if (isLastChunk(ready)) this.#applier.hold();
    this.#applier.take(ready.committedEntries);
    this.#reads.onApplied(this.appliedIndex);
  }

  #onSaved(ready: Ready): void {
    const chunk = ready.snapshotChunk;
    if (chunk !== undefined && isLastChunk(ready))
      this.#snapshots.install(chunk.snapshot, chunk.chunks, (state) => this.#onInstalled(state, chunk.snapshot));
    this.#turns.endSave();
    this.#finish(ready);
    this.#outbox.flush();
    // What gathered while the disk worked, and what the write has made possible.
    this.#turn();
  }

  /** The rest of a Ready, once it is durable. */
  #finish(ready: Ready): void {
    for (const { to, message } of ready.messagesAfterSave) {
      if (to === this.id) this.#step(this.id, message);
      else this.#outbox.raft(to, message);
    }
  }

  // Frames.

  #take(from: NodeId, bytes: Uint8Array, nowMs: number): void {
    const frame = decodeFrame(this.#options.clusterTag, bytes);
    if (typeof frame === 'string') {
      this.counters.framesDropped++;
      this.#ports.logger.warn({ peer: from, reason: frame, bytes: bytes.length }, 'dropped a frame');
      return;
    }
    this.links.heard(from, nowMs);
    if (from === this.#leader) this.#leaderHeardMs = nowMs;
    this.#onFrame(from, frame, nowMs);
  }

  #onFrame(from: NodeId, frame: Frame, nowMs: number): void {
    switch (frame.kind) {
      case 'raft':
        for (const message of frame.messages) {
          const isVain = message.type === 'RequestVote' && message.preVote && this.#ports.mayLead?.(from) === false;
          if (!isVain) this.#step(from, message);
        }
        return;
      case 'forward':
        for (const command of frame.commands) if (!this.#proposer.takeForwarded(command)) this.counters.framesDropped++;
        return;
      case 'ask':
        for (const { id, question } of frame.questions) this.#leadership.onQuestion(from, id, question, nowMs);
        return;
      case 'reply':
        for (const { id, reply } of frame.replies) this.#questions.onReply(id, reply);
        this.#claims.onTick(this.state, this.appliedIndex, nowMs);
        return;
      case 'heads':
        return this.divergence.onHeads(from, frame.heads);
      case 'ping':
        return;
    }
  }

  // Time.

  #onTick(nowMs: number): void {
    this.#ticks++;
    this.#outbox.tick();
    this.links.onTick(nowMs);
    this.divergence.onTick(nowMs);
    const { heartbeatMs, electionTimeoutMs } = this.#options;
    this.#claims.onTick(this.state, this.appliedIndex, nowMs);
    this.#reads.onTick(nowMs, electionTimeoutMs / 2);
    if (this.#ticks % ticksPerHeartbeat !== 0) return;
    this.requests.expire(nowMs);
    this.#leadership.patrol(nowMs);
    // A forwarded command or a question may have been lost on the way without any change of leader.
    const ticksPerElection = Math.max(ticksPerHeartbeat, Math.round((electionTimeoutMs / heartbeatMs) * ticksPerHeartbeat));
    if (this.#ticks % ticksPerElection === 0 && !this.isServing && this.#leader !== undefined) this.requests.resend();
    this.requests.failMinority(nowMs);
  }

  #noticeLeader(nowMs: number): void {
    const leader = this.#raft.leader;
    const serving = this.#raft.role === 'leader' && this.appliedTerm === this.#raft.term;
    if (serving !== this.isServing) {
      if (serving) this.#leadership.begin(nowMs);
      else this.#leadership.end();
    } else if (leader === this.#leader) {
      return;
    }
    if (leader !== this.#leader) {
      if (leader !== this.id) this.#leadership.forget();
      this.#leader = leader;
      this.counters.leaderChanges++;
      this.#ports.logger.info({ leader, term: this.#raft.term, role: this.#raft.role }, leader === undefined ? 'no leader' : 'leader');
    }
    if (leader === undefined) return;
    this.#leaderHeardMs = nowMs;
    if (leader === this.id && !serving) return;
    this.requests.resend();
    this.#claims.resend();
  }

  // Commands.

  #propose(command: Command): void {
    this.#proposer.add(command);
    this.#turns.ask();
  }

  #askLeader(nowMs: number): void {
    if (!this.#questions.hasUnsent || this.#leader === undefined) return;
    if (this.#leader !== this.id) {
      this.#outbox.frame(this.#leader, { kind: 'ask', questions: this.#questions.takeUnsent() });
    } else if (this.isServing) {
      for (const { id, question } of this.#questions.takeUnsent()) this.#leadership.onQuestion(this.id, id, question, nowMs);
    }
  }

  /** An agent that asks this node for something lives, whether or not there is a leader to ask. */
  #hear(question: Question, atMs: number): void {
    const heard = heardIn(question, this.state);
    if (heard === undefined) return;
    const { agent, report } = heard;
    this.liveness.listen(atMs);
    this.liveness.beat(agent.id, agent.generation, { atMs, by: this.id, said: report && { report, atMs } });
    this.#ports.onHeard?.(agent);
  }

  #step(from: NodeId, message: RaftMessage): void {
    const { role } = this.#raft;
    if (this.#door.step(from, message)) this.#ports.onStep?.(from, message, role);
  }

  // Applying.

  #onCommand(command: SessionCommand, result: CommandResult): void {
    this.#proposals.onApplied(command, result);
    this.#leadership.onCommand(command.command);
    if (command.command.op === 'CompleteTask' && !result.ok && result.failure.code === 'stale_fence') this.counters.lateResults++;
  }

  #onApplied(events: readonly StateEvent[], membersChanged: boolean): void {
    const nowMs = this.#ports.clock.monotonicMs();
    if (membersChanged) this.#ports.onMembers?.();
    this.liveness.onEvents(events, this.#leader, nowMs);
    this.#leadership.onApplied(events, nowMs);
    this.#claims.onEvents(events, this.state, this.appliedIndex, nowMs);
    if (events.length > 0) this.events.append(events);
    this.divergence.onApplied();
    this.#reads.onApplied(this.appliedIndex);
  }

  /** A snapshot of the leader has taken the place of the state. */
  #onInstalled(state: ClusterState, meta: SnapshotMeta): void {
    this.#guarded.restore(
      state,
      meta.configuration,
      this.#applier.waiting.filter(({ kind }) => kind === 'configuration'),
    );
    this.#ports.onInstalled?.(meta, state);
    this.events.skipTo(meta.index);
    this.divergence.onInstalled(meta);
    this.#applier.replace(state, meta);
    this.#ports.onMembers?.();
    // Some of what this node waits for is inside the snapshot: asked again, its session answers.
    this.#proposals.resend();
    this.#reads.onApplied(this.appliedIndex);
    this.#ports.logger.info({ index: meta.index }, 'snapshot installed');
    this.#turns.ask();
  }

  // Small answers.

  #readPoint(nowMs: number): ReadPoint {
    const ageMs = this.isServing ? 0 : Math.max(0, Math.round(nowMs - this.#leaderHeardMs));
    return { index: this.appliedIndex, term: this.#raft.term, ageMs };
  }

  #pinged(): readonly NodeId[] {
    const { configuration } = this.#raft;
    return pinged(this.id, members(configuration), configuration.voters);
  }
}

const isLastChunk = ({ snapshotChunk: chunk }: Ready): boolean => chunk !== undefined && chunk.chunk === chunk.chunks - 1;
