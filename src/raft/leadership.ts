import { emptyBytes } from '../core/bytes.ts';
import type { LogIndex, NodeId, Term } from '../core/ids.ts';
import type { RaftOptions } from './config.ts';
import { changeConfiguration, isJoint, members } from './configuration.ts';
import { type ConfigurationChange, encodeConfigurationChange, leaveJoint } from './configuration-change.ts';
import { Lease } from './lease.ts';
import type { AppendEntriesResponse, Configuration, Entry, EntryKind, HeartbeatResponse, InstallSnapshotResponse } from './messages.ts';
import type { Outbox } from './outbox.ts';
import { Progress } from './progress.ts';
import { jointReached, jointVote } from './quorum.ts';
import type { RaftLog } from './raft-log.ts';
import { maxQueuedReads, ReadIndexRounds, type ReadRequest } from './read-index.ts';
import { encodeRejoin, endsRejoining } from './rejoin.ts';
import type { Snapshots } from './snapshots.ts';
import type { MemberStatus, ProposeResult } from './status.ts';

/** All that a node knows and does only because it leads a term: made when it is elected, thrown away when it steps down. */
export class Leadership {
  readonly #id: NodeId;
  readonly #options: RaftOptions;
  readonly #term: Term;
  readonly #log: RaftLog;
  readonly #snapshots: Snapshots;
  readonly #outbox: Outbox;
  #configuration: Configuration;
  readonly #progress = new Map<NodeId, Progress>();
  #heartbeatElapsed = 0;
  /** Ticks since a transfer began. */
  #transferElapsed = 0;
  #uncommittedBytes = 0;
  /** No configuration change is proposed before this index is applied. */
  #pendingChangeIndex: LogIndex;
  #transferee: NodeId | undefined;
  readonly #rounds = new ReadIndexRounds();
  #readRequests: ReadRequest[] = [];
  readonly #lease: Lease;

  /** The log, the snapshots and the outbox are the node's own. */
  constructor(
    options: RaftOptions,
    term: Term,
    configuration: Configuration,
    parts: { readonly log: RaftLog; readonly snapshots: Snapshots; readonly outbox: Outbox },
  ) {
    this.#id = options.id;
    this.#options = options;
    this.#term = term;
    this.#log = parts.log;
    this.#snapshots = parts.snapshots;
    this.#outbox = parts.outbox;
    this.#configuration = configuration;
    this.#lease = new Lease(options.leaseMs);
    this.#followProgress();
    // An unapplied change may be anywhere in the log: none is proposed until all of it is applied.
    this.#pendingChangeIndex = this.#log.lastIndex;
    // Entries of earlier terms are committed only together with one of this term (§5.4.2, §8).
    this.#append('noop', emptyBytes, 1);
  }

