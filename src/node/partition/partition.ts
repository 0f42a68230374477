import { byzantineQuorum } from '../../byzantine/quorum.ts';
import type { Clock } from '../../core/clock.ts';
import type { LogIndex, NodeId, TaskId, Term } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import { LinkDetector } from '../../detector/link-detector.ts';
import { classify, type View } from '../../partition/classify.ts';
import { emptyPart, type HealPart, type HealReport } from '../../partition/heal/heal-report.ts';
import { Heal, type HealFacts } from '../../partition/heal/heal.ts';
import type { Lease, OwnLog, Summary } from '../../partition/heal/summary.ts';
import { Matrix } from '../../partition/matrix.ts';
import { isStableSplit, PartitionWatch, type Standing } from '../../partition/partition-state.ts';
import { campaignDelay, mayLead } from '../../partition/placement.ts';
import { relayFor } from '../../partition/relay.ts';
import { hastyRowPeriodMs, type Row, rowPeriodMs } from '../../partition/row.ts';
import { SplitHistory } from '../../partition/split-history.ts';
import type { Entry } from '../../raft/messages.ts';
import {
  decodePartitionFrame,
  encodePartitionFrame,
  type PartitionFrame,
  type Places,
  placesOf,
  type Relayed,
  signedRow,
} from '../../wire/partition.ts';
import type { NodeEvent } from '../event-log.ts';
import type { NodeKeys } from '../log-head.ts';
import { LeaderPlace } from './leader-place.ts';
import { Relays } from './relays.ts';
import type { Hold } from './returned-leases.ts';
import { gossipPart, type SplitGossip } from './split-gossip.ts';
import { isRequeue, SplitNotes, type Tallies } from './split-notes.ts';

/** A signature costs 60 us: so many rows of others are looked at between two ticks. */
const maxChecksPerTick = 64;

/** What the rest of the node tells of itself. */
export interface PartitionView extends Tallies {
  readonly members: readonly NodeId[];
  readonly voters: readonly NodeId[];
  /** Whether who hears these nodes hears enough voters to be elected. */
  readonly isQuorum: (isHeard: (node: NodeId) => boolean) => boolean;
  readonly leader: NodeId | undefined;
  readonly term: Term;
  readonly lastIndex: () => LogIndex;
  readonly snapshotIndex: () => LogIndex;
  readonly termAt: OwnLog['termAt'];
  /** The hash chain over what is applied. */
  readonly head: Summary['head'];
  readonly chainAt: OwnLog['chainAt'];
  /** Entries that gave way to a leader's since the last call. */
  readonly takeTruncated: () => readonly Entry[];
  /** Of the Byzantine votes. */
  readonly epoch: number;
  readonly matchIndex: (voter: NodeId) => LogIndex;
  /** Held by agents that are attached to this node. */
  readonly leases: () => readonly Lease[];
  /** Undefined for a task that is not known, or not any more. */
  readonly hold: (task: TaskId) => Hold | undefined;
  readonly appliedIndex: LogIndex;
}

export interface PartitionPorts {
  send(to: NodeId, frame: Uint8Array): void;
  /** Opens a fresh connection to the peer. */
  dial(peer: NodeId): void;
  /** A frame of `from` that came by way of another node. */
  onRelayed(from: NodeId, frame: Uint8Array): void;
  /** This node leads, and should not. */
  resign(): void;
  transferTo(node: NodeId): void;
  readonly keys: Pick<NodeKeys, 'sign' | 'verify'>;
  readonly gossip: SplitGossip;
  view(): PartitionView;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The standing has changed, or a split has healed. */
  onStanding?(standing: Standing, sides: View['sides'], report: HealReport | undefined): void;
  // For the simulator's checks.
  /** The frames of this peer are taken for lost. */
  onLost?(peer: NodeId): void;
  /** This leader says that all voters have the same log up to here. */
  onSettled?(index: LogIndex): void;
}

