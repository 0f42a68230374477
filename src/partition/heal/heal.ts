import type { LogIndex, NodeId, Term } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import type { SplitClass } from '../classify.ts';
import { DialPlan } from './dial-plan.ts';
import { EdgeCheck } from './edge-check.ts';
import { type HealPart, type HealReport, mergeParts } from './heal-report.ts';
import type { HealMessage, OutgoingHeal } from './messages.ts';
import { isPrefix, type OwnLog, type Summary } from './summary.ts';

/** How often what was not answered is said again. */
const resendMs = 100;
/** How long all rows must have been complete (H7): three rows of the hasty period. */
const completeForMs = 150;
/** A leader that has settled so recently repeats its report to those who missed it. */
const recentMs = 10_000;

/** What the heal has to know of the rest of the node, at the moment it is asked. */
export interface HealFacts {
  readonly leader: NodeId | undefined;
  readonly term: Term;
  readonly commitIndex: LogIndex;
  readonly termAt: OwnLog['termAt'];
  readonly chainAt: OwnLog['chainAt'];
  readonly summary: () => Summary;
  /** How far each voter's log agrees with ours; asked of a leader only. */
  readonly matchIndex: (voter: NodeId) => LogIndex;
  readonly voters: readonly NodeId[];
  /** Every member's row is fresh and names every member. */
  readonly rowsComplete: boolean;
  /** By its newest row, the peer has not been told yet that all is whole. */
  readonly isHealing: (peer: NodeId) => boolean;
  /** All is here that this peer knew by gossip when it came back. */
  readonly isGossipMerged: (peer: NodeId) => boolean;
  /** Leases that came with returning nodes and are not judged yet (H5). */
  readonly pendingLeases: number;
  /** What this node did since the split began. */
  readonly part: () => HealPart;
  readonly class: SplitClass;
  readonly sides: readonly (readonly NodeId[])[];
  /** From the first loss to a stable class; 0 while there is none. */
  readonly detectedMs: number;
  readonly unixMs: number;
}

/** Where a peer is on its way back: out of reach; its link is being checked (H1); its summary is awaited (H2); it is whole, as far as this node can tell. */
type Way = 'lost' | 'checking' | 'comparing' | 'whole' | 'diverged';

interface Peer {
  way: Way;
  readonly check: EdgeCheck;
  summary: Summary | undefined;
  saidMs: number;
  /** Its summary came after it had been lost. */
  hasMet: boolean;
}

/** One heal, from the first lost link to the leader's word that all is whole. */
interface Course {
  /** Of this node: counts its heals. */
  readonly number: number;
  readonly startMs: number;
  readonly startUnixMs: number;
  readonly leaderBefore: NodeId | undefined;
  readonly termBefore: Term;
  /** When the first link was back. */
  backMs: number | undefined;
  /** The highest commit index that was met (H2): what everyone must have. */
  targetIndex: LogIndex;
  relapses: number;
  completeSinceMs: number | undefined;
  toldMs: number;
}

export interface HealReady {
  readonly dials: readonly NodeId[];
  readonly messages: readonly OutgoingHeal[];
  /** Of peers that are back: what they know by gossip is to be exchanged now (H4), and the leases they report to be compared (H5). */
  readonly summaries: readonly { readonly peer: NodeId; readonly summary: Summary }[];
  /** Peers that committed something else than we did: they get nothing from us and we nothing from them. */
  readonly diverged: readonly NodeId[];
  readonly report: HealReport | undefined;
  /** At the leader that settled the heal: up to here every voter has the same log. */
  readonly settledIndex: LogIndex | undefined;
}

/**
 * The heal protocol, H0 to H7, one node's part. Every node dials, checks and compares for itself; the Raft leader says when all is whole, and writes the report.
 * Nothing stops meanwhile, and nothing is decided here: the log, fences and certificates decide what stays.
 *
 * It can be entered anew at any point: a peer that is lost again begins again, whatever the others do, and the heal ends when the last one is whole. Every message may
 * be lost, repeated or late.
 */
export class Heal {
  readonly #self: NodeId;
  readonly #boot: number;
  readonly #plan: DialPlan;
  readonly #peers = new Map<NodeId, Peer>();
  /** A leader's: who told that it is mended, in which of its heals, and what it did. */
  readonly #mended = new Map<NodeId, { readonly heal: number; readonly part: HealPart }>();
  #nonce: number;
  #count = 0;
  #course: Course | undefined;
  #last: { readonly report: HealReport; readonly atMs: number } | undefined;
  #ready: { -readonly [Name in keyof HealReady]: HealReady[Name] extends readonly (infer Item)[] ? Item[] : HealReady[Name] } = empty();

  constructor(init: { readonly self: NodeId; readonly boot: number; readonly random: Random }) {
    this.#self = init.self;
    this.#boot = init.boot;
    this.#plan = new DialPlan(init.self, init.random);
    this.#nonce = init.random.below(2 ** 32);
  }

  /** True from the first lost link until the leader's word that all is whole. */
  get isActive(): boolean {
    return this.#course !== undefined;
  }