  status(): ReadonlyMap<NodeId, MemberStatus> {
    return new Map(
      [...this.#progress].map(([id, p]) => [
        id,
        {
          match: p.match,
          next: p.next,
          state: p.state,
          inflight: p.inflights.count,
          pendingSnapshot: p.snapshot?.index ?? 0,
          isRejoining: p.readmission.nonce !== 0,
        },
      ]),
    );
  }

  /** False when too few were heard: the node must step down. */
  tick(): boolean {
    const { heartbeatTicks, electionTicks, checkQuorum } = this.#options;
    // Given up: the target may be dead, and proposals are refused meanwhile (thesis §3.10).
    if (++this.#transferElapsed >= electionTicks) this.#transferee = undefined;
    for (const [id, progress] of this.#progress) {
      progress.silentTicks++;
      progress.readmission.tick();
      // A chunk, or its acknowledgement, was lost.
      if (progress.state === 'snapshot' && ++progress.chunkTicks >= electionTicks) this.#sendChunk(id, progress);
    }
    if (checkQuorum && !this.#hearsMajority()) return false;
    if (++this.#heartbeatElapsed >= heartbeatTicks) {
      this.#heartbeatElapsed = 0;
      this.#broadcastHeartbeat();
    }
    return true;
  }

  /** Thesis §6.2: a leader that has heard from no majority for an election timeout steps down, so that its clients don't wait in vain. */
  #hearsMajority(): boolean {
    const { electionTicks } = this.#options;
    const isHeard = (progress: Progress | undefined): boolean =>
      progress !== undefined && progress.silentTicks < electionTicks && progress.readmission.nonce === 0;
    return jointVote(this.#configuration, (id) => id === this.#id || isHeard(this.#progress.get(id))) === 'won';
  }

  /** Whatever has to happen before a turn's work is handed out. */
  finishTurn(nowMs: number | undefined): void {
    this.#lease.observe(nowMs);
    this.#leaveJoint();
    this.#beginReads();
    this.#replicate();
  }

  /** Its own entries up to `index` will be on disk: it counts itself by the same answer as everybody else. */
  acknowledgeOwn(index: LogIndex): void {
    this.#outbox.sendAfterSave(this.#id, {
      type: 'AppendEntriesResponse',
      term: this.#term,
      success: true,
      index,
      conflictIndex: 0,
      conflictTerm: 0,
      rejoining: 0,
    });
  }

  /** These were handed out to be applied. */
  noteCommitted(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - entry.data.length);
      if (entry.kind !== 'rejoin') continue;
      for (const [id, { readmission }] of this.#progress) if (endsRejoining(entry, id, readmission.nonce)) readmission.onEnded(entry.index);
    }
  }

  /** The node steps down. */
  end(): void {
    this.#refuse(this.#rounds.clear());
    this.#refuse(this.#readRequests.splice(0));
  }

  // Replication (§5.3).

  /** Appends `count` commands, encoded together. Refused when handing over, or when too much waits to be committed. */
  propose(data: Uint8Array, count: number, kind: 'command' | 'guarded'): ProposeResult {
    if (!this.#progress.has(this.#id)) return { ok: false, refused: 'not-leader' };
    if (this.#transferee !== undefined) return { ok: false, refused: 'transferring' };
    // An empty queue takes anything, so that one large proposal is never refused for ever.
    if (this.#uncommittedBytes > 0 && this.#uncommittedBytes + data.length > this.#options.maxUncommittedBytes)
      return { ok: false, refused: 'busy' };
    this.#uncommittedBytes += data.length;
    return { ok: true, index: this.#append(kind, data, count), term: this.#term };
  }

  #append(kind: EntryKind, data: Uint8Array, count: number): LogIndex {
    const index = this.#log.lastIndex + count;
    this.#log.append({ term: this.#term, index, count, kind, data });
    return index;
  }

  onAppendEntriesResponse(from: NodeId, message: AppendEntriesResponse): void {
    const { success, index, conflictIndex, conflictTerm, rejoining } = message;
    const progress = this.#progress.get(from);
    if (progress === undefined) return;
    progress.silentTicks = 0;
    this.#hearRejoining(from, progress, rejoining, success ? index : 0);
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
    // It has the snapshot, but the log was compacted beyond it meanwhile: the next one, at once (openraft afd6508b).
    else if (progress.snapshot !== undefined && progress.match >= progress.snapshot.index) progress.becomeProbe();
    if (!isNews) return;
    this.#maybeCommit();
    if (from === this.#transferee && progress.match === this.#log.lastIndex) this.#sendTimeoutNow(from);
  }

  /** A member without its disk is taken in again by an entry: it is whole when it applies it, which the others have then committed. */
  #hearRejoining(id: NodeId, progress: Progress, said: number, held: LogIndex): void {
    const { readmission } = progress;
    const wasRejoining = readmission.nonce !== 0;
    progress.hearRejoining(said, this.#log.committed, held);
    const { nonce } = readmission;
    if (nonce !== 0) this.#lease.forget(id);
    // What it has acknowledged meanwhile counts from now on.
    if (wasRejoining && nonce === 0) this.#maybeCommit();
    if (this.#transferee !== undefined || !readmission.isDue(progress.match, this.#options.electionTicks)) return;
    this.#append('rejoin', encodeRejoin(id, nonce), 1);
  }

  /** What a member is known to hold, and may be relied on to hold. */
  #counted(id: NodeId): LogIndex {
    const progress = this.#progress.get(id);
    return progress === undefined || progress.readmission.nonce !== 0 ? 0 : progress.match;
  }

  /** §5.4.2: only entries of the current term are committed by counting; earlier ones with them. */
  #maybeCommit(): void {
    const reached = jointReached(this.#configuration, (id) => this.#counted(id));
    if (reached > this.#log.committed && this.#log.termAt(reached) === this.#term) this.#log.commitTo(reached);
  }

  /** Everything the followers lack, as far as their windows allow: one pass at the end of a turn, so that a turn's entries leave together. */
  #replicate(): void {
    for (const [id, progress] of this.#progress) {
      if (id === this.#id) continue;
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
    this.#outbox.send(to, {
      type: 'AppendEntries',
      term: this.#term,
      prevLogIndex,
      prevLogTerm,
      leaderCommit: this.#log.committed,
      entries,
    });
    return last !== undefined;
  }

  #broadcastHeartbeat(): void {
    const context = this.#options.leaseMs > 0 ? this.#rounds.next() : this.#rounds.newest;
    this.#lease.onSend(context);
    for (const [id, progress] of this.#progress) {
      if (id === this.#id) continue;
      // Never beyond what the follower is known to hold: it may not have our entries there.
      this.#outbox.send(id, { type: 'Heartbeat', term: this.#term, leaderCommit: Math.min(progress.match, this.#log.committed), context });
    }
  }

  onHeartbeatResponse(from: NodeId, { context, rejoining, leaseMs }: HeartbeatResponse): void {
    const progress = this.#progress.get(from);
    if (progress === undefined) return;
    progress.silentTicks = 0;
    this.#hearRejoining(from, progress, rejoining, 0);
    // A probe, or the answer to it, may have been lost: another finds out.
    progress.probeSent = false;
    const isAllSent = progress.inflights.full || progress.next > this.#log.lastIndex;
    if (progress.state === 'replicate' && progress.match < this.#log.lastIndex && isAllSent) this.#mayBeStalled(progress);
    if (context === 0 || progress.readmission.nonce !== 0) return;
    this.#lease.onAck(from, context, leaseMs);
    for (const round of this.#rounds.onAck(from, context, this.#configuration)) this.#answer(round.requests, round.index);
  }

  /** Everything was sent, yet entries are not acknowledged: if nothing has moved by the next heartbeat's answer, a message was lost and no refusal will tell. */
  #mayBeStalled(progress: Progress): void {
    if (progress.stalledAt === progress.match) progress.becomeProbe();
    progress.stalledAt = progress.match;
  }

  /** A connection was lost: find out anew what that follower holds. */
  reportUnreachable(id: NodeId): void {
    const progress = this.#progress.get(id);
    if (progress?.state === 'replicate') progress.becomeProbe();
  }

  // Snapshots (§7).

  /** The driver could not read or send a chunk (`ok` false), or the follower has the whole snapshot. */
  reportSnapshot(id: NodeId, ok: boolean): void {
    const progress = this.#progress.get(id);
    if (progress?.state !== 'snapshot') return;
    if (ok) progress.becomeProbe();
    // Sent again with the next tick.
    else progress.chunkTicks = this.#options.electionTicks;
  }

  #beginSnapshot(to: NodeId, progress: Progress): void {
    const { newest } = this.#snapshots;
    if (newest === undefined) return;
    progress.becomeSnapshot(newest);
    this.#sendChunk(to, progress);
  }

  #sendChunk(to: NodeId, progress: Progress): void {
    const { newest } = this.#snapshots;
    // The one being sent was replaced, and its chunks are gone.
    if (newest !== undefined && newest.index !== progress.snapshot?.index) progress.becomeSnapshot(newest);
    if (progress.snapshot === undefined) return;
    progress.chunkTicks = 0;
    this.#outbox.sendChunk({ to, term: this.#term, snapshot: progress.snapshot, chunk: progress.chunk });
  }

  onInstallSnapshotResponse(from: NodeId, { index, nextChunk }: InstallSnapshotResponse): void {
    const progress = this.#progress.get(from);
    if (progress === undefined) return;
    progress.silentTicks = 0;
    if (progress.state !== 'snapshot' || progress.snapshot?.index !== index) return;
    progress.chunk = nextChunk;
    this.#sendChunk(from, progress);
  }

  // Linearizable reads (thesis §6.4).

  queueRead(request: ReadRequest): void {
    if (this.#readRequests.length >= maxQueuedReads) this.#refuse([request]);
    else this.#readRequests.push(request);
  }

  /** All reads of a turn share one round. They wait for the first commit of this term: before it, the leader may not know what is committed (thesis §6.4). */
  #beginReads(): void {
    if (this.#readRequests.length === 0 || this.#log.termAt(this.#log.committed) !== this.#term) return;
    const requests = this.#readRequests.splice(0);
    const alone = jointVote(this.#configuration, (id) => (id === this.#id ? true : undefined)) === 'won';
    if (alone || (this.#transferee === undefined && this.#lease.isHeld(this.#configuration, this.#id))) {
      this.#answer(requests, this.#log.committed);
      return;
    }
    this.#refuse(this.#rounds.begin(this.#log.committed, requests, this.#id));
    this.#broadcastHeartbeat();
  }

  #answer(requests: readonly ReadRequest[], index: LogIndex): void {
    for (const { from, context } of requests) {
      if (from === this.#id) this.#outbox.answerRead(context, index);
      else this.#outbox.send(from, { type: 'ReadIndexResponse', term: this.#term, context, index });
    }
  }

  /** Those of other nodes find out by the change of leader, and ask again. */
  #refuse(requests: readonly ReadRequest[]): void {
    for (const { from, context } of requests) if (from === this.#id) this.#outbox.refuseRead(context);
  }

  // Leadership transfer (thesis §3.10).

  /** Hands leadership over; false when the target is this node or has no vote. Proposals are refused until it is done or an election timeout has passed. */
  transfer(to: NodeId): boolean {
    const progress = this.#progress.get(to);
    if (progress === undefined || to === this.#id || !this.#configuration.voters.includes(to)) return false;
    if (progress.readmission.nonce !== 0) return false;
    this.#transferee = to;
    this.#transferElapsed = 0;
    if (progress.match === this.#log.lastIndex) this.#sendTimeoutNow(to);
    return true;
  }

  /** From now on, and however late it arrives, somebody may be elected by voters who keep to this leader. */
  #sendTimeoutNow(to: NodeId): void {
    this.#lease.giveUp();
    const leaderCommit = Math.min(this.#progress.get(to)?.match ?? 0, this.#log.committed);
    this.#outbox.send(to, { type: 'TimeoutNow', term: this.#term, leaderCommit });
  }

  /**
   * This leader goes: it has no vote any more (thesis §4.2.2), or hears too few. The voter that is furthest is asked to campaign at once, so that nobody has to notice the
   * silence first: it may be that only the way back is broken.
   */
  resign({ voters }: Configuration): void {
    const [best] = voters.filter((voter) => voter !== this.#id).toSorted((a, b) => this.#counted(b) - this.#counted(a));
    if (best !== undefined) this.#sendTimeoutNow(best);
  }

  // Membership (§6; thesis §4).

  /** Proposes a change of the members. It takes effect when it is applied; one at a time. */
  proposeConfigChange(change: ConfigurationChange): ProposeResult {
    if (this.#transferee !== undefined) return { ok: false, refused: 'transferring' };
    if (this.#pendingChangeIndex > this.#log.applied) return { ok: false, refused: 'change-pending' };
    const changed = changeConfiguration(this.#configuration, change);
    if (!changed.ok) return { ok: false, refused: 'invalid-change', reason: changed.reason };
    const index = this.#append('configuration', encodeConfigurationChange(change), 1);
    this.#pendingChangeIndex = index;
    return { ok: true, index, term: this.#term };
  }

  /** A configuration with this node as a voter came into force. */
  follow(configuration: Configuration): void {
    this.#configuration = configuration;
    this.#followProgress();
    if (this.#transferee !== undefined && !this.#progress.has(this.#transferee)) this.#transferee = undefined;
    // A smaller quorum may have been reached already.
    this.#maybeCommit();
    this.#leaveJoint();
  }

  /** Gives every member a progress and forgets those that left. */
  #followProgress(): void {
    const { maxInflight, maxInflightBytes } = this.#options;
    const current = new Set(members(this.#configuration));
    for (const [id, progress] of this.#progress) {
      if (current.has(id)) continue;
      // A last word, so that who has left learns it from its own log.
      if (id !== this.#id && progress.state !== 'snapshot') this.#sendAppend(id, progress);
      this.#progress.delete(id);
      this.#lease.forget(id);
    }
    for (const id of current) {
      if (this.#progress.has(id)) continue;
      this.#progress.set(id, new Progress(this.#log.lastIndex + 1, maxInflight, maxInflightBytes));
    }
  }

  /** Any leader leaves a joint configuration that says so: the one that entered it may be gone. */
  #leaveJoint(): void {
    if (!isJoint(this.#configuration) || !this.#configuration.autoLeave || this.#pendingChangeIndex > this.#log.applied) return;
    this.#pendingChangeIndex = this.#append('configuration', encodeConfigurationChange(leaveJoint), 1);
  }
}

const bytesOf = (entries: readonly Entry[]): number => entries.reduce((sum, entry) => sum + entry.data.length, 0);
