import type { NodeId } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import type { Detector, DetectorReady, Loss } from './detector.ts';
import { Errands, sample } from './errands.ts';
import type { Evidence } from './evidence.ts';
import type { LinkState } from './link-watch.ts';
import { LocalHealth } from './local-health.ts';
import { MembershipList } from './membership-list.ts';
import type { DetectorMessage, OutgoingProbe } from './messages.ts';

const indirectProbes = 3;
/** One member is probed in each period: a second of 100 ms heartbeats. */
const periodHeartbeats = 10;
const audibleHeartbeats = 3;

export interface SwimOptions {
  readonly self: NodeId;
  /** How often `tick` is called: a fraction of the heartbeat. */
  readonly tickMs: number;
  readonly heartbeatMs: number;
  readonly random: Random;
  /** Higher than ever before: a node that starts anew must not be bound by what was said of it. */
  readonly incarnation: number;
}

interface Probe {
  readonly target: NodeId;
  readonly nonce: number;
  readonly sentMs: number;
  indirectNonce: number | undefined;
  /** Those asked to probe who said that they also heard nothing. */
  nacks: number;
  asked: number;
}

/**
 * SWIM with Lifeguard, for more nodes than can all hear each other: each period one member is probed, directly and then through three others; who does not answer is
 * suspected, may refute with a higher incarnation, and is dead when it does not (`MembershipList`). News travels on the probes themselves. A member that
 * only others reach, again and again, is alive behind a broken link.
 */
export class Swim implements Detector {
  readonly health: LocalHealth;
  readonly #options: SwimOptions;
  readonly #periodMs: number;
  readonly #list: MembershipList;
  readonly #errands = new Errands();
  /** Whom to probe, the next one last. */
  #order: NodeId[] = [];
  #probe: Probe | undefined;
  #periodEndMs: number;
  #nonce: number;
  #messages: OutgoingProbe[] = [];

