import { assert } from '../core/assert.ts';
import type { LogIndex, NodeId, Term } from '../core/ids.ts';
import { type RaftInitialState, type RaftOptions, validateRaftOptions } from './config.ts';
import { changeConfiguration, isVoter, members, validateConfiguration } from './configuration.ts';
import { type ConfigurationChange, decodeConfigurationChange } from './configuration-change.ts';
import { ElectionTimer } from './election-timer.ts';
import { Leadership } from './leadership.ts';
import type {
  AppendEntries,
  Configuration,
  Entry,
  HardState,
  Heartbeat,
  InstallSnapshot,
  RaftMessage,
  RequestVote,
  RequestVoteResponse,
  SnapshotMeta,
} from './messages.ts';
import { Outbox } from './outbox.ts';
import { type Position, RaftLog } from './raft-log.ts';
import { maxQueuedReads } from './read-index.ts';
import { endsRejoining } from './rejoin.ts';
import type { Ready } from './ready.ts';
import { Snapshots } from './snapshots.ts';
import type { ProposeResult, RaftStatus, Role } from './status.ts';
import { Votes } from './votes.ts';

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
  /** The last term in which its leader asked this node to campaign. */
  #askedTerm: Term | undefined;
  #leader: NodeId | undefined;
  #savedHardState: HardState;

  readonly #timer: ElectionTimer;
  readonly #votes = new Votes();
  readonly #snapshots = new Snapshots();
  readonly #outbox = new Outbox();
  /** Set while this node leads. */
  #leadership: Leadership | undefined;
  /** Reads of this node that were sent to the leader. */
  readonly #askedReads = new Set<number>();

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
    this.#timer = new ElectionTimer(options);
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

  /** Changes of the members after what is applied and up to the index: not in force yet. */
  changesUpTo(index: LogIndex): readonly Entry[] {
    return this.#log.unapplied(index).filter((entry) => entry.kind === 'configuration');
  }

  /** The term of the entry that ends at the index, if one here does. */
  termAt(index: LogIndex): Term | undefined {
    return this.#log.termAt(index);
  }

  /** The newest entries that gave way to a leader's since the last call: to tell whose they were. */
  takeTruncated(): readonly Entry[] {
    return this.#log.takeTruncated();
  }

  status(): RaftStatus {
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
      progress: this.#leadership?.status() ?? new Map(),
    };
  }

  // Time.

  tick(): void {
    if (this.#leadership === undefined) {
      if (!this.#timer.tick()) return;
      // Who may not stand still doesn't go on naming a leader that it no longer hears.
      if (!this.#mayVote) this.#setLeader(undefined);
      this.campaign();
    } else if (!this.#leadership.tick()) {
      this.resign();
    }
  }

  /** For scripts: fixes the current randomised timeout. */
  setRandomizedElectionTimeout(ticks: number): void {
    this.#timer.fix(ticks);
  }

  // Elections (§5.2, §5.4.1; pre-vote: thesis §9.6).

  /** Stands for election now. Does nothing on a leader, a node without a vote or without its disk, or one that has not applied a configuration known to be committed. */
  campaign(): void {
    this.#timer.slacken();
    if (this.#role === 'leader' || !this.#mayVote || this.#hasUnappliedChange) return;
    if (this.#options.preVote) this.#becomePreCandidate();
    else this.#becomeCandidate(false);
  }

  /** A leader that goes because it was removed asks for it and says that its removal is committed: that is applied first. */
  #campaignAsAsked(): void {
    if (this.#askedTerm !== this.#term || this.#role !== 'follower' || !this.#mayVote || this.#hasUnappliedChange) return;
    this.#becomeCandidate(true);
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
    this.#timer.reset();
    this.#askForVotes(false, this.#term, transfer);
  }

  #askForVotes(preVote: boolean, term: Term, transfer: boolean): void {
    this.#votes.clear();
    const { lastIndex: lastLogIndex, lastTerm: lastLogTerm } = this.#log;
    const known = this.#known();
    // Its own vote counts when it is durable, like any other.
    this.#outbox.sendAfterSave(this.id, { type: 'RequestVoteResponse', term, preVote, voteGranted: true, ...known });
    for (const id of members(this.#configuration)) {
      if (id === this.id || !isVoter(this.#configuration, id)) continue;
      this.#outbox.sendAfterSave(id, { type: 'RequestVote', term, preVote, lastLogIndex, lastLogTerm, transfer, ...known });
    }
  }

  #onRequestVote(from: NodeId, message: RequestVote): void {
    const { term, preVote, lastLogIndex, lastLogTerm } = message;
    this.#learnCommit(message);
    // One vote per term, first come first served (§5.2). A pre-vote for a later term binds nobody.
    const canVote =
      this.#votedFor === from || (this.#votedFor === undefined && this.#leader === undefined) || (preVote && term > this.#term);
    // Without its disk it may have voted already.
    const voteGranted = this.#rejoining === 0 && canVote && this.#log.isUpToDate({ index: lastLogIndex, term: lastLogTerm });
    if (voteGranted && !preVote) {
      this.#votedFor = from;
      // Gives the candidate time to win.
      this.#timer.restart();
    }
    // A granted pre-vote names the term it was asked for; a refusal names ours, so that a candidate that is behind learns of it.
    this.#vote(from, voteGranted ? term : this.#term, preVote, voteGranted);
  }

  #vote(to: NodeId, term: Term, preVote: boolean, voteGranted: boolean): void {
    this.#send(to, { type: 'RequestVoteResponse', term, preVote, voteGranted, ...this.#known() });
  }

  #known(): Pick<RequestVote, 'commitIndex' | 'commitTerm'> {
    const commitIndex = this.#log.committed;
    return { commitIndex, commitTerm: this.#log.termAt(commitIndex) ?? 0 };
  }

  /**
   * What the sender knows to be committed is committed here too if it is in this log: an index and a term name one entry (Log Matching, figure 3). Without this a
   * cluster could stand still: the only voters of a new configuration may not know that it is in force, and then need the votes of nodes that know, have
   * longer logs, and stand for election no more (etcd #12359; the remedy is raft-rs's).
   */
  #learnCommit({ commitIndex, commitTerm }: Pick<RequestVote, 'commitIndex' | 'commitTerm'>): void {
    if (commitIndex === 0 || this.#role === 'leader' || !this.#log.matches({ index: commitIndex, term: commitTerm })) return;
    this.#log.commitTo(commitIndex);
    // It may be counting votes by a configuration that is no longer in force.
    const isCandidate = this.#role === 'candidate' || this.#role === 'precandidate';
    if (isCandidate && this.#hasUnappliedChange) this.#becomeFollower(this.#term, undefined);
  }

  /** A configuration is known to be committed and not yet in force here. */
  get #hasUnappliedChange(): boolean {
    return this.#log.peekCommitted().some((entry) => entry.kind === 'configuration');
  }

  #onVote(from: NodeId, message: RequestVoteResponse): void {
    const { preVote, voteGranted } = message;
    this.#learnCommit(message);
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
    this.#role = 'follower';
    if (leader !== undefined) this.#timer.calm();
    this.#setLeader(leader);
    this.#timer.reset();
    this.#leadership?.end();
    this.#leadership = undefined;
  }

  #becomeLeader(): void {
    assert(this.#role === 'candidate', 'only a candidate becomes leader');
    this.#role = 'leader';
    this.#timer.calm();
    this.#timer.restart();
    this.#setLeader(this.id);
    const parts = { log: this.#log, snapshots: this.#snapshots, outbox: this.#outbox };
    this.#leadership = new Leadership(this.#options, this.#term, this.#configuration, parts);
  }

  #setLeader(leader: NodeId | undefined): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    for (const context of this.#askedReads) this.#outbox.refuseRead(context);
    this.#askedReads.clear();
  }

  // Messages.

  /** Takes a message of a peer, or of this node itself (see `Ready`). Whatever it says, it can't make the node stop. */
  step(from: NodeId, message: RaftMessage): void {
    // Whatever becomes of its term: docs/raft.md has the histories that break without this.
    if (message.type === 'RequestVote' && message.term >= this.#term && !message.transfer && this.#timer.isBound) return undefined;
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
        return this.#onVote(from, message);
      case 'AppendEntries':
        return this.#onAppendEntries(from, message);
      case 'AppendEntriesResponse':
        return this.#leadership?.onAppendEntriesResponse(from, message);
      case 'Heartbeat':
        return this.#onHeartbeat(from, message);
      case 'HeartbeatResponse':
        return this.#leadership?.onHeartbeatResponse(from, message);
      case 'InstallSnapshot':
        return this.#onInstallSnapshot(from, message);
      case 'InstallSnapshotResponse':
        return this.#leadership?.onInstallSnapshotResponse(from, message);
      case 'TimeoutNow':
        if (from !== this.#leader) return undefined;
        this.#commitAsTold(message.leaderCommit);
        this.#askedTerm = this.#term;
        return this.#campaignAsAsked();
      case 'ReadIndex':
        return this.#leadership?.queueRead({ from, context: message.context });
      case 'ReadIndexResponse':
        if (from === this.#leader && this.#askedReads.delete(message.context)) this.#outbox.answerRead(message.context, message.index);
        return undefined;
    }
  }

  /** False when the message is to be ignored. */
  #onHigherTerm(from: NodeId, message: RaftMessage): boolean {
    if (message.type === 'RequestVote') {
      // Leader stickiness (thesis §4.2.3): who hears a live leader neither votes nor moves to the candidate's term, unless the leader itself asked for this.
      const hearsLeader = this.#options.checkQuorum && this.#leader !== undefined && this.#timer.hasHeardLately;
      if (hearsLeader && !message.transfer) return false;
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
      this.#vote(from, this.#term, true, false);
    }
  }

  /** A message of this term's leader. */
  #hear(leader: NodeId): void {
    if (this.#role !== 'follower') this.#becomeFollower(this.#term, leader);
    this.#setLeader(leader);
    this.#timer.hear();
  }

  // Replication (§5.3).

  /** Appends `count` commands, encoded together, to the leader's log. Refused when not leader, handing over, or too much waits to be committed. */
  propose(data: Uint8Array, count = 1, kind: 'command' | 'guarded' = 'command'): ProposeResult {
    return this.#leadership?.propose(data, count, kind) ?? notLeader;
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
    this.#answerAppend(to, true, index, { index: 0, term: 0 });
  }

  #reject(to: NodeId, index: LogIndex, conflict: Position): void {
    this.#answerAppend(to, false, index, conflict);
  }

  #answerAppend(to: NodeId, success: boolean, index: LogIndex, { index: conflictIndex, term: conflictTerm }: Position): void {
    const rejoining = this.#rejoining;
    this.#send(to, { type: 'AppendEntriesResponse', term: this.#term, success, index, conflictIndex, conflictTerm, rejoining });
  }

  #commitAsTold(leaderCommit: LogIndex): void {
    const commit = Math.min(leaderCommit, this.#log.lastIndex);
    // What the leader knows to match may be what was lost: without its disk a node believes only entries.
    if (this.#rejoining === 0 && this.#log.termAt(commit) !== undefined) this.#log.commitTo(commit);
  }

  #onHeartbeat(from: NodeId, { leaderCommit, context }: Heartbeat): void {
    this.#hear(from);
    this.#commitAsTold(leaderCommit);
    const leaseMs = this.#rejoining === 0 ? this.#options.leaseMs : 0;
    this.#send(from, { type: 'HeartbeatResponse', term: this.#term, context, rejoining: this.#rejoining, leaseMs });
  }

  /** A connection was lost. On a leader: find out anew what that follower holds. On a follower of that leader: don't wait for its silence to grow. */
  reportUnreachable(id: NodeId): void {
    this.#leadership?.reportUnreachable(id);
    // A reset connection tells at once what silence would in an election timeout. A live leader is not disturbed: a pre-vote needs a majority that has lost
    // it too. Not with leases, which rest on voters keeping to a leader for a time.
    if (this.#role !== 'follower' || id !== this.#leader || this.#options.leaseMs > 0 || !this.#options.preVote) return;
    this.#timer.hasten();
  }

  // Snapshots (§7).

  /** A snapshot of the local state machine is durable: slow followers may get it. */
  snapshotTaken(meta: SnapshotMeta): void {
    this.#snapshots.taken(meta);
  }

  /** The log up to `index` is covered by a durable snapshot: all but its last `keepBytes` are forgotten. Returns the last entry that is gone. */
  compact(index: LogIndex, keepBytes: number): Position {
    assert(index <= (this.#snapshots.newest?.index ?? 0), 'a log is compacted only up to its snapshot');
    return this.#log.compact(index, keepBytes);
  }

  /** The driver could not read or send a chunk (`ok` false), or the follower has the whole snapshot. */
  reportSnapshot(id: NodeId, ok: boolean): void {
    this.#leadership?.reportSnapshot(id, ok);
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
    const wanted = this.#snapshots.wanted(snapshot, chunk);
    if (chunk !== wanted || chunk >= chunks || this.#outbox.hasChunk) return this.#wantChunk(from, snapshot, wanted);
    if (validateConfiguration(snapshot.configuration) !== undefined) return undefined;
    const next = this.#snapshots.advance();
    this.#outbox.saveChunk({ snapshot, chunk, chunks, data });
    if (next < chunks) return this.#wantChunk(from, snapshot, next);
    this.#snapshots.arrived(snapshot);
    this.#log.restore(snapshot);
    this.#configuration = snapshot.configuration;
    return this.#acknowledge(from, snapshot.index);
  }

  #wantChunk(from: NodeId, { index }: SnapshotMeta, nextChunk: number): void {
    this.#send(from, { type: 'InstallSnapshotResponse', term: this.#term, index, nextChunk });
  }

  // Linearizable reads (thesis §6.4).

  /** Asks for an index to wait for; answered by `readStates` or `readsRefused` under the same context, which the caller chooses. */
  readIndex(context: number): void {
    if (this.#leadership !== undefined) {
      this.#leadership.queueRead({ from: this.id, context });
    } else if (this.#leader === undefined) {
      this.#outbox.refuseRead(context);
    } else {
      // Under one leader for a long time, questions that were lost add up: the oldest makes room.
      const [oldest] = this.#askedReads;
      if (oldest !== undefined && this.#askedReads.size >= maxQueuedReads) {
        this.#askedReads.delete(oldest);
        this.#outbox.refuseRead(oldest);
      }
      this.#askedReads.add(context);
      this.#send(this.#leader, { type: 'ReadIndex', term: this.#term, context });
    }
  }

  // Leadership transfer (thesis §3.10).

  /** Hands leadership over; false when this node is not the leader or the target has no vote. Proposals are refused until it is done or an election timeout has passed. */
  transferLeadership(to: NodeId): boolean {
    return this.#leadership?.transfer(to) ?? false;
  }

  /** A leader goes by itself: it is no voter any more, or not connected with a majority. */
  resign(): void {
    if (this.#leadership === undefined) return;
    this.#leadership.resign(this.#configuration);
    this.#becomeFollower(this.#term, undefined);
  }

  /** The driver hears a majority again: where there is no leader, nobody need wait out an election timeout to find one. A pre-vote keeps it from disturbing one. */
  campaignSoon(): void {
    if (this.#leader === undefined && this.#options.leaseMs === 0 && this.#options.preVote) this.#timer.hasten();
  }

  // Membership (§6; thesis §4).

  /** Proposes a change of the members. It takes effect when it is applied; one at a time. */
  proposeConfigChange(change: ConfigurationChange): ProposeResult {
    return this.#leadership?.proposeConfigChange(change) ?? notLeader;
  }

  /** The driver applies a configuration entry: from now on it is in force. A change that doesn't fit any more changes nothing, on every node alike. */
  applyConfigChange(entry: Entry): Configuration {
    const change = decodeConfigurationChange(entry.data);
    const changed = change === undefined ? undefined : changeConfiguration(this.#configuration, change);
    if (changed?.ok === true) this.#enter(changed.configuration);
    this.#campaignAsAsked();
    return this.#configuration;
  }

  #enter(configuration: Configuration): void {
    this.#configuration = configuration;
    if (isVoter(configuration, this.id)) {
      this.#leadership?.follow(configuration);
    } else if (this.#leadership !== undefined) {
      // It has seen its own removal through (thesis §4.2.2).
      this.resign();
    }
  }

  // Handing out.

  /**
   * Hands over the outstanding work, or undefined when there is none. The caller owns it from here on, in the order that `Ready` asks for.
   * `nowMs`: the driver's monotonic clock, read after all reads in question were asked and before anything of this leaves; without it there are no leases.
   */
  takeReady(nowMs?: number): Ready | undefined {
    this.#leadership?.finishTurn(nowMs);
    const entries = this.#log.takeUnsaved();
    const last = entries.at(-1);
    if (last !== undefined) this.#leadership?.acknowledgeOwn(last.index);
    const committedEntries = this.#log.takeCommitted();
    this.#leadership?.noteCommitted(committedEntries);
    // Saved below in the same write as the entry, if that is not on disk yet.
    if (committedEntries.some((entry) => endsRejoining(entry, this.id, this.#rejoining))) this.#rejoining = 0;
    const hardState = this.#takeHardState(entries.length > 0 || this.#outbox.hasChunk);
    if (hardState === undefined && entries.length === 0 && committedEntries.length === 0 && this.#outbox.isEmpty) return undefined;
    return this.#outbox.take({ hardState, entries, committedEntries });
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
    if (this.#leadership === undefined) this.#outbox.sendAfterSave(to, message);
    else this.#outbox.send(to, message);
  }
}

const notLeader: ProposeResult = { ok: false, refused: 'not-leader' };

const isFromLeader = ({ type }: RaftMessage): boolean => type === 'AppendEntries' || type === 'Heartbeat' || type === 'InstallSnapshot';

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
