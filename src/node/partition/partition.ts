import { byzantineQuorum } from '../../byzantine/quorum.ts';
import { directMembers } from '../../core/direct-members.ts';
import type { NodeId } from '../../core/ids.ts';
import type { Detector } from '../../detector/detector.ts';
import { fittingDetector } from '../../detector/fitting-detector.ts';
import { adoptionHeartbeats } from '../../detector/link-detector.ts';
import { classify, type View } from '../../partition/classify.ts';
import { emptyPart, type HealPart, type HealReport } from '../../partition/heal/heal-report.ts';
import { Heal, type HealFacts } from '../../partition/heal/heal.ts';
import type { Lease, Summary } from '../../partition/heal/summary.ts';
import { isStableSplit, PartitionWatch, type Standing } from '../../partition/partition-state.ts';
import { campaignDelay, mayLead } from '../../partition/placement.ts';
import { relayFor } from '../../partition/relay.ts';
import { directPace, gossipPace, hastyForMs, type Row, type RowPace } from '../../partition/row.ts';
import { SplitHistory } from '../../partition/split-history.ts';
import { decodePartitionFrame, encodePartitionFrame, type PartitionFrame, type Relayed } from '../../wire/partition.ts';
import type { NodeEvent } from '../event-log.ts';
import { LeaderPlace } from './leader-place.ts';
import type { PartitionOptions, PartitionPorts, PartitionView } from './partition-ports.ts';
import { Relays } from './relays.ts';
import { Rows } from './rows.ts';
import { gossipPart } from './split-gossip.ts';
import { isRequeue, SplitNotes } from './split-notes.ts';

/**
 * One node's part in knowing who hears whom: it watches its links, tells its row and hears the others', names the split and heals it. It decides nothing: Raft
 * goes by what Raft hears. Synchronous, without sockets and timers, as the replica is, so that the simulator runs it as it is.
 */
export class Partition {
  readonly #options: PartitionOptions;
  readonly #ports: PartitionPorts;
  #detector: Detector;
  readonly #rows: Rows;
  readonly #watch = new PartitionWatch();
  readonly #heal: Heal;
  readonly #startedMs: number;
  readonly history: SplitHistory;
  #rowDueMs = -Infinity;
  #publishDueMs = -Infinity;
  /** More members than can all tell each other directly. */
  #isLarge = false;
  /** Until then the others may not know yet that the cluster has become large, or small: this node does as both do. */
  #turningUntilMs = -Infinity;
  #unsettledMs = -Infinity;
  #view: View | undefined;
  /** Peers that were heard since the start, or whose rows go on, in a large cluster: before that, silence is no loss. */
  readonly #met = new Set<NodeId>();
  /** The cluster was whole once, or has had its time to become so. */
  #isIntroduced = false;
  #notes: SplitNotes | undefined;
  readonly #relays: Relays;
  readonly #place = new LeaderPlace();
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
    this.#detector = this.#detectorFor([], undefined, nowMs);
    const { self, boot, clusterTag } = options;
    this.#rows = new Rows({ self, clusterTag, boot, keys: ports.keys });
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
    const frame = decodePartitionFrame(this.#options.clusterTag, this.#rows.places, bytes);
    if (typeof frame === 'string') {
      this.framesRefused++;
      return;
    }
    if (frame.kind === 'relay') this.#onRelay(from, frame.relayed, nowMs);
    else if (frame.kind === 'rows') for (const row of frame.rows) this.#onRow(row, from, nowMs);
    else if (frame.kind === 'probe') this.#detector.step(from, frame.message, nowMs);
    else this.#heal.step(from, frame.message, this.#facts(), nowMs);
    this.#work(nowMs);
  }

