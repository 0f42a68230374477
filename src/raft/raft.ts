import { assert } from '../core/assert.ts';
import { emptyBytes } from '../core/bytes.ts';
import type { LogIndex, NodeId, Term } from '../core/ids.ts';
import { type RaftInitialState, type RaftOptions, validateRaftOptions } from './config.ts';
import { changeConfiguration, isJoint, isVoter, members, validateConfiguration } from './configuration.ts';
import { type ConfigurationChange, decodeConfigurationChange, encodeConfigurationChange, leaveJoint } from './configuration-change.ts';
import type {
  AppendEntries,
  AppendEntriesResponse,
  Configuration,
  Entry,
  EntryKind,
  HardState,
  Heartbeat,
  HeartbeatResponse,
  InstallSnapshot,
  InstallSnapshotResponse,
  Outgoing,
  RaftMessage,
  RequestVote,
  SnapshotMeta,
} from './messages.ts';
import { Progress, type ProgressState } from './progress.ts';
import { jointReached, jointVote } from './quorum.ts';
import { type Position, RaftLog } from './raft-log.ts';
import { ReadIndexRounds, type ReadRequest } from './read-index.ts';
import { encodeRejoin, endsRejoining } from './rejoin.ts';
import type { Ready, ReadState, SnapshotReceived, SnapshotSend } from './ready.ts';
import { Votes } from './votes.ts';

export type Role = 'follower' | 'precandidate' | 'candidate' | 'leader';

export type ProposeResult =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | {
      readonly ok: false;
      readonly refused: 'not-leader' | 'busy' | 'transferring' | 'change-pending' | 'invalid-change';
      readonly reason?: string;
    };

export interface RaftStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly votedFor: NodeId | undefined;
  readonly leader: NodeId | undefined;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly configuration: Configuration;
  /** As in the hard state: 0 on a node that has kept its disk. */
  readonly rejoining: number;
  /** On a leader: each member. */
  readonly progress: ReadonlyMap<
    NodeId,
    {
      readonly match: LogIndex;
      readonly next: LogIndex;
      readonly state: ProgressState;
      readonly inflight: number;
      readonly pendingSnapshot: LogIndex;
    }
  >;
}

/** Reads that wait for the leader's first commit of its term, for the next turn, or for the leader's answer; more are refused. */
const maxQueuedReads = 65_536;

/**
 * One node of Raft (Ongaro & Ousterhout 2014; thesis 2014), as a plain machine: `tick`, `step` and `propose` go in, `takeReady` hands out what is to be
 * sent, saved and applied. It owns no clock, disk or socket.
 *
 * It promises Election Safety, Leader Append-Only, Log Matching, Leader Completeness and State Machine Safety (figure 3) as long as its driver keeps the
 * order that `Ready` asks for. A leader counts itself, and a candidate its own vote, only by a message that the driver steps after the save.
 */
export class Raft {
  readonly #options: RaftOptions;
  readonly #log: RaftLog;
  #configuration: Configuration;
  #role: Role = 'follower';
  #term: Term;
  #votedFor: NodeId | undefined;
  #rejoining: number;
  #leader: NodeId | undefined;
  #savedHardState: HardState;

  #electionElapsed = 0;
  #heartbeatElapsed = 0;
  #electionTimeout = 0;
  /** Set while the leader's connection is known to be lost: election waits are drawn from this many ticks, doubling, until they reach the ordinary ones. */
  #hastenedTicks = 0;
  readonly #votes = new Votes();

  readonly #progress = new Map<NodeId, Progress>();
  #uncommittedBytes = 0;
  /** No configuration change is proposed before this index is applied. */
  #pendingChangeIndex: LogIndex = 0;
  #transferee: NodeId | undefined;
  #newestSnapshot: SnapshotMeta | undefined;
  #arriving: { readonly meta: SnapshotMeta; next: number } | undefined;

  readonly #rounds = new ReadIndexRounds();
  #readRequests: ReadRequest[] = [];
  /** Reads of this node that were sent to the leader. */
  readonly #askedReads = new Set<number>();

  #messages: Outgoing[] = [];
  #messagesAfterSave: Outgoing[] = [];
  #snapshotChunk: SnapshotReceived | undefined;
  #snapshotSends: SnapshotSend[] = [];
  #readStates: ReadState[] = [];
  #readsRefused: number[] = [];

  /** @throws RangeError when the options or the initial configuration contradict themselves. */
  constructor(options: RaftOptions, initial: RaftInitialState) {
    const fault = validateRaftOptions(options) ?? validateConfiguration(initial.configuration);
    if (fault !== undefined) throw new RangeError(fault);
    this.#options = options;
    this.#log = new RaftLog(initial.entries, initial.compacted, initial.hardState.commitIndex, initial.appliedIndex);
    this.#configuration = initial.configuration;
    this.#term = initial.hardState.currentTerm;
    this.#votedFor = initial.hardState.votedFor;
    this.#rejoining = initial.hardState.rejoining;
    this.#savedHardState = initial.hardState;
    this.#resetElectionTimer();
  }