  constructor(options: SwimOptions, nowMs: number) {
    const { self, incarnation, random, tickMs, heartbeatMs } = options;
    this.#options = options;
    this.#periodMs = periodHeartbeats * heartbeatMs;
    this.health = new LocalHealth(tickMs, heartbeatMs, nowMs, this.#periodMs);
    this.#list = new MembershipList({ self, periodMs: this.#periodMs, incarnation, health: this.health });
    this.#nonce = random.below(2 ** 32);
    // Nodes that start together don't all probe at once.
    this.#periodEndMs = random.below(Math.max(1, Math.floor(this.#periodMs)));
  }

  get incarnation(): number {
    return this.#list.incarnation;
  }

  setPeers(peers: readonly NodeId[]): void {
    this.#list.setPeers(peers);
  }

  losses(): ReadonlyMap<NodeId, Loss> {
    return this.#list.losses;
  }

  adopt(losses: ReadonlyMap<NodeId, Loss>): void {
    this.#list.adopt(losses);
    for (const peer of losses.keys()) this.#probeSoon(peer);
  }

  /** A sign of life, but no refutation: who is taken for less than alive is asked for one. */
  heard(peer: NodeId, nowMs: number): void {
    if (this.#list.heard(peer, this.health.listenedMs(nowMs))) this.#send(peer, { type: 'Probe', nonce: this.#nextNonce() });
  }

  onRestart(peer: NodeId, nowMs: number): void {
    this.heard(peer, nowMs);
  }

  /** A process that ended is probed by all who were linked with it, and so is known for dead as soon as may be. */
  lost(peer: NodeId): void {
    this.#probeSoon(peer);
  }

  tick(nowMs: number): void {
    const mayJudge = this.health.tick(nowMs);
    const listenedMs = this.health.listenedMs(nowMs);
    for (const { asker, nonce } of this.#errands.takeOld(listenedMs - this.#periodMs / 4)) this.#send(asker, { type: 'Nack', nonce });
    if (!mayJudge) return;
    this.#probeIndirectlyWhenLate(listenedMs);
    this.#list.tick(listenedMs);
    if (listenedMs < this.#periodEndMs) return;
    this.#endProbe(listenedMs);
    this.#periodEndMs = listenedMs + this.#periodMs * this.health.patience;
    this.#beginProbe(listenedMs);
  }

  step(from: NodeId, message: DetectorMessage, nowMs: number): void {
    const listenedMs = this.health.listenedMs(nowMs);
    for (const update of message.updates) this.#list.hear(update, listenedMs);
    switch (message.type) {
      case 'Probe':
        this.#send(from, { type: 'Ack', nonce: message.nonce });
        return;
      case 'ProbeRequest': {
        if (!this.#list.has(message.target)) return;
        const nonce = this.#nextNonce();
        this.#errands.add(nonce, { asker: from, nonce: message.nonce, askedMs: listenedMs });
        this.#send(message.target, { type: 'Probe', nonce });
        return;
      }
      case 'Ack': {
        const errand = this.#errands.take(message.nonce);
        if (errand !== undefined) this.#send(errand.asker, { type: 'Ack', nonce: errand.nonce });
        this.#onAck(message.nonce, listenedMs);
        return;
      }
      case 'Nack':
        if (this.#probe !== undefined && message.nonce === this.#probe.indirectNonce) this.#probe.nacks++;
    }
  }

  state(peer: NodeId): LinkState {
    return peer === this.#options.self ? 'up' : (this.#list.state(peer) ?? 'down');
  }

  evidence(peer: NodeId): Evidence | undefined {
    return this.#list.evidence(peer);
  }

  isHeard(peer: NodeId): boolean {
    return this.state(peer) !== 'down';
  }

  isAudible(peer: NodeId, nowMs: number): boolean {
    const silenceMs = this.health.listenedMs(nowMs) - this.#list.heardMs(peer);
    return peer === this.#options.self || silenceMs < audibleHeartbeats * this.#options.heartbeatMs * this.health.patience;
  }

  isReachedByOthers(peer: NodeId): boolean {
    return this.#list.isReachedByOthers(peer);
  }

  takeReady(): DetectorReady | undefined {
    const changes = this.#list.takeChanges();
    if (this.#messages.length === 0 && changes.length === 0) return undefined;
    const messages = this.#messages;
    this.#messages = [];
    return { messages, changes };
  }

  /** In an order by chance, everyone once before anyone twice, so that each is probed within 2n - 1 periods (SWIM, section 4.3). The dead too: they may be back. */
  #beginProbe(listenedMs: number): void {
    const { nodes } = this.#list;
    if (this.#order.length === 0) this.#order = sample(nodes, nodes.length, this.#options.random);
    const target = this.#order.pop();
    if (target === undefined || !this.#list.has(target)) return;
    const nonce = this.#nextNonce();
    this.#probe = { target, nonce, sentMs: listenedMs, indirectNonce: undefined, nacks: 0, asked: 0 };
    this.#send(target, { type: 'Probe', nonce });
  }

  /** Before its turn; each stands in the order once. */
  #probeSoon(peer: NodeId): void {
    if (this.#list.has(peer)) this.#order = [...this.#order.filter((other) => other !== peer), peer];
  }

  #probeIndirectlyWhenLate(listenedMs: number): void {
    const probe = this.#probe;
    if (probe === undefined || probe.indirectNonce !== undefined) return;
    if (listenedMs - probe.sentMs < (this.#periodMs / 3) * this.health.patience) return;
    const nonce = this.#nextNonce();
    probe.indirectNonce = nonce;
    const others = this.#list.alive.filter((node) => node !== probe.target);
    for (const to of sample(others, indirectProbes, this.#options.random)) {
      probe.asked++;
      this.#send(to, { type: 'ProbeRequest', nonce, target: probe.target });
    }
  }

  #onAck(nonce: number, listenedMs: number): void {
    const probe = this.#probe;
    if (probe === undefined || (nonce !== probe.nonce && nonce !== probe.indirectNonce)) return;
    this.#probe = undefined;
    this.health.onAck();
    const wasDirect = nonce === probe.nonce || this.#list.heardMs(probe.target) >= probe.sentMs;
    if (!wasDirect && this.#list.detour(probe.target, listenedMs)) this.#probeSoon(probe.target);
  }

  /** The period is over and nobody answered. Those we asked should at least have said that they heard nothing: if they did not, it may be us. */
  #endProbe(listenedMs: number): void {
    const probe = this.#probe;
    this.#probe = undefined;
    if (probe === undefined) return;
    if (probe.nacks < probe.asked) this.health.onMissedAck();
    // Its answer may be lost: any frame says that it lives.
    if (this.#list.heardMs(probe.target) < probe.sentMs) this.#list.suspect(probe.target, listenedMs);
  }

  #send(to: NodeId, message: WithoutUpdates<DetectorMessage>): void {
    this.#messages.push({ to, message: { ...message, updates: this.#list.news(to) } });
  }

  #nextNonce(): number {
    this.#nonce = (this.#nonce + 1) % Number.MAX_SAFE_INTEGER;
    return this.#nonce;
  }
}

type WithoutUpdates<T> = T extends unknown ? Omit<T, 'updates'> : never;