  /** The gossip brings a row, which may be of any age and of anyone. */
  onGossip(bytes: Uint8Array): void {
    const row = this.#rows.decode(bytes);
    if (row === undefined) this.framesRefused++;
    else this.#onRow(row, undefined, this.#ports.clock.monotonicMs());
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
    const { members } = this.#rows.places;
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
    if (this.#isIntroduced) this.#detector.health.onLoopDelay(p99Ms);
  }

  tick(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    this.#rows.tick();
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

  get detector(): Pick<Detector, 'state' | 'evidence' | 'health' | 'isReachedByOthers'> {
    return this.#detector;
  }

  get isHealing(): boolean {
    return this.#heal.isActive;
  }

  row(node: NodeId): { readonly row: Row; readonly ageMs: number } | undefined {
    const [row, ageMs] = [this.#matrix.row(node), this.#matrix.ageMs(node, this.#ports.clock.monotonicMs())];
    return row !== undefined && ageMs !== undefined ? { row, ageMs } : undefined;
  }

  /** Members whose row says something of the present. */
  get freshRows(): number {
    const nowMs = this.#ports.clock.monotonicMs();
    return this.#rows.places.members.filter((node) => this.#matrix.isFresh(node, nowMs)).length;
  }

  get #matrix(): Rows['matrix'] {
    return this.#rows.matrix;
  }

  // Members.

  #followMembers(nowMs: number): void {
    const { members } = this.#ports.view();
    const { self } = this.#options;
    const before = this.#rows.places.members;
    if (members.length === before.length && before.every((member) => members.includes(member))) return;
    // A detector that is replaced must not take its last news with it.
    this.#followDetector(nowMs);
    this.#rows.setMembers(members);
    const isLarge = members.length > directMembers;
    if (isLarge !== this.#isLarge && before.length > 0) this.#turningUntilMs = nowMs + adoptionHeartbeats * this.#options.heartbeatMs;
    this.#isLarge = isLarge;
    const peers = members.filter((member) => member !== self);
    this.#detector = this.#detectorFor(peers, this.#detector, nowMs);
    this.#heal.setPeers(peers);
    this.#relays.keepOnly(members);
    this.#rowDueMs = nowMs;
  }

  #detectorFor(peers: readonly NodeId[], before: Detector | undefined, nowMs: number): Detector {
    const { self, boot, tickMs, heartbeatMs } = this.#options;
    // A life has room for a million refutations before the next one's number.
    const incarnation = boot * 2 ** 20;
    const options = { self, tickMs, heartbeatMs, random: this.#ports.random, incarnation };
    return fittingDetector(options, before, peers, nowMs);
  }

  // Rows.

  /** Rows go on every direct link. */
  #isDirect(nowMs: number): boolean {
    return !this.#isLarge || nowMs < this.#turningUntilMs;
  }

  #onRow(row: Row, from: NodeId | undefined, nowMs: number): void {
    const before = this.#matrix.row(row.node);
    const taken = this.#rows.take(row, from, nowMs);
    if (taken === 'forged') this.framesRefused++;
    if (taken !== 'news') return;
    this.#noteEdges(row, before?.heard ?? row.heard);
    if (row.node === from && row.boot !== before?.boot) this.#detector.onRestart(from, nowMs);
    if (this.#isLarge && this.#matrix.isFresh(row.node, nowMs)) this.#met.add(row.node);
    if (row.node === from && this.#heal.lost.includes(from) && this.#detector.state(from) === 'up')
      this.#heal.onBack(from, row.heard, nowMs);
  }

  #noteEdges(row: Row, before: readonly NodeId[]): void {
    const atMs = this.#ports.clock.unixMs();
    for (const peer of before) if (!row.heard.includes(peer)) this.history.note({ kind: 'edge', node: row.node, peer, heard: false }, atMs);
    for (const peer of row.heard) if (!before.includes(peer)) this.history.note({ kind: 'edge', node: row.node, peer, heard: true }, atMs);
  }

  /** Tells this node's row, and looks at all of them. */
  #look(nowMs: number): void {
    const { self } = this.#options;
    const { members } = this.#rows.places;
    // A node that was removed has no place in the matrix.
    if (!members.includes(self)) return;
    this.#matrix.pace = this.#isLarge || nowMs < this.#turningUntilMs ? gossipPace : directPace;
    const facts = this.#ports.view();
    const heard = members.filter((peer) => peer === self || (this.#met.has(peer) && this.#detector.isHeard(peer, nowMs)));
    const { term, leader, commitIndex } = facts;
    const electable = facts.isQuorum((node) => heard.includes(node));
    const before = this.#matrix.row(self);
    const { score, patience } = this.#detector.health;
    const row = this.#rows.tell({ heard, term, leader, commitIndex, electable, healing: this.#heal.isActive, score }, nowMs);
    this.#noteEdges(row, before?.heard ?? heard);
    if (before?.electable === false && electable && leader === undefined) this.#ports.campaignSoon();
    const electorate = { members, voters: facts.voters, byzantineQuorum: byzantineQuorum(members.length) };
    const view = classify(self, electorate, this.#matrix, nowMs, patience);
    this.#view = view;
    this.#tell(row, view, nowMs);
    this.#judge(view, nowMs);
    const isTurning = nowMs < this.#turningUntilMs;
    const isUnsettled = isTurning || this.#watch.isChanging || heard.some((peer) => this.#detector.state(peer) !== 'up');
    if (isUnsettled) this.#unsettledMs = nowMs;
    const pace: RowPace = this.#isDirect(nowMs) ? directPace : gossipPace;
    this.#rowDueMs = nowMs + (nowMs - this.#unsettledMs < hastyForMs ? pace.hastyMs : pace.periodMs);
    // While links come and go leadership stays where it is: it would have to come back.
    const isStable = isStableSplit(this.standing.state) && !this.#watch.isChanging;
    const hasQuorum = facts.isQuorum((voter) => voter === self || !this.#isCut(voter, nowMs));
    // By way of another node even who hears no majority may reach one.
    this.#ports.onUnheard(isStable && !hasQuorum && !view.raftOk);
    if (leader === self && isStable) this.#keepPlace(view, facts.voters, hasQuorum, nowMs);
    this.#noteLog(facts);
  }

  /** In a small cluster the direct way is the quick one, and the gossip's reaches who does not hear this node. */
  #tell(row: Row, view: View, nowMs: number): void {
    const isDirect = this.#isDirect(nowMs);
    if (!isDirect || nowMs >= this.#publishDueMs) {
      this.#publishDueMs = nowMs + gossipPace.periodMs;
      this.#ports.publish?.(this.#rows.encode(row));
    }
    if (!isDirect) return;
    const told = this.#encode({ kind: 'rows', rows: [row] });
    for (const peer of this.#rows.places.members) {
      if (peer === row.node) continue;
      const hearsay = this.#rows.hearsay(peer, view, nowMs);
      this.#ports.send(peer, hearsay.length === 0 ? told : this.#encode({ kind: 'rows', rows: [row, ...hearsay] }));
    }
  }

  /** Not heard, or does not hear this node, by its own word. */
  #isCut(peer: NodeId, nowMs: number): boolean {
    if (!this.#detector.isAudible(peer, nowMs)) return true;
    return this.#matrix.isFresh(peer, nowMs) && this.#matrix.row(peer)?.heard.includes(this.#options.self) === false;
  }

  #keepPlace(view: View, voters: readonly NodeId[], hasQuorum: boolean, nowMs: number): void {
    const advice = this.#place.advise(view, voters, hasQuorum, nowMs);
    if (advice === undefined) return;
    this.#ports.logger.info({ advice }, 'leadership belongs elsewhere');
    if (advice === 'resign') this.#ports.resign();
    else this.#ports.transferTo(advice.transferTo);
  }

  // States.

  #judge(view: View, nowMs: number): void {
    if (!this.#isIntroduced) {
      if (view.class !== 'none' && nowMs - this.#startedMs < this.#options.graceMs) return;
      this.#isIntroduced = true;
      this.#detector.health.onStarted();
    }
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
      this.#unsettledMs = nowMs;
      this.#ports.logger.info({ peer, state: to, ...evidence }, 'link');
      if (to === 'down') {
        this.#ports.onLost?.(peer, evidence?.measure === 'probe');
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
    return encodePartitionFrame(this.#options.clusterTag, this.#rows.places, frame);
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
