import type { NodeId } from '../core/ids.ts';
import type { LinkChange, Loss } from './detector.ts';
import type { Evidence } from './evidence.ts';
import type { LinkState } from './link-watch.ts';
import type { LocalHealth } from './local-health.ts';
import { maxIncarnation, maxUpdates, type Update } from './messages.ts';
import { Suspicion } from './suspicion.ts';
import { Updates } from './updates.ts';

/** Others who, by saying the same, make a suspicion as short as it gets. */
const wantedConfirmations = 3;
/** A suspicion lasts 4 log10(n) periods when confirmed, six times that when one node stands alone with it (memberlist's defaults). */
const suspicionFactor = 4;
const longestSuspicion = 6;
/** Each piece of news is told 4 log10(n) times. */
const retransmitFactor = 4;
/** Probes in a row that only others could deliver: then the link is lost, though the node lives. One alone may be a lost frame. */
const maxDetours = 3;

interface Member {
  status: Update['status'];
  incarnation: number;
  suspicion: Suspicion | undefined;
  evidence: Evidence | undefined;
  detours: number;
  /** When a frame of it last came, and when it was last asked to speak for itself. */
  heardMs: number;
  askedMs: number;
}

export interface MembershipListOptions {
  readonly self: NodeId;
  readonly periodMs: number;
  /** Higher than ever before: a node that starts anew must not be bound by what was said of it. */
  readonly incarnation: number;
  readonly health: LocalHealth;
}

/**
 * What a node of SWIM believes of the others, and the news that it tells on (SWIM, section 4): what is said with a lower incarnation is old and changes nothing, a
 * replayed "alive" revives nobody. Only the node itself makes its incarnation higher, and does so when it hears that it is suspected. All times are time in which
 * this node listened.
 */
export class MembershipList {
  readonly #self: NodeId;
  readonly #periodMs: number;
  readonly #health: LocalHealth;
  readonly #members = new Map<NodeId, Member>();
  readonly #updates = new Updates();
  #incarnation: number;
  #changes: LinkChange[] = [];