export interface PartitionOptions {
  readonly self: NodeId;
  /** This start of the node, counted durably: its rows outrank those of earlier ones. */
  readonly boot: number;
  readonly clusterTag: number;
  readonly heartbeatMs: number;
  /** How often `tick` is called. */
  readonly tickMs: number;
  /** For so long after its start a node may not have met everyone, or they each other, without anything being wrong. */
  readonly graceMs: number;
}

/**
 * One node's part in knowing who hears whom: it watches its links, tells its row and hears the others', names the split and heals it. It decides nothing: Raft
 * goes by what Raft hears. Synchronous, without sockets and timers, as the replica is, so that the simulator runs it as it is.
 */
export class Partition {
  readonly #options: PartitionOptions;
  readonly #ports: PartitionPorts;
  readonly #detector: LinkDetector;
  readonly #matrix = new Matrix();
  readonly #watch = new PartitionWatch();
  readonly #heal: Heal;
  readonly #startedMs: number;
  readonly history: SplitHistory;
  #places: Places = placesOf([]);
  #seq = 0;
  #rowDueMs = -Infinity;
  #view: View | undefined;
  /** Peers that were heard since the start: before that, silence is no loss. */
  readonly #met = new Set<NodeId>();
  /** The cluster was whole once, or has had its time to become so. */
  #isIntroduced = false;
  #notes: SplitNotes | undefined;
  readonly #relays: Relays;
  readonly #place = new LeaderPlace();
  /** Signatures of rows that were checked since the last tick. */
  #checks = 0;
  framesRelayed = 0;
  /** What the record of the open split was last told of the log. */
  #told: Pick<PartitionView, 'leader' | 'term' | 'commitIndex'> | undefined;
  framesRefused = 0;

