import type { NodeId } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import { Errands, sample } from './errands.ts';
import type { Evidence } from './evidence.ts';
import { LocalHealth } from './local-health.ts';
import { type DetectorMessage, maxUpdates, type OutgoingProbe, type Update } from './messages.ts';
import { Suspicion } from './suspicion.ts';
import { Updates } from './updates.ts';

const indirectProbes = 3;
/** Others who, by saying the same, make a suspicion as short as it gets. */
const wantedConfirmations = 3;
/** A suspicion lasts 4 log10(n) periods when confirmed, six times that when one node stands alone with it (memberlist's defaults). */
const suspicionFactor = 4;
const longestSuspicion = 6;
/** Each piece of news is told 4 log10(n) times. */
const retransmitFactor = 4;

export interface SwimOptions {
  readonly self: NodeId;
  /** How often `tick` is called: a fraction of the period. */
  readonly tickMs: number;
  /** One member is probed in each; by default a second. */
  readonly periodMs: number;
  readonly random: Random;
  /** Higher than ever before: a node that starts anew must not be bound by what was said of it. */
  readonly incarnation: number;
}

type Status = Update['status'];

interface Member {
  status: Status;
  incarnation: number;
  suspicion: Suspicion | undefined;
  evidence: Evidence | undefined;
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

export interface MemberChange {
  readonly node: NodeId;
  readonly from: Status;
  readonly to: Status;
  readonly evidence: Evidence | undefined;
}

/**
 * SWIM with Lifeguard, for more nodes than can all hear each other: each period one member is probed, directly and then through three others; who does not answer is
 * suspected, may refute with a higher incarnation, and is dead when it does not. News travels on the probes themselves.
 *
 * What is said with a lower incarnation is old and changes nothing: a replayed "alive" revives nobody. Only the node itself makes its incarnation higher, and does so
 * when it hears that it is suspected.
 */
export class Swim {
  readonly #options: SwimOptions;
  readonly #health: LocalHealth;
  readonly #members = new Map<NodeId, Member>();
  readonly #updates = new Updates();
  readonly #errands = new Errands();
  #incarnation: number;
  #order: NodeId[] = [];
  #probe: Probe | undefined;
  #periodEndMs: number;
  #nonce: number;
  #messages: OutgoingProbe[] = [];
  #changes: MemberChange[] = [];

  constructor(options: SwimOptions, nowMs: number) {
    this.#options = options;
    this.#health = new LocalHealth(options.tickMs, options.periodMs, nowMs);
    this.#incarnation = options.incarnation;
    this.#nonce = options.random.below(2 ** 32);
    // Nodes that start together don't all probe at once.
    this.#periodEndMs = options.random.below(Math.max(1, Math.floor(options.periodMs)));
  }