  get id(): NodeId {
    return this.#options.id;
  }

  get role(): Role {
    return this.#role;
  }

  get term(): Term {
    return this.#term;
  }

  get leader(): NodeId | undefined {
    return this.#leader;
  }

  get commitIndex(): LogIndex {
    return this.#log.committed;
  }

  /** Everything up to here was handed out to be applied. */
  get appliedIndex(): LogIndex {
    return this.#log.applied;
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  /** The term of the entry that ends at the index, if one here does. */
  termAt(index: LogIndex): Term | undefined {
    return this.#log.termAt(index);
  }

  status(): RaftStatus {
    const progress = new Map(
      [...this.#progress].map(([id, p]) => [
        id,
        { match: p.match, next: p.next, state: p.state, inflight: p.inflights.count, pendingSnapshot: p.snapshot?.index ?? 0 },
      ]),
    );
    return {
      id: this.id,
      role: this.#role,
      term: this.#term,
      votedFor: this.#votedFor,
      leader: this.#leader,
      commitIndex: this.#log.committed,
      appliedIndex: this.#log.applied,
      firstIndex: this.#log.firstIndex,
      lastIndex: this.#log.lastIndex,
      configuration: this.#configuration,
      rejoining: this.#rejoining,
      progress,
    };
  }

  // Time.