  constructor({ self, periodMs, incarnation, health }: MembershipListOptions) {
    this.#self = self;
    this.#periodMs = periodMs;
    this.#health = health;
    this.#incarnation = incarnation;
    this.#tellOwn();
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  get nodes(): NodeId[] {
    return [...this.#members.keys()];
  }

  /** Whom to ask for an indirect probe. */
  get alive(): NodeId[] {
    return [...this.#members].filter(([, member]) => stateOf(member) === 'up').map(([node]) => node);
  }

  get losses(): ReadonlyMap<NodeId, Loss> {
    const lost = [...this.#members].filter(([, member]) => stateOf(member) !== 'up');
    return new Map(
      lost.map(([node, member]) => [
        node,
        { state: stateOf(member), evidence: member.evidence, isReachedByOthers: this.isReachedByOthers(node) },
      ]),
    );
  }

  setPeers(peers: readonly NodeId[]): void {
    for (const node of this.#members.keys()) {
      if (peers.includes(node)) continue;
      this.#members.delete(node);
      this.#updates.forget(node);
    }
    const times = { detours: 0, heardMs: -Infinity, askedMs: -Infinity };
    for (const peer of peers) {
      if (!this.#members.has(peer))
        this.#members.set(peer, { status: 'alive', incarnation: 0, suspicion: undefined, evidence: undefined, ...times });
    }
  }

  /** Who was given up before stays so until its own word comes. */
  adopt(losses: ReadonlyMap<NodeId, Loss>): void {
    for (const [node, { state, evidence, isReachedByOthers }] of losses) {
      const member = this.#members.get(node);
      if (member === undefined || state !== 'down') continue;
      member.evidence = evidence;
      if (isReachedByOthers) member.detours = maxDetours;
      else member.status = 'dead';
    }
  }

  has(node: NodeId): boolean {
    return this.#members.has(node);
  }

  state(node: NodeId): LinkState | undefined {
    const member = this.#members.get(node);
    return member && stateOf(member);
  }

  evidence(node: NodeId): Evidence | undefined {
    return this.#members.get(node)?.evidence;
  }

  heardMs(node: NodeId): number {
    return this.#members.get(node)?.heardMs ?? -Infinity;
  }

  isReachedByOthers(node: NodeId): boolean {
    const member = this.#members.get(node);
    return member !== undefined && member.status !== 'dead' && member.detours >= maxDetours;
  }

  /** A frame of the node came. True when it counts for less than alive and should be asked: hearing so, it refutes. */
  heard(node: NodeId, nowMs: number): boolean {
    const member = this.#members.get(node);
    if (member === undefined) return false;
    member.heardMs = nowMs;
    if (member.detours > 0) this.#change(node, member, { detours: 0, evidence: member.status === 'alive' ? undefined : member.evidence });
    // Once in a while: frames of one whose answers are lost must not make a storm.
    if (member.status === 'alive' || nowMs - member.askedMs < this.#periodMs / 4) return false;
    member.askedMs = nowMs;
    return true;
  }

  /** A probe did not come back by itself. True when others had to deliver it once more, and the link should be tried again. */
  detour(node: NodeId, nowMs: number): boolean {
    const member = this.#members.get(node);
    if (member === undefined || member.detours >= maxDetours) return false;
    const detours = member.detours + 1;
    this.#change(node, member, detours < maxDetours ? { detours } : { detours, evidence: this.#unanswered(node, nowMs) });
    return detours < maxDetours;
  }

  /** No probe of the node was answered. */
  suspect(node: NodeId, nowMs: number): void {
    const member = this.#members.get(node);
    if (member === undefined || member.status === 'dead') return;
    this.hear({ node, status: 'suspect', incarnation: member.incarnation, by: this.#self }, nowMs);
  }

  /** Gives up who had time to refute. */
  tick(nowMs: number): void {
    for (const [node, member] of this.#members) {
      const { suspicion, incarnation } = member;
      if (suspicion?.isOver(nowMs, this.#health.patience) !== true) continue;
      const [accuser = this.#self] = suspicion.accusers;
      const told = { value: suspicion.accusers.length, bound: wantedConfirmations + 1, silenceMs: nowMs - suspicion.sinceMs };
      const evidence = this.#evidence(node, accuser, 'told', told, nowMs);
      this.#change(node, member, { status: 'dead', suspicion: undefined, evidence });
      this.#updates.add({ node, status: 'dead', incarnation, by: this.#self });
    }
  }

  hear(update: Update, nowMs: number): void {
    const { node, status, incarnation, by } = update;
    if (node === this.#self) return this.#refute(update);
    const member = this.#members.get(node);
    if (member === undefined) return undefined;
    if (status === 'suspect' && member.suspicion?.incarnation === incarnation) {
      if (member.suspicion.confirm(by)) this.#updates.add(update);
      return undefined;
    }
    if (!overrides(update, member)) return undefined;
    this.#updates.add(update);
    const told = { value: 1, bound: 1, silenceMs: 0 };
    const evidence = by === this.#self ? this.#unanswered(node, nowMs) : this.#evidence(node, by, 'told', told, nowMs);
    const isCut = member.detours >= maxDetours;
    this.#change(node, member, {
      status,
      incarnation,
      suspicion: status === 'suspect' ? this.#suspicion(update, nowMs) : undefined,
      evidence: status !== 'alive' ? evidence : isCut ? member.evidence : undefined,
    });
    return undefined;
  }

  /** For one message to the node. */
  news(to: NodeId): readonly Update[] {
    const updates = [...this.#updates.take(to, Math.ceil(retransmitFactor * this.#logSize()))];
    const known = this.#members.get(to);
    // Whoever is taken for dead must hear it to refute it, however long ago that was told to all.
    if (known !== undefined && known.status !== 'alive' && updates.every(({ node }) => node !== to)) {
      const { status, incarnation } = known;
      updates[Math.min(updates.length, maxUpdates - 1)] = { node: to, status, incarnation, by: this.#self };
    }
    return updates;
  }

  takeChanges(): readonly LinkChange[] {
    const changes = this.#changes;
    if (changes.length > 0) this.#changes = [];
    return changes;
  }

  #refute({ status, incarnation }: Update): void {
    if (status === 'alive') return;
    // What was said of an older incarnation is refuted by this one: who says it may not have heard of it.
    this.#incarnation = Math.min(maxIncarnation, Math.max(this.#incarnation, incarnation + 1));
    this.#tellOwn();
    // That others suspect us may have its reason here.
    this.#health.onMissedAck();
  }

  #tellOwn(): void {
    this.#updates.add({ node: this.#self, status: 'alive', incarnation: this.#incarnation, by: this.#self });
  }

  #change(node: NodeId, member: Member, change: Partial<Member>): void {
    const from = stateOf(member);
    Object.assign(member, change);
    const to = stateOf(member);
    if (from !== to) this.#changes.push({ peer: node, from, to, evidence: member.evidence });
  }

  #suspicion({ incarnation, by }: Update, sinceMs: number): Suspicion {
    const minMs = suspicionFactor * this.#logSize() * this.#periodMs;
    const wanted = Math.max(1, Math.min(wantedConfirmations, this.#members.size - 1));
    return new Suspicion({ incarnation, sinceMs, by, wanted, minMs, maxMs: minMs * longestSuspicion });
  }

  #unanswered(node: NodeId, atMs: number): Evidence {
    const waitedMs = this.#periodMs * this.#health.patience;
    return this.#evidence(node, this.#self, 'probe', { value: waitedMs, bound: waitedMs, silenceMs: waitedMs }, atMs);
  }

  #evidence(
    accused: NodeId,
    accuser: NodeId,
    measure: Evidence['measure'],
    measured: Pick<Evidence, 'value' | 'bound' | 'silenceMs'>,
    atMs: number,
  ): Evidence {
    return { accused, accuser, measure, ...measured, score: this.#health.score, atMs };
  }

  #logSize(): number {
    return Math.max(1, Math.log10(this.#members.size + 1));
  }
}

const severity = { alive: 0, suspect: 1, dead: 2 } as const;

/** SWIM, section 4.2: a higher incarnation overrides; of the same incarnation the worse. */
const overrides = (update: Update, { status, incarnation }: Member): boolean =>
  update.incarnation > incarnation || (update.incarnation === incarnation && severity[update.status] > severity[status]);

function stateOf({ status, detours }: Member): LinkState {
  if (status === 'dead' || detours >= maxDetours) return 'down';
  return status === 'suspect' ? 'suspect' : 'up';
}
