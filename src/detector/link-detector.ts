import type { NodeId } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import type { Detector, DetectorReady, LinkChange, Loss } from './detector.ts';
import { Errands, sample } from './errands.ts';
import type { Evidence } from './evidence.ts';
import { type Judge, type LinkState, LinkWatch } from './link-watch.ts';
import { LocalHealth } from './local-health.ts';
import type { DetectorMessage, OutgoingProbe } from './messages.ts';

/** Who is asked to probe a peer that this node has lost. */
const indirectProbes = 3;
/** An indirect probe is answered within one heartbeat, if only by a Nack; as long again for the ways there and back. */
const answerHeartbeats = 3;
/** For how long nobody's silence counts after this detector took over from another. */
export const adoptionHeartbeats = 10;

export interface LinkDetectorOptions {
  readonly self: NodeId;
  /** How often `tick` is called: a fraction of the heartbeat. */
  readonly tickMs: number;
  /** How often every peer says something. */
  readonly heartbeatMs: number;
  readonly random: Random;
}

/**
 * The failure detector of clusters in which every node hears every other, up to 64 of them (beyond that: `Swim`). Each link is watched by itself
 * (phi-accrual); the loss of one starts three indirect probes, whose success says that the link is broken and not the node (`isReachedByOthers`). It accuses
 * links, never nodes: that a node is down is concluded from everyone's rows.
 */
export class LinkDetector implements Detector {
  readonly #options: LinkDetectorOptions;
  readonly #health: LocalHealth;
  readonly #watches = new Map<NodeId, LinkWatch>();
  readonly #errands = new Errands();
  /** Our own indirect probes that nobody answered yet, the oldest first. At most three for each peer and loss of its link. */
  readonly #asked = new Map<number, { readonly peer: NodeId; readonly via: NodeId; readonly askedMs: number }>();
  /** Peers with a lost link that others have reached for us. */
  readonly #reached = new Set<NodeId>();
  /** Peers that others failed to reach for us. The verdict is the next tick's: after a pause their frames may wait behind the answers. */
  readonly #unreached = new Set<NodeId>();
  #nonce: number;
  #messages: OutgoingProbe[] = [];
  #changes: LinkChange[] = [];

  constructor(options: LinkDetectorOptions, nowMs: number) {
    this.#options = options;
    this.#health = new LocalHealth(options.tickMs, options.heartbeatMs, nowMs);
    this.#nonce = options.random.below(2 ** 32);
  }

  get health(): LocalHealth {
    return this.#health;
  }