  get lost(): readonly NodeId[] {
    return this.#plan.lost;
  }

  way(peer: NodeId): Way {
    return this.#peers.get(peer)?.way ?? 'lost';
  }

  setPeers(peers: readonly NodeId[]): void {
    for (const peer of this.#peers.keys()) {
      if (peers.includes(peer)) continue;
      this.#peers.delete(peer);
      this.#mended.delete(peer);
      this.#plan.forget(peer);
    }
    for (const peer of peers)
      if (!this.#peers.has(peer))
        this.#peers.set(peer, { way: 'whole', check: new EdgeCheck(), summary: undefined, saidMs: -Infinity, hasMet: false });
  }

  onLost(peer: NodeId, facts: HealFacts, nowMs: number): void {
    const state = this.#peers.get(peer);
    if (state === undefined || state.way === 'lost') return;
    if (this.#course !== undefined && this.#course.backMs !== undefined) this.#course.relapses++;
    this.#begin(facts, nowMs);
    state.way = 'lost';
    state.summary = undefined;
    state.check.onLost(nowMs);
    this.#mended.delete(peer);
    this.#plan.onLost(peer, nowMs);
  }

  /** Frames of the peer come again. `hears`: whom it hears, by its row. */
  onBack(peer: NodeId, hears: readonly NodeId[], nowMs: number): void {
    const state = this.#peers.get(peer);
    if (state?.way !== 'lost' || this.#course === undefined) return;
    this.#course.backMs ??= nowMs;
    state.way = 'checking';
    this.#plan.onBack(peer, hears, nowMs);
    this.#check(peer, state, nowMs);
  }

  step(from: NodeId, message: HealMessage, facts: HealFacts, nowMs: number): void {
    const peer = this.#peers.get(from);
    if (peer === undefined) return;
    switch (message.type) {
      case 'Echo':
        this.#send(from, { type: 'EchoReply', nonce: message.nonce, boot: this.#boot });
        return;
      case 'EchoReply':
        if (peer.way !== 'checking') return;
        if (peer.check.onReply(message.nonce, message.boot, nowMs)) this.#compare(from, peer, facts, nowMs);
        else this.#check(from, peer, nowMs);
        return;
      case 'Summary':
        this.#onSummary(from, peer, message.summary, message.isAnswer, facts);
        return;
      case 'Mended':
        this.#onMended(from, message, facts, nowMs);
        return;
      case 'Settled':
        this.#onSettled(from, message.heal, message.report, facts, nowMs);
    }
  }

  /** To be called several times in 100 ms. */
  tick(facts: HealFacts, nowMs: number): void {
    this.#ready.dials.push(...this.#plan.due(nowMs));
    if (facts.leader !== this.#self) this.#mended.clear();
    for (const [node, peer] of this.#peers) {
      if (peer.way === 'checking') this.#check(node, peer, nowMs);
      else if (peer.way === 'comparing' && nowMs - peer.saidMs >= resendMs) this.#compare(node, peer, facts, nowMs);
    }
    const course = this.#course;
    if (course === undefined) return;
    course.completeSinceMs = facts.rowsComplete ? (course.completeSinceMs ?? nowMs) : undefined;
    if (!this.#isMended(course, facts)) return;
    if (facts.leader === this.#self) {
      if (this.#isSettled(course, facts, nowMs)) this.#settle(course, facts, nowMs);
    } else if (facts.leader !== undefined && nowMs - course.toldMs >= resendMs) {
      course.toldMs = nowMs;
      this.#send(facts.leader, { type: 'Mended', heal: course.number, forMs: nowMs - course.startMs, part: facts.part() });
    }
  }

  takeReady(): HealReady | undefined {
    const { dials, messages, summaries, diverged, report } = this.#ready;
    if (dials.length + messages.length + summaries.length + diverged.length === 0 && report === undefined) return undefined;
    const ready = this.#ready;
    this.#ready = empty();
    return ready;
  }

  #begin(facts: HealFacts, nowMs: number): void {
    this.#course ??= {
      number: ++this.#count,
      startMs: nowMs,
      startUnixMs: facts.unixMs,
      leaderBefore: facts.leader,
      termBefore: facts.term,
      backMs: undefined,
      targetIndex: 0,
      relapses: 0,
      completeSinceMs: undefined,
      toldMs: -Infinity,
    };
    this.#course.completeSinceMs = undefined;
  }

  // H1, H2.

  #check(node: NodeId, peer: Peer, nowMs: number): void {
    const nonce = peer.check.next(nowMs, () => (this.#nonce = (this.#nonce + 1) % Number.MAX_SAFE_INTEGER));
    if (nonce !== undefined) this.#send(node, { type: 'Echo', nonce });
  }

  #compare(node: NodeId, peer: Peer, facts: HealFacts, nowMs: number): void {
    peer.way = 'comparing';
    peer.saidMs = nowMs;
    this.#send(node, { type: 'Summary', summary: facts.summary(), isAnswer: false });
    if (peer.summary !== undefined) this.#meet(node, peer, peer.summary, facts);
  }

  #onSummary(from: NodeId, peer: Peer, summary: Summary, isAnswer: boolean, facts: HealFacts): void {
    if (!isAnswer) this.#send(from, { type: 'Summary', summary: facts.summary(), isAnswer: true });
    if (peer.way === 'comparing') this.#meet(from, peer, summary, facts);
    // Its check was quicker than ours: kept until ours is done.
    else if (peer.way === 'checking') peer.summary = summary;
    // It lost us while we heard it all along: a link that worked one way.
    else if (peer.way === 'whole' && !isAnswer) this.#raiseTarget(summary);
  }

  #meet(node: NodeId, peer: Peer, summary: Summary, facts: HealFacts): void {
    peer.summary = undefined;
    if (!isPrefix(summary, facts)) {
      peer.way = 'diverged';
      this.#ready.diverged.push(node);
      return;
    }
    peer.way = 'whole';
    peer.hasMet = true;
    this.#raiseTarget(summary, facts.commitIndex);
    this.#ready.summaries.push({ peer: node, summary });
  }

  #raiseTarget({ commitIndex }: Summary, own: LogIndex = 0): void {
    if (this.#course !== undefined) this.#course.targetIndex = Math.max(this.#course.targetIndex, commitIndex, own);
  }

  // H7.

  /** This node has done its part: it met everyone it had lost, and has what was committed then. */
  #isMended(course: Course, facts: HealFacts): boolean {
    const peers = [...this.#peers];
    return (
      peers.every(([, { way }]) => way === 'whole') &&
      facts.commitIndex >= course.targetIndex &&
      facts.pendingLeases === 0 &&
      // Of a member that was removed while it was lost, and taken in again, there was no meeting: it is as any that is new.
      peers.every(([node, { hasMet }]) => !hasMet || facts.isGossipMerged(node))
    );
  }

  #isSettled(course: Course, facts: HealFacts, nowMs: number): boolean {
    return (
      course.completeSinceMs !== undefined &&
      nowMs - course.completeSinceMs >= completeForMs &&
      facts.voters.every((voter) => voter === this.#self || facts.matchIndex(voter) >= course.targetIndex) &&
      // Who is healing too says when it is mended. A node that was started anew, or missed nothing, has nothing to say.
      [...this.#peers.keys()].every((node) => !facts.isHealing(node) || this.#mended.has(node))
    );
  }

  #settle(course: Course, facts: HealFacts, nowMs: number): void {
    const { part, notes } = mergeParts([facts.part(), ...[...this.#mended.values()].map((told) => told.part)]);
    const report: HealReport = {
      ...part,
      id: `${this.#boot}-${course.number}`,
      start: course.startUnixMs,
      detectedMs: facts.detectedMs,
      healedMs: nowMs - course.startMs,
      class: facts.class,
      sides: facts.sides,
      leaderBefore: course.leaderBefore,
      leaderAfter: facts.leader,
      termBefore: course.termBefore,
      termAfter: facts.term,
      reElected: facts.term !== course.termBefore,
      durationMs: nowMs - (course.backMs ?? course.startMs),
      notes: course.relapses === 0 ? notes : [...notes, `links were lost again ${course.relapses} times during the heal`],
    };
    for (const [node, { heal }] of this.#mended) this.#send(node, { type: 'Settled', heal, report });
    this.#mended.clear();
    this.#ready.settledIndex = course.targetIndex;
    this.#end(report, nowMs);
  }

  /** A follower is mended. If this leader has nothing to heal itself, or is done already, that is all there was to wait for. */
  #onMended(from: NodeId, { heal, forMs, part }: Extract<HealMessage, { type: 'Mended' }>, facts: HealFacts, nowMs: number): void {
    if (facts.leader !== this.#self) return;
    this.#mended.set(from, { heal, part });
    if (this.#course !== undefined) return;
    const last = this.#last;
    // What began only since then is another split.
    if (last !== undefined && nowMs - last.atMs <= Math.min(recentMs, forMs)) {
      this.#mended.delete(from);
      this.#send(from, { type: 'Settled', heal, report: last.report });
      return;
    }
    // A split between others, which this leader did not see: its part is to say when it is over.
    this.#begin(facts, nowMs);
  }

  /** Of an earlier heal it says nothing about this one; nor if somebody was lost again since this node said that it is mended. */
  #onSettled(from: NodeId, heal: number, report: HealReport, facts: HealFacts, nowMs: number): void {
    const course = this.#course;
    if (from === facts.leader && course?.number === heal && this.#isMended(course, facts)) this.#end(report, nowMs);
  }

  #end(report: HealReport, atMs: number): void {
    this.#course = undefined;
    this.#last = { report, atMs };
    this.#ready.report = report;
  }

  #send(to: NodeId, message: HealMessage): void {
    this.#ready.messages.push({ to, message });
  }
}

function empty() {
  return {
    dials: [] as NodeId[],
    messages: [] as OutgoingHeal[],
    summaries: [] as { readonly peer: NodeId; readonly summary: Summary }[],
    diverged: [] as NodeId[],
    report: undefined as HealReport | undefined,
    settledIndex: undefined as LogIndex | undefined,
  };
}