  constructor(options: PartitionOptions, ports: PartitionPorts) {
    this.#options = options;
    this.#ports = ports;
    const nowMs = ports.clock.monotonicMs();
    this.#startedMs = nowMs;
    this.history = new SplitHistory(options.boot);
    this.#detector = new LinkDetector(
      { self: options.self, tickMs: options.tickMs, heartbeatMs: options.heartbeatMs, random: ports.random },
      nowMs,
    );
    const { self, boot, clusterTag } = options;
    this.#relays = new Relays({ self, clusterTag, boot, keys: ports.keys, nowMs });
    this.#heal = new Heal({ self, boot, random: ports.random });
  }

  // What happens to the node.

  /** A frame of the peer has come, of whatever kind. */
  heard(peer: NodeId): void {
    this.#met.add(peer);
    this.#detector.heard(peer, this.#ports.clock.monotonicMs());
  }

  onLink(peer: NodeId, up: boolean): void {
    // A connection that is there says nothing about frames that arrive; one that is gone says enough.
    if (!up) this.#detector.lost(peer, this.#ports.clock.monotonicMs());
  }

  /** A frame of this module (`isPartitionFrame`). */
  onFrame(from: NodeId, bytes: Uint8Array): void {
    this.heard(from);
    const nowMs = this.#ports.clock.monotonicMs();
    const frame = decodePartitionFrame(this.#options.clusterTag, this.#places, bytes);
    if (typeof frame === 'string') {
      this.framesRefused++;
      return;
    }
    if (frame.kind === 'relay') this.#onRelay(from, frame.relayed, nowMs);
    else if (frame.kind === 'rows') this.#onRows(from, frame.rows, nowMs);
    else if (frame.kind === 'probe') this.#detector.step(from, frame.message, nowMs);
    else this.#heal.step(from, frame.message, this.#facts(), nowMs);
    this.#work(nowMs);
  }

  /** What the log brought. */
  onEvents(events: readonly NodeEvent[]): void {
    if (this.history.open === undefined) return;
    for (const event of events) {
      if (event.kind !== 'task' || !isRequeue(event)) continue;
      this.#notes?.onRequeue();
      this.history.note({ kind: 'requeue', task: event.task, reason: event.reason ?? '' }, this.#ports.clock.unixMs());
    }
  }

  /**
   * Sends the frame by way of another node too, if the two seem not to hear each other and somebody hears both. Besides the direct way and never instead of it: rows
   * are late at times, and of a node that has yet to learn who is a member there are none.
   */
  relay(to: NodeId, frame: Uint8Array): void {
    if (this.#view === undefined || !this.#isIntroduced) return;
    const via = relayFor(this.#options.self, to, this.#view.graph, this.#matrix);
    const relayed = via && this.#relays.wrap(to, frame);
    if (relayed !== undefined && via !== undefined) this.#send(via, { kind: 'relay', relayed });
  }

  #onRelay(via: NodeId, relayed: Relayed, nowMs: number): void {
    const { from, to, frame } = relayed;
    const { members } = this.#places;
    if (!members.includes(from) || !members.includes(to)) this.framesRefused++;
    else if (to === this.#options.self) {
      if (this.#relays.isGenuine(relayed, nowMs)) this.#ports.onRelayed(from, frame);
      else this.framesRefused++;
    } else if (this.#relays.mayPass(via, relayed, nowMs)) {
      this.framesRelayed++;
      this.#send(to, { kind: 'relay', relayed });
    }
  }

  /** False when this candidate's row shows that it hears no majority, so that it could not lead (4.5). */
  mayLead(candidate: NodeId): boolean {
    return mayLead(candidate, this.#matrix, this.#ports.clock.monotonicMs());
  }

  /**
   * How much of an election timeout this node lets better placed ones go first (4.5). Only once it is sure that some links are lost and no node: right after a leader's death rows
   * differ for a moment.
   */
  get campaignDelay(): number {
    const { view, standing } = this;
    if (view === undefined || !standing.degraded || !isStableSplit(standing.state)) return 0;
    return campaignDelay(this.#options.self, this.#ports.view().voters, view.graph);
  }

  /** The event loop's delay since the last call, at its 99th percentile. */
  onLoopDelay(p99Ms: number): void {
    this.#detector.health.onLoopDelay(p99Ms);
  }

  tick(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    this.#checks = 0;
    this.#followMembers(nowMs);
    this.#detector.tick(nowMs, (peer) => this.#matrix.missedBy(peer, nowMs));
    this.#followDetector(nowMs);
    this.#heal.tick(this.#facts(), nowMs);
    if (nowMs >= this.#rowDueMs) this.#look(nowMs);
    this.#work(nowMs);
  }

  // What can be seen of it.

  get standing(): Standing {
    return this.#isIntroduced ? this.#watch.standing : { state: 'suspect', class: this.#view?.class ?? 'none', degraded: false };
  }

  /** As it was when the last row was told. */
  get view(): View | undefined {
    return this.#view;
  }

  get detector(): Pick<LinkDetector, 'state' | 'evidence' | 'health' | 'isReachedByOthers'> {
    return this.#detector;
  }

  get isHealing(): boolean {
    return this.#heal.isActive;
  }

  row(node: NodeId): { readonly row: Row; readonly ageMs: number } | undefined {
    const [row, ageMs] = [this.#matrix.row(node), this.#matrix.ageMs(node, this.#ports.clock.monotonicMs())];
    return row !== undefined && ageMs !== undefined ? { row, ageMs } : undefined;
  }

  // Rows.

  #followMembers(nowMs: number): void {
    const { members } = this.#ports.view();
    const { self } = this.#options;
    if (members.length === this.#places.members.length && this.#places.members.every((member) => members.includes(member))) return;
    this.#places = placesOf(members);
    const peers = members.filter((member) => member !== self);
    this.#detector.setPeers(peers, nowMs);
    this.#heal.setPeers(peers);
    this.#matrix.keepOnly(members);
    this.#relays.keepOnly(members);
    this.#rowDueMs = nowMs;
  }

  #onRows(from: NodeId, rows: readonly Row[], nowMs: number): void {
    for (const row of rows) {
      if (row.node === this.#options.self) continue;
      const heardBefore = this.#matrix.row(row.node)?.heard;
      if (!this.#matrix.isNews(row, nowMs)) continue;
      // Nobody speaks for another: a node's own row came over its own link, and what others pass on it has signed.
      if (row.node !== from && !this.#isSigned(row)) {
        this.framesRefused++;
        continue;
      }
      this.#matrix.put(row, nowMs);
      this.#noteEdges(row, heardBefore ?? row.heard);
      if (row.node === from && this.#heal.lost.includes(from) && this.#detector.state(from) === 'up')
        this.#heal.onBack(from, row.heard, nowMs);
    }
  }

  #isSigned(row: Row): boolean {
    if (++this.#checks > maxChecksPerTick) return false;
    return this.#ports.keys.verify(row.node, signedRow(this.#options.clusterTag, this.#places, row), row.signature);
  }

  #noteEdges(row: Row, before: readonly NodeId[]): void {
    const atMs = this.#ports.clock.unixMs();
    for (const peer of before) if (!row.heard.includes(peer)) this.history.note({ kind: 'edge', node: row.node, peer, heard: false }, atMs);
    for (const peer of row.heard) if (!before.includes(peer)) this.history.note({ kind: 'edge', node: row.node, peer, heard: true }, atMs);
  }

  /** Tells this node's row, and looks at all of them. */
  #look(nowMs: number): void {
    const { self } = this.#options;
    const { members } = this.#places;
    // A node that was removed has no place in the matrix.
    if (!members.includes(self)) return;
    const facts = this.#ports.view();
    const heard = members.filter((peer) => peer === self || (this.#met.has(peer) && this.#detector.isHeard(peer, nowMs)));
    const { term, leader, commitIndex } = facts;
    const electable = facts.isQuorum((node) => heard.includes(node));
    const own = { electable, healing: this.#heal.isActive, score: this.#detector.health.score };
    const unsigned = { node: self, boot: this.#options.boot, seq: ++this.#seq, heard, term, leader, commitIndex, ...own };
    const signature = this.#ports.keys.sign(signedRow(this.#options.clusterTag, this.#places, unsigned));
    const row: Row = { ...unsigned, signature };
    const before = this.#matrix.row(self)?.heard ?? heard;
    this.#matrix.put(row, nowMs);
    this.#noteEdges(row, before);
    const electorate = { members, voters: facts.voters, byzantineQuorum: byzantineQuorum(members.length) };
    const view = classify(self, electorate, this.#matrix, nowMs, this.#detector.health.patience);
    this.#view = view;
    const told = this.#encode({ kind: 'rows', rows: [row] });
    for (const peer of members) {
      if (peer === self) continue;
      const hearsay = this.#hearsay(peer, view, nowMs);
      this.#ports.send(peer, hearsay.length === 0 ? told : this.#encode({ kind: 'rows', rows: [row, ...hearsay] }));
    }
    const isHasty =
      view.class !== 'none' ||
      this.#watch.standing.state !== 'healthy' ||
      this.#heal.isActive ||
      heard.some((peer) => this.#detector.state(peer) !== 'up');
    this.#rowDueMs = nowMs + (isHasty ? hastyRowPeriodMs : rowPeriodMs);
    this.#judge(view, nowMs);
    if (leader === self && isStableSplit(this.standing.state)) this.#keepPlace(view, facts, nowMs);
    this.#noteLog(facts);
  }

  #keepPlace(view: View, { voters, isQuorum }: PartitionView, nowMs: number): void {
    const { self } = this.#options;
    const isCut = (voter: NodeId): boolean =>
      !this.#detector.isAudible(voter, nowMs) ||
      (this.#matrix.isFresh(voter, nowMs) && this.#matrix.row(voter)?.heard.includes(self) === false);
    const hasQuorum = isQuorum((voter) => voter === self || !isCut(voter));
    const advice = this.#place.advise(view, voters, hasQuorum, nowMs);
    if (advice === undefined) return;
    this.#ports.logger.info({ advice }, 'leadership belongs elsewhere');
    if (advice === 'resign') this.#ports.resign();
    else this.#ports.transferTo(advice.transferTo);
  }

  /** Rows that the peer can't have from their nodes: it does not hear them. */
  #hearsay(peer: NodeId, { graph }: View, nowMs: number): readonly Row[] {
    const { self } = this.#options;
    const theirs = this.#matrix.row(peer);
    if (graph.isComplete || theirs === undefined) return [];
    return this.#places.members
      .filter((node) => node !== peer && node !== self && !theirs.heard.includes(node) && this.#matrix.isFresh(node, nowMs))
      .flatMap((node) => this.#matrix.row(node) ?? []);
  }

  // States.

  #judge(view: View, nowMs: number): void {
    if (view.class === 'none' || nowMs - this.#startedMs >= this.#options.graceMs) this.#isIntroduced = true;
    if (!this.#isIntroduced) return;
    const { clock, logger } = this.#ports;
    if (!this.#watch.observe(view, nowMs)) return;
    const { standing } = this.#watch;
    const isTrouble = standing.state !== 'healthy' && standing.state !== 'healing';
    if (isTrouble && this.history.open === undefined) this.history.begin(clock.unixMs());
    if (isStableSplit(standing.state)) this.history.classified(standing.class, view.sides, clock.unixMs());
    this.history.note({ kind: 'state', ...standing }, clock.unixMs());
    logger.info({ ...standing, sides: view.sides }, 'partition');
    this.#ports.onStanding?.(standing, view.sides, undefined);
    if (standing.state === 'healthy') this.history.dismiss();
  }

  /** For the picture of a split: its leaders and commits, each as it was at its begin and whenever it changed. */
  #noteLog({ leader, term, commitIndex }: PartitionView): void {
    const atMs = this.#ports.clock.unixMs();
    const { self: node } = this.#options;
    const before = this.#told;
    this.#told = this.history.open === undefined ? undefined : { leader, term, commitIndex };
    if (this.#told === undefined) return;
    if (commitIndex !== before?.commitIndex) this.history.note({ kind: 'commit', node, index: commitIndex }, atMs);
    if (leader !== before?.leader || term !== before?.term) this.history.note({ kind: 'leader', node, leader, term }, atMs);
  }

  // Healing.

  #work(nowMs: number): void {
    this.#followDetector(nowMs);
    const ready = this.#heal.takeReady();
    if (ready !== undefined) {
      // A link that is held for flapping works: a fresh connection would break it once more.
      for (const peer of ready.dials) if (!this.#detector.isAudible(peer, nowMs)) this.#ports.dial(peer);
      for (const { to, message } of ready.messages) this.#send(to, { kind: 'heal', message });
      for (const { peer, summary } of ready.summaries) this.#onSummary(peer, summary);
      for (const peer of ready.diverged)
        this.#ports.logger.error({ peer }, 'RAFT_DIVERGENCE: this peer has committed something else; nothing is merged');
      if (ready.settledIndex !== undefined) this.#ports.onSettled?.(ready.settledIndex);
      if (ready.report !== undefined) this.#onReport(ready.report);
    }
    // A node that lost nobody itself has only seen the others heal.
    if (this.#watch.standing.state === 'healing' && !this.#heal.isActive) this.#becomeHealthy();
  }

  #followDetector(nowMs: number): void {
    const ready = this.#detector.takeReady();
    if (ready === undefined) return;
    for (const { to, message } of ready.messages) this.#send(to, { kind: 'probe', message });
    for (const { peer, to, evidence } of ready.changes) {
      if (!this.#met.has(peer)) continue;
      // Told at once: a row in time saves others a quarter of a second.
      this.#rowDueMs = Math.min(this.#rowDueMs, nowMs);
      this.#ports.logger.info({ peer, state: to, ...evidence }, 'link');
      if (to === 'down') {
        this.#ports.onLost?.(peer);
        this.#notes ??= this.#newNotes();
        this.#begin(peer);
        this.#ports.gossip.lostPeer(peer);
        this.#heal.onLost(peer, this.#facts(), nowMs);
      } else if (to === 'up' && this.#heal.lost.includes(peer)) {
        this.#heal.onBack(peer, this.#matrix.row(peer)?.heard ?? [], nowMs);
      }
    }
  }

  /** The record of a split begins with the first lost link, which the last row may already have told. */
  #begin(lost: NodeId): void {
    const { self } = this.#options;
    const atMs = this.#ports.clock.unixMs();
    if (this.history.open !== undefined) return;
    this.history.begin(atMs);
    if (this.#matrix.row(self)?.heard.includes(lost) === false)
      this.history.note({ kind: 'edge', node: self, peer: lost, heard: false }, atMs);
  }

  /** H4 and H5: what the peer knows by gossip is taken in, and what its agents hold is compared with the log. */
  #onSummary(peer: NodeId, { leases, gossip, commitIndex }: Summary): void {
    this.#ports.gossip.meetPeer(peer, gossip);
    this.#notes?.returned.add(leases, Math.max(commitIndex, this.#ports.view().commitIndex));
    this.history.note({ kind: 'merge', peer, what: `${leases.length} leases` }, this.#ports.clock.unixMs());
  }

  #onReport(report: HealReport): void {
    const nowMs = this.#ports.clock.unixMs();
    this.#ports.logger.info({ report }, 'healed');
    this.#ports.onStanding?.(this.#watch.standing, report.sides, report);
    this.history.classified(report.class, report.sides, nowMs);
    this.history.end(nowMs, report);
    this.#notes = undefined;
    this.#becomeHealthy();
  }

  #newNotes(): SplitNotes {
    const view = this.#ports.view();
    // What gave way before is not of this split.
    view.takeTruncated();
    this.#ports.gossip.beginSplit();
    return new SplitNotes(view, view.leases());
  }

  #becomeHealthy(): void {
    if (this.#view === undefined || !this.#watch.onHealed(this.#view)) return;
    this.history.end(this.#ports.clock.unixMs(), undefined);
    this.#ports.logger.info({ ...this.#watch.standing }, 'partition');
    this.#ports.onStanding?.(this.#watch.standing, this.#view.sides, undefined);
  }

  #facts(): HealFacts {
    const view = this.#ports.view();
    const { leader, term, commitIndex, termAt, matchIndex, voters } = view;
    const seen = this.#view;
    return {
      leader,
      term,
      commitIndex,
      termAt,
      chainAt: view.chainAt,
      matchIndex,
      voters,
      summary: () => summaryOf(view, this.#ports.gossip.digest, this.#notes?.heldBefore ?? view.leases()),
      rowsComplete: seen?.class === 'none',
      isHealing: (peer) => this.#matrix.row(peer)?.healing === true,
      isGossipMerged: (peer) => this.#ports.gossip.isMerged(peer),
      pendingLeases: this.#notes?.returned.pending(view.appliedIndex) ?? 0,
      part: () => this.#part(view),
      class: this.history.open?.class ?? 'none',
      sides: this.history.open?.sides ?? [],
      detectedMs: this.history.open?.detectedMs ?? 0,
      unixMs: this.#ports.clock.unixMs(),
    };
  }

  #part(view: PartitionView): HealPart {
    this.#notes?.addTruncated(view.takeTruncated());
    const own = this.#notes?.part(view, view.leader === this.#options.self, view.hold);
    return own === undefined ? emptyPart : { ...own, gossip: gossipPart(this.#ports.gossip.merged) };
  }

  #send(to: NodeId, frame: PartitionFrame): void {
    this.#ports.send(to, this.#encode(frame));
  }

  #encode(frame: PartitionFrame): Uint8Array {
    return encodePartitionFrame(this.#options.clusterTag, this.#places, frame);
  }
}

const summaryOf = (view: PartitionView, gossip: Summary['gossip'], leases: readonly Lease[]): Summary => ({
  epoch: view.epoch,
  term: view.term,
  lastIndex: view.lastIndex(),
  lastTerm: view.termAt(view.lastIndex()) ?? 0,
  commitIndex: view.commitIndex,
  commitTerm: view.termAt(view.commitIndex) ?? 0,
  head: view.head,
  snapshotIndex: view.snapshotIndex(),
  gossip,
  openVotes: view.votes.open,
  leases,
});