  /** The other members. A new one has the time of an ordinary silence to be heard. */
  setPeers(peers: readonly NodeId[], nowMs: number): void {
    for (const peer of this.#watches.keys()) {
      if (peers.includes(peer)) continue;
      this.#watches.delete(peer);
      this.#forgetProbes(peer);
    }
    const listenedMs = this.#health.listenedMs(nowMs);
    for (const peer of peers)
      if (!this.#watches.has(peer)) this.#watches.set(peer, new LinkWatch(peer, this.#options.heartbeatMs, listenedMs));
  }

  heard(peer: NodeId, nowMs: number): void {
    const listenedMs = this.#health.listenedMs(nowMs);
    this.#change(peer, (watch) => watch.heard(listenedMs));
  }

  lost(peer: NodeId, nowMs: number): void {
    const listenedMs = this.#health.listenedMs(nowMs);
    this.#change(peer, (watch) => watch.lost(listenedMs, this.#judge()));
    if (this.state(peer) === 'suspect') this.#probeIndirectly(peer, listenedMs);
  }

  onRestart(peer: NodeId, nowMs: number): void {
    this.#watches.get(peer)?.onRestart();
    this.heard(peer, nowMs);
  }

  tick(nowMs: number, missedBy: (peer: NodeId) => readonly NodeId[] = () => []): void {
    const mayJudge = this.#health.tick(nowMs);
    const listenedMs = this.#health.listenedMs(nowMs);
    for (const { asker, nonce } of this.#errands.takeOld(listenedMs - this.#options.heartbeatMs))
      this.#messages.push({ to: asker, message: { type: 'Nack', nonce, updates: [] } });
    this.#missAnswers(listenedMs);
    if (!mayJudge) return;
    for (const peer of this.#unreached) this.#change(peer, (watch) => watch.giveUp(listenedMs, this.#judge()));
    this.#unreached.clear();
    for (const peer of this.#watches.keys()) {
      if (this.#change(peer, (watch) => watch.judge(listenedMs, this.#judge(peer, missedBy))) === 'down')
        this.#probeIndirectly(peer, listenedMs);
    }
  }

  step(from: NodeId, message: DetectorMessage, nowMs: number): void {
    const listenedMs = this.#health.listenedMs(nowMs);
    switch (message.type) {
      case 'Probe':
        this.#messages.push({ to: from, message: { type: 'Ack', nonce: message.nonce, updates: [] } });
        return;
      case 'ProbeRequest': {
        if (!this.#watches.has(message.target)) return;
        const nonce = this.#nextNonce();
        this.#errands.add(nonce, { asker: from, nonce: message.nonce, askedMs: listenedMs });
        this.#messages.push({ to: message.target, message: { type: 'Probe', nonce, updates: [] } });
        return;
      }
      case 'Ack': {
        const errand = this.#errands.take(message.nonce);
        if (errand !== undefined) this.#messages.push({ to: errand.asker, message: { type: 'Ack', nonce: errand.nonce, updates: [] } });
        const asked = this.#asked.get(message.nonce);
        this.#asked.delete(message.nonce);
        if (asked !== undefined) this.#reached.add(asked.peer);
        return;
      }
      case 'Nack': {
        const asked = this.#asked.get(message.nonce);
        this.#asked.delete(message.nonce);
        if (asked !== undefined) this.#onNack(asked.peer);
      }
    }
  }

  state(peer: NodeId): LinkState {
    return peer === this.#options.self ? 'up' : (this.#watches.get(peer)?.state ?? 'down');
  }

  evidence(peer: NodeId): Evidence | undefined {
    return this.#watches.get(peer)?.evidence;
  }

  /** A link that flaps counts as lost. */
  isHeard(peer: NodeId, nowMs: number): boolean {
    return this.state(peer) !== 'down' && this.isAudible(peer, nowMs);
  }

  isAudible(peer: NodeId, nowMs: number): boolean {
    const watch = this.#watches.get(peer);
    if (watch === undefined) return peer === this.#options.self;
    return watch.silenceMs(this.#health.listenedMs(nowMs)) < 3 * this.#options.heartbeatMs * this.#health.patience;
  }

  isReachedByOthers(peer: NodeId): boolean {
    return this.state(peer) === 'down' && this.#reached.has(peer);
  }

  takeReady(): DetectorReady | undefined {
    if (this.#messages.length === 0 && this.#changes.length === 0) return undefined;
    const ready = { messages: this.#messages, changes: this.#changes };
    this.#messages = [];
    this.#changes = [];
    return ready;
  }

  losses(): ReadonlyMap<NodeId, Loss> {
    const lost = [...this.#watches.values()].filter(({ state }) => state !== 'up');
    return new Map(lost.map(({ peer, state, evidence }) => [peer, { state, evidence, isReachedByOthers: this.isReachedByOthers(peer) }]));
  }

  adopt(losses: ReadonlyMap<NodeId, Loss>, nowMs: number): void {
    // Those that are yet to hear of the same change don't beat before.
    const untilMs = this.#health.listenedMs(nowMs) + adoptionHeartbeats * this.#options.heartbeatMs;
    for (const [peer, watch] of this.#watches) {
      const loss = losses.get(peer);
      watch.adopt(loss, untilMs);
      if (loss?.isReachedByOthers === true) this.#reached.add(peer);
    }
  }

  /** The new state, if `act` changed it. */
  #change(peer: NodeId, act: (watch: LinkWatch) => boolean): LinkState | undefined {
    const watch = this.#watches.get(peer);
    if (watch === undefined) return undefined;
    const from = watch.state;
    if (!act(watch)) return undefined;
    if (watch.state === 'up') this.#forgetProbes(peer);
    this.#changes.push({ peer, from, to: watch.state, evidence: watch.evidence });
    return watch.state;
  }

  /** What others find out for us of a silence that is over says nothing of the next. */
  #forgetProbes(peer: NodeId): void {
    this.#reached.delete(peer);
    this.#unreached.delete(peer);
    for (const [nonce, asked] of this.#asked) if (asked.peer === peer) this.#asked.delete(nonce);
  }

  /** The last answer counts: one who reaches the peer outweighs all who don't. */
  #onNack(peer: NodeId): void {
    if (!this.#reached.has(peer) && !this.#isAsking(peer)) this.#unreached.add(peer);
  }

  /** Somebody who is heard has yet to answer whether it reaches the peer. */
  #isAsking(peer: NodeId): boolean {
    return [...this.#asked.values()].some((asked) => asked.peer === peer && this.state(asked.via) === 'up');
  }

  /** Once for each loss: a closed connection is followed by silence. */
  #probeIndirectly(peer: NodeId, askedMs: number): void {
    if (this.#reached.has(peer) || this.#isAsking(peer)) return;
    const others = [...this.#watches.values()].filter((watch) => watch.state === 'up').map((watch) => watch.peer);
    for (const to of sample(others, indirectProbes, this.#options.random)) {
      const nonce = this.#nextNonce();
      this.#asked.set(nonce, { peer, via: to, askedMs });
      this.#messages.push({ to, message: { type: 'ProbeRequest', nonce, target: peer, updates: [] } });
    }
  }

  /** Who was to probe the peer for us said nothing, though we hear it: it may be this node that is slow. */
  #missAnswers(listenedMs: number): void {
    for (const [nonce, { via, askedMs }] of this.#asked) {
      if (listenedMs - askedMs < answerHeartbeats * this.#options.heartbeatMs) return;
      this.#asked.delete(nonce);
      if (this.state(via) === 'up') this.#health.onMissedAck();
    }
  }

  #judge(peer?: NodeId, missedBy: (peer: NodeId) => readonly NodeId[] = () => []): Judge {
    const { self } = this.#options;
    const { score } = this.#health;
    if (score === 0 || peer === undefined) return { self, score, patience: this.#health.patience };
    const others = [...this.#watches.values()].filter((watch) => watch.peer !== peer && watch.state === 'up').map((watch) => watch.peer);
    const confirmations = missedBy(peer).filter((node) => others.includes(node)).length;
    return { self, score, patience: this.#health.patienceWith(confirmations, others.length) };
  }

  #nextNonce(): number {
    this.#nonce = (this.#nonce + 1) % Number.MAX_SAFE_INTEGER;
    return this.#nonce;
  }
}