  tick(): void {
    this.#electionElapsed++;
    if (this.#role === 'leader') this.#tickLeader();
    else if (this.#electionElapsed >= this.#electionTimeout) this.campaign();
  }

  #tickLeader(): void {
    const { heartbeatTicks, electionTicks, checkQuorum } = this.#options;
    if (this.#electionElapsed >= electionTicks) {
      this.#electionElapsed = 0;
      // Given up: the target may be dead, and proposals are refused meanwhile (thesis §3.10).
      this.#transferee = undefined;
      if (checkQuorum && !this.#heardMajority()) {
        this.#becomeFollower(this.#term, undefined);
        return;
      }
    }
    for (const [id, progress] of this.#progress) {
      progress.readmission.tick();
      // A chunk, or its acknowledgement, was lost.
      if (progress.state === 'snapshot' && ++progress.chunkTicks >= electionTicks) this.#sendChunk(id, progress);
    }
    if (++this.#heartbeatElapsed >= heartbeatTicks) {
      this.#heartbeatElapsed = 0;
      this.#broadcastHeartbeat();
    }
  }

  /** Thesis §6.2: a leader that has heard from no majority for an election timeout steps down, so that its clients don't wait in vain. */
  #heardMajority(): boolean {
    const isHeard = (progress: Progress | undefined): boolean => progress?.recentActive === true && progress.readmission.nonce === 0;
    const heard = jointVote(this.#configuration, (id) => id === this.id || isHeard(this.#progress.get(id)));
    for (const progress of this.#progress.values()) progress.recentActive = false;
    return heard === 'won';
  }

  #resetElectionTimer(): void {
    const { electionTicks, heartbeatTicks, random } = this.#options;
    this.#electionElapsed = 0;
    if (this.#hastenedTicks > 0 && this.#hastenedTicks < electionTicks) {
      this.#electionTimeout = heartbeatTicks + random.below(this.#hastenedTicks);
      return;
    }
    this.#hastenedTicks = 0;
    // Randomised so that split votes are rare and resolve quickly (§5.2).
    this.#electionTimeout = electionTicks + random.below(electionTicks);
  }

  /** For scripts: fixes the current randomised timeout. */
  setRandomizedElectionTimeout(ticks: number): void {
    this.#electionTimeout = ticks;
  }

  // Elections (§5.2, §5.4.1; pre-vote: thesis §9.6).

  /** Stands for election now. Does nothing on a leader, a node without a vote or without its disk, or one that has not applied a configuration known to be committed. */
  campaign(): void {
    this.#hastenedTicks *= 2;
    this.#resetElectionTimer();
    if (this.#role === 'leader' || !this.#mayVote) return;
    // It might count votes by a configuration that is no longer in force.
    if (this.#log.peekCommitted().some((entry) => entry.kind === 'configuration')) return;
    if (this.#options.preVote) this.#becomePreCandidate();
    else this.#becomeCandidate(false);
  }

  get #mayVote(): boolean {
    return this.#rejoining === 0 && isVoter(this.#configuration, this.id);
  }

  #becomePreCandidate(): void {
    assert(this.#role !== 'leader', 'a leader does not become a pre-candidate');
    this.#role = 'precandidate';
    this.#setLeader(undefined);
    this.#askForVotes(true, this.#term + 1, false);
  }

  #becomeCandidate(transfer: boolean): void {
    assert(this.#role !== 'leader', 'a leader does not become a candidate');
    this.#role = 'candidate';
    this.#setLeader(undefined);
    this.#term++;
    this.#votedFor = this.id;
    this.#resetElectionTimer();
    this.#askForVotes(false, this.#term, transfer);
  }

  #askForVotes(preVote: boolean, term: Term, transfer: boolean): void {
    this.#votes.clear();
    const { lastIndex: lastLogIndex, lastTerm: lastLogTerm } = this.#log;
    // Its own vote counts when it is durable, like any other.
    this.#messagesAfterSave.push({ to: this.id, message: { type: 'RequestVoteResponse', term, preVote, voteGranted: true } });
    for (const id of members(this.#configuration)) {
      if (id === this.id || !isVoter(this.#configuration, id)) continue;
      this.#messagesAfterSave.push({ to: id, message: { type: 'RequestVote', term, preVote, lastLogIndex, lastLogTerm, transfer } });
    }
  }

  #onRequestVote(from: NodeId, message: RequestVote): void {
    const { term, preVote, lastLogIndex, lastLogTerm } = message;
    // One vote per term, first come first served (§5.2). A pre-vote for a later term binds nobody.
    const canVote =
      this.#votedFor === from || (this.#votedFor === undefined && this.#leader === undefined) || (preVote && term > this.#term);
    // Without its disk it may have voted already.
    const voteGranted = this.#rejoining === 0 && canVote && this.#log.isUpToDate({ index: lastLogIndex, term: lastLogTerm });
    if (voteGranted && !preVote) {
      this.#votedFor = from;
      // Gives the candidate time to win.
      this.#electionElapsed = 0;
    }
    // A granted pre-vote names the term it was asked for; a refusal names ours, so that a candidate that is behind learns of it.
    this.#send(from, { type: 'RequestVoteResponse', term: voteGranted ? term : this.#term, preVote, voteGranted });
  }

  #onVote(from: NodeId, preVote: boolean, voteGranted: boolean): void {
    if (this.#role !== (preVote ? 'precandidate' : 'candidate')) return;
    this.#votes.record(from, voteGranted);
    const result = this.#votes.result(this.#configuration);
    if (result === 'won') {
      if (preVote) this.#becomeCandidate(false);
      else this.#becomeLeader();
    } else if (result === 'lost') {
      this.#becomeFollower(this.#term, undefined);
    }
  }

  // Roles.

  #becomeFollower(term: Term, leader: NodeId | undefined): void {
    assert(term >= this.#term, 'the term never goes back');
    if (term > this.#term) {
      this.#term = term;
      this.#votedFor = undefined;
    }
    const wasLeader = this.#role === 'leader';
    this.#role = 'follower';
    this.#transferee = undefined;
    if (leader !== undefined) this.#hastenedTicks = 0;
    this.#setLeader(leader);
    this.#resetElectionTimer();
    if (!wasLeader) return;
    this.#progress.clear();
    this.#refuse(this.#rounds.clear());
    this.#refuse(this.#readRequests.splice(0));
  }

  #becomeLeader(): void {
    assert(this.#role === 'candidate', 'only a candidate becomes leader');
    this.#role = 'leader';
    this.#hastenedTicks = 0;
    this.#setLeader(this.id);
    this.#electionElapsed = 0;
    this.#heartbeatElapsed = 0;
    this.#uncommittedBytes = 0;
    this.#progress.clear();
    this.#followProgress();
    // An unapplied change may be anywhere in the log: none is proposed until all of it is applied.
    this.#pendingChangeIndex = this.#log.lastIndex;
    // Entries of earlier terms are committed only together with one of this term (§5.4.2, §8).
    this.#append('noop', emptyBytes, 1);
  }

  #setLeader(leader: NodeId | undefined): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    for (const context of this.#askedReads) this.#readsRefused.push(context);
    this.#askedReads.clear();
  }

  /** Gives every member a progress and forgets those that left. */
  #followProgress(): void {
    const { maxInflight, maxInflightBytes } = this.#options;
    const current = new Set(members(this.#configuration));
    for (const id of this.#progress.keys()) if (!current.has(id)) this.#progress.delete(id);
    for (const id of current) {
      if (this.#progress.has(id)) continue;
      const progress = new Progress(this.#log.lastIndex + 1, maxInflight, maxInflightBytes);
      // A newcomer has had no time to be heard.
      progress.recentActive = true;
      this.#progress.set(id, progress);
    }
  }

  // Messages.

  /** Takes a message of a peer, or of this node itself (see `Ready`). Whatever it says, it can't make the node stop. */
  step(from: NodeId, message: RaftMessage): void {
    if (message.term > this.#term) {
      if (!this.#onHigherTerm(from, message)) return;
    } else if (message.term < this.#term) {
      this.#onLowerTerm(from, message);
      return;
    }
    // A term has one leader (Election Safety, figure 3): who claims to be another is not believed.
    if (this.#role === 'leader' && isFromLeader(message)) return undefined;
    switch (message.type) {
      case 'RequestVote':
        return this.#onRequestVote(from, message);
      case 'RequestVoteResponse':
        return this.#onVote(from, message.preVote, message.voteGranted);
      case 'AppendEntries':
        return this.#onAppendEntries(from, message);
      case 'AppendEntriesResponse':
        return this.#onAppendEntriesResponse(from, message);
      case 'Heartbeat':
        return this.#onHeartbeat(from, message);
      case 'HeartbeatResponse':
        return this.#onHeartbeatResponse(from, message);
      case 'InstallSnapshot':
        return this.#onInstallSnapshot(from, message);
      case 'InstallSnapshotResponse':
        return this.#onInstallSnapshotResponse(from, message);
      case 'TimeoutNow':
        if (this.#role === 'follower' && from === this.#leader && this.#mayVote) this.#becomeCandidate(true);
        return undefined;
      case 'ReadIndex':
        if (this.#role === 'leader') this.#queueRead({ from, context: message.context });
        return undefined;
      case 'ReadIndexResponse':
        if (from === this.#leader && this.#askedReads.delete(message.context))
          this.#readStates.push({ context: message.context, index: message.index });
        return undefined;
    }
  }

  /** False when the message is to be ignored. */
  #onHigherTerm(from: NodeId, message: RaftMessage): boolean {
    if (message.type === 'RequestVote') {
      // Leader stickiness (thesis §4.2.3): who hears a live leader neither votes nor moves to the candidate's term, unless the leader itself asked for this.
      const hearsLeader = this.#options.checkQuorum && this.#leader !== undefined && this.#electionElapsed < this.#options.electionTicks;
      if (hearsLeader && this.#hastenedTicks === 0 && !message.transfer) return false;
      if (message.preVote) return true;
    }
    // A granted pre-vote carries the term that the candidate asked for, which nobody has reached yet.
    if (message.type === 'RequestVoteResponse' && message.preVote && message.voteGranted) {
      return message.term === this.#term + 1;
    }
    this.#becomeFollower(message.term, isFromLeader(message) ? from : undefined);
    return true;
  }

  #onLowerTerm(from: NodeId, message: RaftMessage): void {
    if (isFromLeader(message)) {
      // A node that came back with a higher term would, with pre-vote and check-quorum, neither be heard nor win: its answer makes the old leader step
      // down, and the next election takes it in.
      this.#reject(from, 0, { index: 0, term: 0 });
    } else if (message.type === 'RequestVote' && message.preVote) {
      // Tells a pre-candidate with an old term what the term is; without an answer it could stay behind for ever.
      this.#send(from, { type: 'RequestVoteResponse', term: this.#term, preVote: true, voteGranted: false });
    }
  }

  /** A message of this term's leader. */
  #hear(leader: NodeId): void {
    if (this.#role !== 'follower') this.#becomeFollower(this.#term, leader);
    this.#setLeader(leader);
    this.#electionElapsed = 0;
    if (this.#hastenedTicks > 0) {
      this.#hastenedTicks = 0;
      this.#resetElectionTimer();
    }
  }

  // Replication (§5.3).

  /** Appends `count` commands, encoded together, to the leader's log. Refused when not leader, handing over, or too much waits to be committed. */
  propose(data: Uint8Array, count = 1): ProposeResult {
    if (this.#role !== 'leader' || !this.#progress.has(this.id)) return { ok: false, refused: 'not-leader' };
    if (this.#transferee !== undefined) return { ok: false, refused: 'transferring' };
    // An empty queue takes anything, so that one large proposal is never refused for ever.
    if (this.#uncommittedBytes > 0 && this.#uncommittedBytes + data.length > this.#options.maxUncommittedBytes)
      return { ok: false, refused: 'busy' };
    this.#uncommittedBytes += data.length;
    return { ok: true, index: this.#append('command', data, count), term: this.#term };
  }

  #append(kind: EntryKind, data: Uint8Array, count: number): LogIndex {
    const index = this.#log.lastIndex + count;
    this.#log.append({ term: this.#term, index, count, kind, data });
    return index;
  }

  #onAppendEntries(from: NodeId, message: AppendEntries): void {
    this.#hear(from);
    const { prevLogIndex, prevLogTerm, entries, leaderCommit } = message;
    if (prevLogIndex < this.#log.committed) {
      // What is committed is agreed on: no need to compare what may be compacted away.
      this.#acknowledge(from, this.#log.committed);
      return;
    }
    if (!this.#log.matches({ index: prevLogIndex, term: prevLogTerm }) || !isContiguous(message)) {
      const conflict = this.#log.lastWithTermAtMost(Math.min(prevLogIndex, this.#log.lastIndex), prevLogTerm);
      this.#reject(from, prevLogIndex, conflict);
      return;
    }
    const matched = this.#log.merge({ index: prevLogIndex, term: prevLogTerm }, entries);
    // Not leaderCommit itself: what lies beyond the entries of this message may still be ours alone (figure 2, AppendEntries 5).
    const commit = Math.min(leaderCommit, matched);
    if (this.#log.termAt(commit) !== undefined) this.#log.commitTo(commit);
    this.#acknowledge(from, matched);
  }

  #acknowledge(to: NodeId, index: LogIndex): void {
    const { term } = this;
    const rejoining = this.#rejoining;
    this.#send(to, { type: 'AppendEntriesResponse', term, success: true, index, conflictIndex: 0, conflictTerm: 0, rejoining });
  }

  #reject(to: NodeId, index: LogIndex, { index: conflictIndex, term: conflictTerm }: Position): void {
    const { term } = this;
    const rejoining = this.#rejoining;
    this.#send(to, { type: 'AppendEntriesResponse', term, success: false, index, conflictIndex, conflictTerm, rejoining });
  }

  #onAppendEntriesResponse(from: NodeId, message: AppendEntriesResponse): void {
    const { success, index, conflictIndex, conflictTerm, rejoining } = message;
    const progress = this.#progress.get(from);
    if (this.#role !== 'leader' || progress === undefined) return;
    progress.recentActive = true;
    this.#hearRejoining(from, progress, rejoining);
    if (!success) {
      // Back to the last place where both logs may agree: never past its conflict, nor past our own last entry with a term that low.
      const agree = this.#log.lastWithTermAtMost(Math.min(conflictIndex, this.#log.endBefore(index)), conflictTerm).index;
      progress.onRejected(index, agree);
      return;
    }
    // Below the first index everything is committed, and so the same there; above, an index that ends no entry here is no answer to anything we sent.
    if (index >= this.#log.firstIndex && this.#log.termAt(index) === undefined) return;
    const isNews = progress.update(index);
    progress.inflights.freeTo(index);
    const isDone = progress.state === 'probe' || (progress.state === 'snapshot' && progress.match + 1 >= this.#log.firstIndex);
    if (isDone) progress.becomeReplicate();
    if (!isNews) return;
    this.#maybeCommit();
    if (from === this.#transferee && progress.match === this.#log.lastIndex) this.#send(from, { type: 'TimeoutNow', term: this.#term });
  }

  /** A member without its disk is taken in again by an entry: it is whole when it applies it, which the others have then committed. */
  #hearRejoining(id: NodeId, progress: Progress, nonce: number): void {
    const { readmission } = progress;
    const wasRejoining = readmission.nonce !== 0;
    progress.hearRejoining(nonce, this.#log.committed);
    // What it has acknowledged meanwhile counts from now on.
    if (wasRejoining && nonce === 0) this.#maybeCommit();
    if (this.#transferee !== undefined || !readmission.isDue(progress.match, this.#options.electionTicks)) return;
    this.#append('rejoin', encodeRejoin(id, nonce), 1);
  }

  /** §5.4.2: only entries of the current term are committed by counting; earlier ones with them. */
  #maybeCommit(): void {
    const reached = jointReached(this.#configuration, (id) => {
      const progress = this.#progress.get(id);
      return progress === undefined || progress.readmission.nonce !== 0 ? 0 : progress.match;
    });
    if (reached > this.#log.committed && this.#log.termAt(reached) === this.#term) this.#log.commitTo(reached);
  }

  /** Everything the followers lack, as far as their windows allow: one pass at the end of a turn, so that a turn's entries leave together. */
  #replicate(): void {
    for (const [id, progress] of this.#progress) {
      if (id === this.id) continue;
      while (!progress.isPaused && this.#sendAppend(id, progress));
    }
  }

  /** False when there is nothing (more) to send. */
  #sendAppend(to: NodeId, progress: Progress): boolean {
    const prevLogIndex = progress.next - 1;
    const prevLogTerm = this.#log.termAt(prevLogIndex);
    if (prevLogTerm === undefined) {
      this.#beginSnapshot(to, progress);
      return false;
    }
    const entries = this.#log.after(prevLogIndex, this.#options.maxSizePerMessage);
    const last = entries.at(-1);
    const isNewCommit = progress.sentCommit < this.#log.committed;
    if (last === undefined && !isNewCommit && progress.state === 'replicate') return false;
    progress.sentCommit = this.#log.committed;
    if (progress.state === 'probe') {
      progress.probeSent = true;
    } else if (last !== undefined) {
      progress.next = last.index + 1;
      progress.inflights.add(last.index, bytesOf(entries));
    }
    this.#send(to, { type: 'AppendEntries', term: this.#term, prevLogIndex, prevLogTerm, leaderCommit: this.#log.committed, entries });
    return last !== undefined;
  }

  #broadcastHeartbeat(): void {
    const context = this.#rounds.newest;
    for (const [id, progress] of this.#progress) {
      if (id === this.id) continue;
      // Never beyond what the follower is known to hold: it may not have our entries there.
      this.#send(id, { type: 'Heartbeat', term: this.#term, leaderCommit: Math.min(progress.match, this.#log.committed), context });
    }
  }

  #onHeartbeat(from: NodeId, { leaderCommit, context }: Heartbeat): void {
    this.#hear(from);
    const commit = Math.min(leaderCommit, this.#log.lastIndex);
    // What the leader knows to match may be what was lost: without its disk a node believes only entries.
    if (this.#rejoining === 0 && this.#log.termAt(commit) !== undefined) this.#log.commitTo(commit);
    this.#send(from, { type: 'HeartbeatResponse', term: this.#term, context, rejoining: this.#rejoining });
  }

  #onHeartbeatResponse(from: NodeId, { context, rejoining }: HeartbeatResponse): void {
    const progress = this.#progress.get(from);
    if (this.#role !== 'leader' || progress === undefined) return;
    progress.recentActive = true;
    this.#hearRejoining(from, progress, rejoining);
    // A probe, or the answer to it, may have been lost: another finds out.
    progress.probeSent = false;
    const isAllSent = progress.inflights.full || progress.next > this.#log.lastIndex;
    if (progress.state === 'replicate' && progress.match < this.#log.lastIndex && isAllSent) this.#mayBeStalled(progress);
    if (context === 0 || rejoining !== 0) return;
    for (const round of this.#rounds.onAck(from, context, this.#configuration)) this.#answer(round.requests, round.index);
  }

  /** Everything was sent, yet entries are not acknowledged: if nothing has moved by the next heartbeat's answer, a message was lost and no refusal will tell. */
  #mayBeStalled(progress: Progress): void {
    if (progress.stalledAt === progress.match) progress.becomeProbe();
    progress.stalledAt = progress.match;
  }

  /** A connection was lost. On a leader: find out anew what that follower holds. On a follower of that leader: don't wait for its silence to grow. */
  reportUnreachable(id: NodeId): void {
    const progress = this.#progress.get(id);
    if (this.#role === 'leader' && progress?.state === 'replicate') progress.becomeProbe();
    // A reset connection tells at once what silence would in an election timeout. A live leader is not disturbed: a pre-vote needs a majority that has lost
    // it too. Two that lost it together may tie, hence short waits that double. Not with leases, which rest on voters keeping to a leader for a time.
    if (this.#role !== 'follower' || id !== this.#leader || this.#options.readOnly === 'lease' || !this.#options.preVote) return;
    this.#hastenedTicks = this.#options.heartbeatTicks;
    this.#electionElapsed = 0;
    this.#electionTimeout = 1 + this.#options.random.below(this.#options.heartbeatTicks);
  }

  // Snapshots (§7).

  /** A snapshot of the local state machine is durable: slow followers may get it. */
  snapshotTaken(meta: SnapshotMeta): void {
    if (this.#newestSnapshot === undefined || meta.index >= this.#newestSnapshot.index) this.#newestSnapshot = meta;
  }

  /** The log up to `index` is covered by a durable snapshot: all but its last `keepBytes` are forgotten. Returns the last entry that is gone. */
  compact(index: LogIndex, keepBytes: number): Position {
    assert(index <= (this.#newestSnapshot?.index ?? 0), 'a log is compacted only up to its snapshot');
    return this.#log.compact(index, keepBytes);
  }

  /** The driver could not read or send a chunk (`ok` false), or the follower has the whole snapshot. */
  reportSnapshot(id: NodeId, ok: boolean): void {
    const progress = this.#progress.get(id);
    if (progress?.state !== 'snapshot') return;
    if (ok) progress.becomeProbe();
    // Sent again with the next tick.
    else progress.chunkTicks = this.#options.electionTicks;
  }

  #beginSnapshot(to: NodeId, progress: Progress): void {
    if (this.#newestSnapshot === undefined) return;
    progress.becomeSnapshot(this.#newestSnapshot);
    this.#sendChunk(to, progress);
  }

  #sendChunk(to: NodeId, progress: Progress): void {
    const newest = this.#newestSnapshot;
    // The one being sent was replaced, and its chunks are gone.
    if (newest !== undefined && newest.index !== progress.snapshot?.index) progress.becomeSnapshot(newest);
    if (progress.snapshot === undefined) return;
    progress.chunkTicks = 0;
    this.#snapshotSends.push({ to, term: this.#term, snapshot: progress.snapshot, chunk: progress.chunk });
  }

  #onInstallSnapshotResponse(from: NodeId, { index, nextChunk }: InstallSnapshotResponse): void {
    const progress = this.#progress.get(from);
    if (this.#role !== 'leader' || progress === undefined) return;
    progress.recentActive = true;
    if (progress.state !== 'snapshot' || progress.snapshot?.index !== index) return;
    progress.chunk = nextChunk;
    this.#sendChunk(from, progress);
  }

  #onInstallSnapshot(from: NodeId, message: InstallSnapshot): void {
    this.#hear(from);
    const { snapshot, chunk, chunks, data } = message;
    if (snapshot.index <= this.#log.committed) return this.#acknowledge(from, this.#log.committed);
    if (this.#log.matches(snapshot)) {
      // All of it is here already: only the news that it is committed was missing.
      this.#log.commitTo(snapshot.index);
      return this.#acknowledge(from, this.#log.committed);
    }
    if (this.#arriving?.meta.index !== snapshot.index || this.#arriving.meta.term !== snapshot.term || chunk === 0)
      this.#arriving = { meta: snapshot, next: 0 };
    const arriving = this.#arriving;
    if (chunk !== arriving.next || chunk >= chunks || this.#snapshotChunk !== undefined) {
      this.#send(from, { type: 'InstallSnapshotResponse', term: this.#term, index: snapshot.index, nextChunk: arriving.next });
      return undefined;
    }
    if (validateConfiguration(snapshot.configuration) !== undefined) return undefined;
    arriving.next++;
    this.#snapshotChunk = { snapshot, chunk, chunks, data };
    if (chunk < chunks - 1) {
      this.#send(from, { type: 'InstallSnapshotResponse', term: this.#term, index: snapshot.index, nextChunk: arriving.next });
      return undefined;
    }
    this.#arriving = undefined;
    this.#log.restore(snapshot);
    this.#configuration = snapshot.configuration;
    this.#newestSnapshot = snapshot;
    this.#acknowledge(from, snapshot.index);
    return undefined;
  }

  // Linearizable reads (thesis §6.4).

  /** Asks for an index to wait for; answered by `readStates` or `readsRefused` under the same context, which the caller chooses. */
  readIndex(context: number): void {
    if (this.#role === 'leader') {
      this.#queueRead({ from: this.id, context });
    } else if (this.#leader === undefined) {
      this.#readsRefused.push(context);
    } else {
      // Under one leader for a long time, questions that were lost add up: the oldest makes room.
      const [oldest] = this.#askedReads;
      if (oldest !== undefined && this.#askedReads.size >= maxQueuedReads) {
        this.#askedReads.delete(oldest);
        this.#readsRefused.push(oldest);
      }
      this.#askedReads.add(context);
      this.#send(this.#leader, { type: 'ReadIndex', term: this.#term, context });
    }
  }

  #queueRead(request: ReadRequest): void {
    if (this.#readRequests.length >= maxQueuedReads) this.#refuse([request]);
    else this.#readRequests.push(request);
  }

  /** All reads of a turn share one round. They wait for the first commit of this term: before it, the leader may not know what is committed (thesis §6.4). */
  #beginReads(): void {
    if (this.#readRequests.length === 0 || this.#log.termAt(this.#log.committed) !== this.#term) return;
    const requests = this.#readRequests.splice(0);
    const alone = jointVote(this.#configuration, (id) => (id === this.id ? true : undefined)) === 'won';
    if (alone || this.#options.readOnly === 'lease') {
      this.#answer(requests, this.#log.committed);
      return;
    }
    this.#refuse(this.#rounds.begin(this.#log.committed, requests, this.id));
    this.#broadcastHeartbeat();
  }

  #answer(requests: readonly ReadRequest[], index: LogIndex): void {
    for (const { from, context } of requests) {
      if (from === this.id) this.#readStates.push({ context, index });
      else this.#send(from, { type: 'ReadIndexResponse', term: this.#term, context, index });
    }
  }

  /** Those of other nodes find out by the change of leader, and ask again. */
  #refuse(requests: readonly ReadRequest[]): void {
    for (const { from, context } of requests) if (from === this.id) this.#readsRefused.push(context);
  }

  // Leadership transfer (thesis §3.10).

  /** Hands leadership over; false when this node is not the leader or the target has no vote. Proposals are refused until it is done or an election timeout has passed. */
  transferLeadership(to: NodeId): boolean {
    const progress = this.#progress.get(to);
    if (this.#role !== 'leader' || progress === undefined || to === this.id || !this.#configuration.voters.includes(to)) return false;
    if (progress.readmission.nonce !== 0) return false;
    this.#transferee = to;
    this.#electionElapsed = 0;
    if (progress.match === this.#log.lastIndex) this.#send(to, { type: 'TimeoutNow', term: this.#term });
    return true;
  }

  // Membership (§6; thesis §4).

  /** Proposes a change of the members. It takes effect when it is applied; one at a time. */
  proposeConfigChange(change: ConfigurationChange): ProposeResult {
    if (this.#role !== 'leader') return { ok: false, refused: 'not-leader' };
    if (this.#transferee !== undefined) return { ok: false, refused: 'transferring' };
    if (this.#pendingChangeIndex > this.#log.applied) return { ok: false, refused: 'change-pending' };
    const changed = changeConfiguration(this.#configuration, change);
    if (!changed.ok) return { ok: false, refused: 'invalid-change', reason: changed.reason };
    const index = this.#append('configuration', encodeConfigurationChange(change), 1);
    this.#pendingChangeIndex = index;
    return { ok: true, index, term: this.#term };
  }

  /** The driver applies a configuration entry: from now on it is in force. A change that doesn't fit any more changes nothing, on every node alike. */
  applyConfigChange(entry: Entry): Configuration {
    const change = decodeConfigurationChange(entry.data);
    const changed = change === undefined ? undefined : changeConfiguration(this.#configuration, change);
    if (changed?.ok !== true) return this.#configuration;
    this.#configuration = changed.configuration;
    if (this.#role !== 'leader') return this.#configuration;
    this.#followProgress();
    if (!isVoter(this.#configuration, this.id)) {
      // A leader that is no longer a voter has seen its own removal through (thesis §4.2.2).
      this.#becomeFollower(this.#term, undefined);
      return this.#configuration;
    }
    if (this.#transferee !== undefined && !this.#progress.has(this.#transferee)) this.#transferee = undefined;
    // A smaller quorum may have been reached already.
    this.#maybeCommit();
    this.#leaveJoint();
    return this.#configuration;
  }

  /** Any leader leaves a joint configuration that says so: the one that entered it may be gone. */
  #leaveJoint(): void {
    if (!isJoint(this.#configuration) || !this.#configuration.autoLeave || this.#pendingChangeIndex > this.#log.applied) return;
    this.#pendingChangeIndex = this.#append('configuration', encodeConfigurationChange(leaveJoint), 1);
  }

  // Handing out.

  /** Hands over the outstanding work, or undefined when there is none. The caller owns it from here on, in the order that `Ready` asks for. */
  takeReady(): Ready | undefined {
    if (this.#role === 'leader') {
      this.#leaveJoint();
      this.#beginReads();
      this.#replicate();
    }
    const entries = this.#log.takeUnsaved();
    const last = entries.at(-1);
    if (last !== undefined && this.#role === 'leader') {
      const message: AppendEntriesResponse = {
        type: 'AppendEntriesResponse',
        term: this.#term,
        success: true,
        index: last.index,
        conflictIndex: 0,
        conflictTerm: 0,
        rejoining: 0,
      };
      this.#messagesAfterSave.push({ to: this.id, message });
    }
    const committedEntries = this.#log.takeCommitted();
    for (const entry of committedEntries) {
      this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - entry.data.length);
      // Saved below in the same write as the entry, if that is not on disk yet.
      if (endsRejoining(entry, this.id, this.#rejoining)) this.#rejoining = 0;
    }
    const ready: Ready = {
      hardState: this.#takeHardState(entries.length > 0 || this.#snapshotChunk !== undefined),
      entries,
      messages: this.#messages,
      messagesAfterSave: this.#messagesAfterSave,
      committedEntries,
      snapshotChunk: this.#snapshotChunk,
      snapshotSends: this.#snapshotSends,
      readStates: this.#readStates,
      readsRefused: this.#readsRefused,
    };
    const isEmpty =
      ready.hardState === undefined &&
      ready.snapshotChunk === undefined &&
      [entries, ready.messages, ready.messagesAfterSave, committedEntries, ready.snapshotSends, ready.readStates, ready.readsRefused].every(
        (part) => part.length === 0,
      );
    if (isEmpty) return undefined;
    this.#messages = [];
    this.#messagesAfterSave = [];
    this.#snapshotChunk = undefined;
    this.#snapshotSends = [];
    this.#readStates = [];
    this.#readsRefused = [];
    return ready;
  }

  /**
   * The commit index alone is not worth a write. But it is saved with every entry: an entry that was appended after a configuration came into force proves that
   * configuration committed, and a node that forgot this in a crash could campaign by the one before and win a majority that no longer counts.
   */
  #takeHardState(isSaving: boolean): HardState | undefined {
    const now: HardState = {
      currentTerm: this.#term,
      votedFor: this.#votedFor,
      commitIndex: this.#log.committed,
      rejoining: this.#rejoining,
    };
    const saved = this.#savedHardState;
    const isVoteChanged = now.currentTerm !== saved.currentTerm || now.votedFor !== saved.votedFor || now.rejoining !== saved.rejoining;
    if (!isVoteChanged && !(isSaving && now.commitIndex !== saved.commitIndex)) return undefined;
    this.#savedHardState = now;
    return now;
  }

  /** A leader's messages need no write of its own (thesis §10.2.1); everybody else's promise what must be durable first. */
  #send(to: NodeId, message: RaftMessage): void {
    (this.#role === 'leader' ? this.#messages : this.#messagesAfterSave).push({ to, message });
  }
}

const isFromLeader = ({ type }: RaftMessage): boolean => type === 'AppendEntries' || type === 'Heartbeat' || type === 'InstallSnapshot';

const bytesOf = (entries: readonly Entry[]): number => entries.reduce((sum, entry) => sum + entry.data.length, 0);

/** A leader of ours sends entries without gaps; anything else is refused rather than believed. */
function isContiguous({ prevLogIndex, prevLogTerm, entries, term }: AppendEntries): boolean {
  let index = prevLogIndex;
  let lastTerm = prevLogTerm;
  for (const entry of entries) {
    if (entry.index - entry.count !== index || entry.term < lastTerm || entry.term > term) return false;
    index = entry.index;
    lastTerm = entry.term;
  }
  return true;
}
