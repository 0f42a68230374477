import { assert } from '../core/assert.ts';
import { failure } from '../core/errors.ts';
import type { LogIndex, NodeId, Term } from '../core/ids.ts';
import { configurationOf, members } from '../raft/configuration.ts';
import type { RaftMessage, SnapshotMeta } from '../raft/messages.ts';
import { Raft } from '../raft/raft.ts';
import type { Ready } from '../raft/ready.ts';
import type { StoredState } from '../storage/store.ts';
import type { Command, CommandResult, SessionCommand } from '../tasks/commands.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { ClusterState } from '../tasks/state.ts';
import { decodeFrame, type Frame, type Question, type Reply } from '../wire/frames.ts';
import { Applier } from './applier.ts';
import { Claims } from './claims.ts';
import { Desk } from './desk.ts';
import { Divergence } from './divergence.ts';
import { EventLog } from './event-log.ts';
import { type BadGuard, Door } from './guarding/door.ts';
import { Enactments } from './guarding/enactments.ts';
import type { Guard } from './guarding/guard.ts';
import { GuardedLog } from './guarding/guarded-log.ts';
import { heardIn } from './heard.ts';
import { Inbox } from './inbox.ts';
import { LeaderDuties } from './leader-duties.ts';
import { LeaderRequests } from './leader-requests.ts';
import { Links } from './links.ts';
import { Liveness } from './liveness.ts';
import { Membership } from './membership.ts';
import { NodeSession } from './node-session.ts';
import { Outbox } from './outbox.ts';
import { Proposals } from './proposals.ts';
import { Proposer } from './proposer.ts';
import { Questions } from './questions.ts';
import { Reads } from './reads.ts';
import { Replies } from './replies.ts';
import { raftOptions, type ReplicaCounters, type ReplicaOptions, type ReplicaPorts, ticksPerHeartbeat } from './replica-options.ts';
import type { Answer, ClaimedTask, ClaimRequest, Consistency, ReadPoint } from './service.ts';
import { Snapshots } from './snapshots.ts';

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
  readonly events: EventLog;
  readonly divergence: Divergence;
  readonly requests: LeaderRequests;
  /** What this node has verified of the epochs; undefined where there are none. */
  readonly guard: Guard | undefined;
  readonly #options: ReplicaOptions;
  readonly #ports: ReplicaPorts;
  readonly #raft: Raft;
  readonly #duties: LeaderDuties;
  readonly #membership: Membership;
  readonly #guarded: GuardedLog;
  readonly #door: Door;
  readonly #enactments: Enactments;
  readonly #desk: Desk;
  readonly #links: Links;
  readonly #outbox: Outbox;
  readonly #proposals = new Proposals();
  readonly #session: NodeSession;
  readonly #questions = new Questions();
  readonly #reads = new Reads();
  readonly #claims: Claims;
  readonly #applier: Applier;
  readonly #snapshots: Snapshots;
  readonly #proposer: Proposer;
  readonly #inbox = new Inbox();
  /** Of this turn. */
  readonly #replies: Replies;
  #lostLinks: NodeId[] = [];
  #tickPending = false;
  #ticks = 0;
  #saving = false;
  #turnDeferred = false;
  #stopped = false;
  #removed = false;
  #leader: NodeId | undefined;
  #serving = false;
  #leaderHeardMs: number;

  constructor(options: ReplicaOptions, ports: ReplicaPorts, stored: StoredState, state: ClusterState) {
    this.id = options.id;
    this.#options = options;
    this.#ports = ports;
    this.#outbox = new Outbox(options.clusterTag, (to, frame) => ports.send(to, frame));
    this.#replies = new Replies(this.#outbox);
    this.#links = new Links(options.id, options.electionTimeoutMs, ports.clock.monotonicMs());
    this.#leaderHeardMs = ports.clock.monotonicMs();
    this.liveness = new Liveness(options.id, ports.clock.monotonicMs());
    this.#duties = new LeaderDuties(this.liveness);
    this.requests = new LeaderRequests({ ask: (...question) => this.ask(...question), leader: () => this.#leader });
    this.#session = new NodeSession(this.#proposals, ports.random);
    this.#claims = new Claims({
      ask: (question, done) => this.#ask(question, done),
      started: (task) => this.#propose({ op: 'StartTask', task: task.id, fence: task.fence }),
    });
    const snapshot = stored.snapshot?.meta;
    const start = { index: snapshot?.index ?? 0, term: snapshot?.term ?? 0 };
    this.events = new EventLog(start.index);
    this.#raft = new Raft(raftOptions(options, ports), {
      hardState: stored.hardState,
      configuration: snapshot?.configuration ?? configurationOf(options.members),
      snapshot: start,
      compacted: { index: stored.compactedIndex, term: stored.compactedTerm },
      entries: stored.entries,
      appliedIndex: start.index,
    });
    const raft = this.#raft;
    const { guard } = options;
    guard?.restore(state.epochs.all(), raft.configuration);
    const { logger, clock } = ports;
    this.guard = guard;
    this.#guarded = new GuardedLog({ raft, guard, logger });
    this.#door = new Door({ raft, guard, isDiverged: () => this.divergence.isDiverged, counters: this.counters, clock, logger });
    this.#enactments = new Enactments({ raft, guard, doubt: () => this.divergence.refusal(), now: () => this.#proposer.now() });
    this.#membership = new Membership({
      raft,
      forbids: (change) => guard?.refusalOf(change) ?? (change.context === '' ? undefined : this.divergence.refusal()),
      certified: (change) => {
        const action = guard?.requirementOf(change);
        const context = action === undefined ? '' : ports.approvalOf?.(action);
        return context === undefined ? undefined : { ...change, context };
      },
      isReachable: (node, nowMs) => this.#links.isReachable(node, nowMs),
      propose: (command) => this.#proposer.proposeNow(command),
      electionTimeoutMs: options.electionTimeoutMs,
    });
    this.#desk = new Desk({
      duties: this.#duties,
      membership: this.#membership,
      enactments: this.#enactments,
      state: () => this.state,
      respond: (to, id, reply) => (to === this.id ? this.#questions.onReply(id, reply) : this.#replies.add(to, id, reply)),
    });
    if (snapshot !== undefined) this.#raft.snapshotTaken(snapshot);
    const { id: self, clusterId } = options;
    const divergencePorts = { ...ports, self, clusterId, outbox: this.#outbox, events: this.events };
    this.divergence = new Divergence({ ...divergencePorts, configuration: () => this.#raft.configuration }, snapshot);
    this.#applier = this.#makeApplier(state, start);
    this.#snapshots = this.#makeSnapshots(snapshot);
    this.#proposer = new Proposer({
      raft: this.#raft,
      proposals: this.#proposals,
      outbox: this.#outbox,
      clock: ports.clock,
      logger: ports.logger,
      stateTs: () => this.state.ts,
    });
    this.#deferTurn();
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
          this.#defer(() => {
            job();
            // What this has made possible: work for the leader, a snapshot.
            this.#deferTurn();
          }),
        onCommand: (index, command, result, events, from) => {
          this.#ports.onCommand?.(index, command, result, events.slice(from));
          this.#onCommand(command, result);
        },
        applyGuarded: (entry, guardedEvents) => {
          const result = this.#guarded.apply(entry, this.state, guardedEvents);
          this.#ports.onGuarded?.(entry, result);
          this.#enactments.onApplied(entry.index, result);
        },
        onConfiguration: (index) => {
          this.#guarded.onConfiguration(index, this.state);
          this.#membership.onApplied(index, this.#serving ? this.state.members : undefined);
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
        defer: (job) => this.#defer(job),
        guard: (job) => {
          if (!this.#stopped) this.#guard(job);
        },
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
    this.#deferTurn();
  }

  /** A frame of a member. The bytes are only lent. */
  onFrame(from: NodeId, frame: Uint8Array): void {
    if (!this.#inbox.put(from, frame)) this.counters.framesDropped++;
    this.#deferTurn();
  }

  /** A frame of the peer has come that is not the replica's: it shows that the peer is there. */
  heard(peer: NodeId): void {
    this.#links.heard(peer, this.#ports.clock.monotonicMs());
  }

  onLink(peer: NodeId, up: boolean): void {
    if (up) {
      this.heard(peer);
    } else {
      this.#links.lost(peer);
      this.#lostLinks.push(peer);
    }
    this.#deferTurn();
  }

  stop(): void {
    this.#stopped = true;
    this.#failAll('unavailable', 'this node is stopping');
    this.#snapshots.stop();
  }

  /** Whether this node is known to be no member any more: it refuses what it can't decide, and lets go who waits for it. */
  setRemoved(removed: boolean): void {
    this.#removed = removed;
    if (removed) this.#failAll('unavailable', removedDetail);
  }

  // What is asked of it.

  /** Proposes under this node's own session. */
  submit(
    command: Command,
    idempotencyKey: string | undefined,
    timeoutMs: number | undefined,
    done: (answer: Answer<CommandResult>) => void,
  ): void {
    const refused = this.#refusal();
    if (refused !== undefined) return done({ ok: false, failure: refused });
    this.#session.submit(command, idempotencyKey, this.#deadline(timeoutMs), done);
    this.#deferTurn();
  }

  /** Proposes a command of a client's own session, already encoded. */
  submitEncoded(command: SessionCommand, bytes: Uint8Array, done: (answer: Answer<CommandResult>) => void): void {
    const refused = this.#refusal();
    if (refused !== undefined) return done({ ok: false, failure: refused });
    this.#proposals.add(command, bytes, this.#deadline(undefined), done);
    this.#deferTurn();
  }

  read(consistency: Consistency, timeoutMs: number | undefined, done: (answer: Answer<ReadPoint>) => void): void {
    if (consistency === 'local' || (consistency === 'leader' && this.#serving)) return done({ ok: true, value: this.#readPoint() });
    const refused = this.#refusal();
    if (refused !== undefined) return done({ ok: false, failure: refused });
    this.#reads.add(this.#deadline(timeoutMs), (answer) => done(answer.ok ? { ok: true, value: this.#readPoint() } : answer));
    this.#deferTurn();
  }

  /** Asks the leader what only its memory knows. */
  ask(question: Question, timeoutMs: number | undefined, done: (reply: Reply) => void): void {
    this.#hear(question);
    const refused = this.#refusal();
    if (refused !== undefined) return done({ kind: 'failure', failure: refused });
    this.#questions.ask(question, this.#deadline(timeoutMs), done);
    this.#deferTurn();
  }

  /** Returns a function that gives up the claim. */
  claim(request: ClaimRequest, done: (answer: Answer<readonly ClaimedTask[]>) => void): () => void {
    const refused = this.#refusal();
    if (refused !== undefined) {
      done({ ok: false, failure: refused });
      return () => {};
    }
    return this.#claims.open(request, this.#ports.clock.monotonicMs(), done);
  }

  /** Calls back once a snapshot of `index` or later is durable here; undefined when it can't be. */
  freshSnapshot(index: LogIndex, done: (meta: SnapshotMeta | undefined) => void): void {
    if (this.#stopped) return done(undefined);
    return this.#guard(() => this.#snapshots.fresh(index, done));
  }

  /** Somebody reads the newest snapshot from the store: the next one waits a little. */
  noteSnapshotRead(): void {
    this.#snapshots.noteRead();
  }

  /** This leader knows that it can't lead. */
  resign(): void {
    this.#raft.resign();
    this.#deferTurn();
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
    return this.#serving;
  }

  /** True while the state is being replaced by a leader's snapshot: it is whole, but old. */
  get isInstalling(): boolean {
    return this.#snapshots.isInstalling;
  }

  get links(): Links {
    return this.#links;
  }

  /** What leaders tried to have acknowledged here without the certificate that it takes, oldest first. */
  get badGuards(): readonly BadGuard[] {
    return this.#door.badGuards;
  }

  get pendingCommands(): number {
    return this.#proposals.size;
  }

  // Turns.

  #deferTurn(): void {
    if (this.#turnDeferred || this.#stopped) return;
    this.#turnDeferred = true;
    this.#defer(() => {
      this.#turnDeferred = false;
      if (!this.#saving) this.#turn();
    });
  }

  #defer(job: () => void): void {
    this.#ports.defer(() => {
      if (!this.#stopped) this.#guard(job);
    });
  }

  /** A broken invariant stops the node: it must not go on with a memory that contradicts itself. */
  #guard(job: () => void): void {
    try {
      job();
    } catch (error) {
      this.#stopped = true;
      this.#ports.onFatal(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #turn(): void {
    assert(!this.#saving, 'turns do not overlap');
    this.counters.turns++;
    const nowMs = this.#ports.clock.monotonicMs();
    this.liveness.listen(nowMs);
    for (const { from, frame } of this.#inbox.takeSome()) this.#take(from, frame, nowMs);
    for (const peer of this.#lostLinks.splice(0)) this.#raft.reportUnreachable(peer);
    if (this.#tickPending) {
      this.#tickPending = false;
      this.#raft.tick();
      this.#onTick(nowMs);
    }
    this.#work(nowMs);
    if (!this.#inbox.isEmpty) this.#deferTurn();
  }

  #work(nowMs: number): void {
    for (;;) {
      this.#noticeLeader(nowMs);
      this.#askLeader(nowMs);
      if (this.#serving) this.#duties.schedule(this.state, this.#proposer.now(), (command) => this.#proposer.proposeNow(command));
      this.#replies.flush();
      this.#proposer.flush(this.#leader);
      if (this.#reads.hasQueued && this.#leader !== undefined) this.#raft.readIndex(this.#reads.beginRound(nowMs));
      // Read anew: what was answered in this turn may have made somebody ask, and the process may have been stopped since it began.
      const ready = this.#raft.takeReady(this.#ports.clock.monotonicMs());
      if (ready === undefined) break;
      this.#begin(ready);
      if (this.#saving) break;
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
      this.#saving = true;
      this.#ports.store.save({ hardState: ready.hardState, entries: ready.entries, snapshotChunk: ready.snapshotChunk }, (error) => {
        if (this.#stopped) return;
        if (error !== undefined) return this.#fail(error);
        this.#guard(() => this.#onSaved(ready));
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
    this.#saving = false;
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

  #fail(error: Error): void {
    this.#stopped = true;
    this.#ports.onFatal(error);
  }

  // Frames.

  #take(from: NodeId, bytes: Uint8Array, nowMs: number): void {
    const frame = decodeFrame(this.#options.clusterTag, bytes);
    if (typeof frame === 'string') {
      this.counters.framesDropped++;
      this.#ports.logger.warn({ peer: from, reason: frame, bytes: bytes.length }, 'dropped a frame');
      return;
    }
    this.#links.heard(from, nowMs);
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
        for (const { id, question } of frame.questions) {
          if (this.#serving) this.#desk.answer(from, id, question, nowMs);
          else if (this.#raft.role === 'leader') this.#desk.keep(from, id, question);
        }
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
    this.#links.onTick(nowMs);
    this.divergence.onTick(nowMs);
    const { heartbeatMs, electionTimeoutMs } = this.#options;
    this.#claims.onTick(this.state, this.appliedIndex, nowMs);
    this.#reads.onTick(nowMs, electionTimeoutMs / 2);
    if (this.#ticks % ticksPerHeartbeat !== 0) return;
    for (const peer of this.#peers()) this.#outbox.frame(peer, { kind: 'ping' });
    this.#proposals.expire(nowMs);
    this.#questions.expire(nowMs);
    if (this.#serving) {
      this.#duties.patrol(this.state, this.#proposer.now(), nowMs, (command) => this.#proposer.proposeNow(command));
      this.#membership.patrol(this.state.members, nowMs);
    }
    // A forwarded command or a question may have been lost on the way without any change of leader.
    if (this.#ticks % Math.max(ticksPerHeartbeat, Math.round((electionTimeoutMs / heartbeatMs) * ticksPerHeartbeat)) === 0) this.#resend();
    if (this.#links.isMinority(this.#voters(), nowMs)) this.#failAll('no_quorum', minorityDetail);
  }

  #failAll(code: 'no_quorum' | 'unavailable', detail: string): void {
    this.#proposals.failAll(code, detail);
    this.#questions.failAll(code, detail);
    this.#reads.failAll(code, detail);
  }

  #resend(): void {
    if (this.#serving || this.#leader === undefined) return;
    this.#proposals.resend();
    this.#questions.resend();
  }

  #noticeLeader(nowMs: number): void {
    const leader = this.#raft.leader;
    const serving = this.#raft.role === 'leader' && this.appliedTerm === this.#raft.term;
    if (serving !== this.#serving) {
      this.#serving = serving;
      if (serving) {
        this.#duties.begin(this.state, nowMs);
        this.#membership.begin(nowMs);
        this.#desk.answerEarly(nowMs);
      } else {
        this.#duties.end();
        this.#membership.end();
        this.#enactments.end();
      }
    } else if (leader === this.#leader) {
      return;
    }
    if (leader !== this.#leader) {
      if (leader !== this.id) this.#desk.dropEarly();
      this.#leader = leader;
      this.counters.leaderChanges++;
      this.#ports.logger.info({ leader, term: this.#raft.term, role: this.#raft.role }, leader === undefined ? 'no leader' : 'leader');
    }
    if (leader === undefined) return;
    this.#leaderHeardMs = nowMs;
    if (leader === this.id && !serving) return;
    this.#proposals.resend();
    this.#questions.resend();
    this.#claims.resend();
  }

  // Commands.

  #propose(command: Command): void {
    this.#proposer.add(command);
    this.#deferTurn();
  }

  #askLeader(nowMs: number): void {
    if (!this.#questions.hasUnsent || this.#leader === undefined) return;
    if (this.#leader !== this.id) {
      this.#outbox.frame(this.#leader, { kind: 'ask', questions: this.#questions.takeUnsent() });
    } else if (this.#serving) {
      for (const { id, question } of this.#questions.takeUnsent()) this.#desk.answer(this.id, id, question, nowMs);
    }
  }

  /** What an agent asks this node for shows that it lives, whether or not there is a leader to ask. */
  #hear(question: Question): void {
    const heard = heardIn(question, this.state);
    if (heard === undefined) return;
    const { agent, report } = heard;
    const atMs = this.#ports.clock.monotonicMs();
    this.liveness.listen(atMs);
    this.liveness.beat(agent.id, agent.generation, { atMs, by: this.id, said: report && { report, atMs } });
    this.#ports.onHeard?.(agent);
  }

  #ask(question: Question, done: (reply: Reply) => void): void {
    this.#hear(question);
    this.#questions.ask(question, this.#deadline(undefined), done);
    this.#deferTurn();
  }

  #step(from: NodeId, message: RaftMessage): void {
    const { role } = this.#raft;
    if (this.#door.step(from, message)) this.#ports.onStep?.(from, message, role);
  }

  // Applying.

  #onCommand(command: SessionCommand, result: CommandResult): void {
    this.#proposals.onApplied(command, result);
    if (command.command.op === 'AssignTasks') this.#duties.onAssignApplied(command.command.assignments);
    else if (command.command.op === 'Tick') this.#duties.onTickApplied();
    else if (command.command.op === 'CompleteTask' && !result.ok && result.failure.code === 'stale_fence') this.counters.lateResults++;
  }

  #onApplied(events: readonly StateEvent[], membersChanged: boolean): void {
    const nowMs = this.#ports.clock.monotonicMs();
    if (membersChanged) this.#ports.onMembers?.();
    this.liveness.onEvents(events, this.#leader, nowMs);
    if (this.#serving) this.#duties.onApplied(events, this.state, nowMs);
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
    this.#deferTurn();
  }

  // Small answers.

  #readPoint(): ReadPoint {
    const ageMs = this.#serving ? 0 : Math.max(0, Math.round(this.#ports.clock.monotonicMs() - this.#leaderHeardMs));
    return { index: this.appliedIndex, term: this.#raft.term, ageMs };
  }

  /** Why nothing can be decided here right now, if that is known. */
  #refusal() {
    if (this.#stopped) return failure('unavailable', 'this node is stopping');
    if (this.#removed) return failure('unavailable', removedDetail);
    return this.#links.isMinority(this.#voters(), this.#ports.clock.monotonicMs()) ? failure('no_quorum', minorityDetail) : undefined;
  }

  #peers(): readonly NodeId[] {
    return members(this.#raft.configuration).filter((node) => node !== this.id);
  }

  #voters(): readonly NodeId[] {
    return this.#raft.configuration.voters;
  }

  #deadline(timeoutMs: number | undefined): number {
    return this.#ports.clock.monotonicMs() + (timeoutMs ?? this.#options.requestTimeoutMs);
  }
}

const minorityDetail = 'this node can reach only a minority of the cluster; ask another node, or read with consistency=local';

const removedDetail = 'this node was removed from the cluster; ask another';

const isLastChunk = ({ snapshotChunk: chunk }: Ready): boolean => chunk !== undefined && chunk.chunk === chunk.chunks - 1;