  get health(): LocalHealth {
    return this.#health;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  setPeers(peers: readonly NodeId[]): void {
    for (const peer of this.#members.keys()) {
      if (peers.includes(peer)) continue;
      this.#members.delete(peer);
      this.#updates.forget(peer);
    }
    for (const peer of peers) {
      if (!this.#members.has(peer)) this.#members.set(peer, { status: 'alive', incarnation: 0, suspicion: undefined, evidence: undefined });
    }
  }

  status(node: NodeId): Status | undefined {
    return node === this.#options.self ? 'alive' : this.#members.get(node)?.status;
  }

  evidence(node: NodeId): Evidence | undefined {
    return this.#members.get(node)?.evidence;
  }

  tick(nowMs: number): void {
    const mayJudge = this.#health.tick(nowMs);
    const listenedMs = this.#health.listenedMs(nowMs);
    for (const { asker, nonce } of this.#errands.takeOld(listenedMs - this.#options.periodMs / 4))
      this.#send(asker, { type: 'Nack', nonce });
    if (!mayJudge) return;
    this.#probeIndirectlyWhenLate(listenedMs);
    for (const [node, member] of this.#members) {
      if (member.suspicion?.isOver(listenedMs) === true) this.#declareDead(node, member, listenedMs);
    }
    if (listenedMs < this.#periodEndMs) return;
    this.#endProbe(listenedMs);
    this.#periodEndMs = listenedMs + this.#options.periodMs * this.#health.patience;
    this.#beginProbe(listenedMs);
  }

  step(from: NodeId, message: DetectorMessage, nowMs: number): void {
    const listenedMs = this.#health.listenedMs(nowMs);
    for (const update of message.updates) this.#hear(update, listenedMs);
    switch (message.type) {
      case 'Probe':
        this.#send(from, { type: 'Ack', nonce: message.nonce });
        return;
      case 'ProbeRequest': {
        if (!this.#members.has(message.target)) return;
        const nonce = this.#nextNonce();
        this.#errands.add(nonce, { asker: from, nonce: message.nonce, askedMs: listenedMs });
        this.#send(message.target, { type: 'Probe', nonce });
        return;
      }
      case 'Ack': {
        const errand = this.#errands.take(message.nonce);
        if (errand !== undefined) this.#send(errand.asker, { type: 'Ack', nonce: errand.nonce });
        if (this.#probe === undefined || (message.nonce !== this.#probe.nonce && message.nonce !== this.#probe.indirectNonce)) return;
        this.#probe = undefined;
        this.#health.onAck();
        return;
      }
      case 'Nack':
        if (this.#probe !== undefined && message.nonce === this.#probe.indirectNonce) this.#probe.nacks++;
    }
  }

  takeReady(): { readonly messages: readonly OutgoingProbe[]; readonly changes: readonly MemberChange[] } | undefined {
    if (this.#messages.length === 0 && this.#changes.length === 0) return undefined;
    const ready = { messages: this.#messages, changes: this.#changes };
    this.#messages = [];
    this.#changes = [];
    return ready;
  }

  // Probes.

  /** In an order by chance, everyone once before anyone twice, so that each is probed within 2n - 1 periods (SWIM, section 4.3). The dead too: they may be back. */
  #beginProbe(listenedMs: number): void {
    if (this.#order.length === 0) this.#order = sample([...this.#members.keys()], this.#members.size, this.#options.random);
    const target = this.#order.pop();
    if (target === undefined || !this.#members.has(target)) return;
    const nonce = this.#nextNonce();
    this.#probe = { target, nonce, sentMs: listenedMs, indirectNonce: undefined, nacks: 0, asked: 0 };
    this.#send(target, { type: 'Probe', nonce });
  }

  #probeIndirectlyWhenLate(listenedMs: number): void {
    const probe = this.#probe;
    if (probe === undefined || probe.indirectNonce !== undefined) return;
    if (listenedMs - probe.sentMs < (this.#options.periodMs / 3) * this.#health.patience) return;
    const nonce = this.#nextNonce();
    probe.indirectNonce = nonce;
    const others = [...this.#members].filter(([node, { status }]) => status === 'alive' && node !== probe.target).map(([node]) => node);
    for (const to of sample(others, indirectProbes, this.#options.random)) {
      probe.asked++;
      this.#send(to, { type: 'ProbeRequest', nonce, target: probe.target });
    }
  }

  /** The period is over and nobody answered. Those we asked should at least have said that they heard nothing: if they did not, it may be us. */
  #endProbe(listenedMs: number): void {
    const probe = this.#probe;
    this.#probe = undefined;
    if (probe === undefined) return;
    if (probe.nacks < probe.asked) this.#health.onMissedAck();
    const member = this.#members.get(probe.target);
    if (member === undefined || member.status === 'dead') return;
    this.#hear({ node: probe.target, status: 'suspect', incarnation: member.incarnation, by: this.#options.self }, listenedMs);
  }

  // What is said of whom.

  #hear(update: Update, listenedMs: number): void {
    if (update.node === this.#options.self) return this.#refute(update);
    const member = this.#members.get(update.node);
    if (member === undefined) return undefined;
    if (update.status === 'suspect' && member.suspicion?.incarnation === update.incarnation) {
      if (member.suspicion.confirm(update.by)) this.#updates.add(update);
      return undefined;
    }
    if (!overrides(update, member)) return undefined;
    member.incarnation = update.incarnation;
    member.suspicion = update.status === 'suspect' ? this.#suspicion(update, listenedMs) : undefined;
    this.#become(update.node, member, update.status, this.#evidence(update, listenedMs));
    this.#updates.add(update);
    return undefined;
  }

  #refute({ status, incarnation }: Update): void {
    if (status === 'alive') return;
    // What was said of an older incarnation is refuted by this one: who says it may not have heard of it.
    this.#incarnation = Math.max(this.#incarnation, incarnation + 1);
    this.#updates.add({ node: this.#options.self, status: 'alive', incarnation: this.#incarnation, by: this.#options.self });
    // That others suspect us may have its reason here.
    this.#health.onMissedAck();
  }

  #declareDead(node: NodeId, member: Member, listenedMs: number): void {
    const { suspicion, incarnation } = member;
    if (suspicion === undefined) return;
    member.suspicion = undefined;
    const { self } = this.#options;
    const [first = self] = suspicion.accusers;
    const told = { value: suspicion.accusers.length, bound: wantedConfirmations + 1, silenceMs: listenedMs - suspicion.sinceMs };
    const evidence: Evidence = { accused: node, accuser: first, measure: 'told', ...told, score: this.#health.score, atMs: listenedMs };
    this.#become(node, member, 'dead', evidence);
    this.#updates.add({ node, status: 'dead', incarnation, by: self });
  }

  #become(node: NodeId, member: Member, to: Status, evidence: Evidence): void {
    const from = member.status;
    member.status = to;
    member.evidence = to === 'alive' ? undefined : evidence;
    if (from !== to) this.#changes.push({ node, from, to, evidence: member.evidence });
  }

  #suspicion({ incarnation, by }: Update, sinceMs: number): Suspicion {
    const minMs = suspicionFactor * this.#logSize() * this.#options.periodMs;
    return new Suspicion({
      incarnation,
      sinceMs,
      by,
      wanted: Math.max(1, Math.min(wantedConfirmations, this.#members.size - 1)),
      minMs,
      maxMs: minMs * longestSuspicion,
    });
  }

  #evidence({ node, by }: Update, listenedMs: number): Evidence {
    const measure = by === this.#options.self ? 'probe' : 'told';
    const periodMs = this.#options.periodMs * this.#health.patience;
    const measured = measure === 'probe' ? { value: periodMs, bound: periodMs, silenceMs: periodMs } : { value: 1, bound: 1, silenceMs: 0 };
    return { accused: node, accuser: by, measure, ...measured, score: this.#health.score, atMs: listenedMs };
  }

  // Sending.

  #send(to: NodeId, message: WithoutUpdates<DetectorMessage>): void {
    const updates = [...this.#updates.take(to, Math.ceil(retransmitFactor * this.#logSize()))];
    // Whoever is taken for dead must hear it to refute it, however long ago that was told to all.
    const known = this.#members.get(to);
    if (known !== undefined && known.status !== 'alive' && updates.every(({ node }) => node !== to))
      updates[Math.min(updates.length, maxUpdates - 1)] = {
        node: to,
        status: known.status,
        incarnation: known.incarnation,
        by: this.#options.self,
      };
    this.#messages.push({ to, message: { ...message, updates } });
  }

  #logSize(): number {
    return Math.max(1, Math.log10(this.#members.size + 1));
  }

  #nextNonce(): number {
    this.#nonce = (this.#nonce + 1) % Number.MAX_SAFE_INTEGER;
    return this.#nonce;
  }
}

type WithoutUpdates<T> = T extends unknown ? Omit<T, 'updates'> : never;

const severity = { alive: 0, suspect: 1, dead: 2 } as const;

/** SWIM, section 4.2: a higher incarnation overrides; of the same incarnation the worse. */
const overrides = (update: Update, { status, incarnation }: Member): boolean =>
  update.incarnation > incarnation || (update.incarnation === incarnation && severity[update.status] > severity[status]);
