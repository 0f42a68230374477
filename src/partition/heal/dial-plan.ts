import type { NodeId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';

const firstMs = 150;
const jitter = 0.3;
/** How long a peer has been lost, and how often it is dialled from then on. It never ends: a configured member is never forgotten. */
const calmer = [
  { afterMs: 60_000, everyMs: 1000 },
  { afterMs: 120_000, everyMs: 5000 },
] as const;
/** Of a pair the lower id dials; the other joins in after this. */
const politeMs = 1000;
/** More would be a storm when half of a large cluster is lost. */
const maxDials = 16;

interface Lost {
  readonly sinceMs: number;
  nextMs: number;
}

/** Whom to dial when (H0): every lost member, always on a fresh connection, because the old one may wait out its retransmissions for tens of seconds. */
export class DialPlan {
  readonly #self: NodeId;
  readonly #random: Random;
  readonly #lost = new Map<NodeId, Lost>();

  constructor(self: NodeId, random: Random) {
    this.#self = self;
    this.#random = random;
  }

  get lost(): readonly NodeId[] {
    return [...this.#lost.keys()];
  }

  onLost(peer: NodeId, nowMs: number): void {
    if (this.#lost.has(peer)) return;
    this.#lost.set(peer, { sinceMs: nowMs, nextMs: nowMs + (this.#self < peer ? 0 : politeMs) });
  }

  /** The peer is back. Whom it hears can most likely be reached too: those are dialled at once. */
  onBack(peer: NodeId, hears: readonly NodeId[], nowMs: number): void {
    this.#lost.delete(peer);
    for (const other of hears) {
      const lost = this.#lost.get(other);
      if (lost !== undefined) lost.nextMs = nowMs;
    }
  }

  forget(peer: NodeId): void {
    this.#lost.delete(peer);
  }

  /** Whom to dial now. */
  due(nowMs: number): NodeId[] {
    const due = [...this.#lost].filter(([, { nextMs }]) => nowMs >= nextMs);
    // By turns, from a random place: otherwise the same sixteen would be dialled for ever.
    const from = due.length <= maxDials ? 0 : this.#random.below(due.length);
    return [...due.slice(from), ...due.slice(0, from)].slice(0, maxDials).map(([peer, lost]) => {
      lost.nextMs = nowMs + this.#delayMs(nowMs - lost.sinceMs);
      return peer;
    });
  }

  #delayMs(lostForMs: number): number {
    const everyMs = calmer.findLast(({ afterMs }) => lostForMs >= afterMs)?.everyMs ?? firstMs;
    return everyMs * (1 - jitter + (2 * jitter * this.#random.below(1000)) / 1000);
  }
}
