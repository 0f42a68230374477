import type { NodeId } from '../core/ids.ts';
import { Damping } from './damping.ts';
import type { Loss } from './detector.ts';
import type { Evidence, Measure } from './evidence.ts';
import { PhiAccrual } from './phi-accrual.ts';

export type LinkState = 'up' | 'suspect' | 'down';

const suspectPhi = 5;
const downPhi = 8;
const downIntervals = 3;

/** The judge's own circumstances. */
export interface Judge {
  readonly self: NodeId;
  readonly score: number;
  readonly patience: number;
}

/**
 * One direction of a link: how the frames of one peer arrive here. All times are time in which this node listened. Suspicion is taken back by the first frame; a
 * lost link comes back with the first frame too, unless it flaps.
 */
export class LinkWatch {
  readonly peer: NodeId;
  readonly #intervalMs: number;
  readonly #phi: PhiAccrual;
  #damping = new Damping();
  #state: LinkState = 'up';
  #evidence: Evidence | undefined;
  /** Whether it was heard at all: that nodes find each other for the first time is no unrest. */
  #isMet = false;

  constructor(peer: NodeId, intervalMs: number, nowMs: number) {
    this.peer = peer;
    this.#intervalMs = intervalMs;
    this.#phi = new PhiAccrual(intervalMs, nowMs);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Why the link is not up. */
  get evidence(): Evidence | undefined {
    return this.#evidence;
  }

  silenceMs(nowMs: number): number {
    return this.#phi.silenceMs(nowMs);
  }

  /** Goes on with what another detector knew; its silence counts from `fromMs` on. */
  adopt(loss: Loss | undefined, fromMs: number): void {
    if (loss?.state !== 'down') this.#phi.resume(fromMs);
    this.#state = loss?.state ?? 'up';
    this.#evidence = loss?.evidence;
  }

  /** A frame came. True when that changed the state. */
  heard(nowMs: number): boolean {
    if (this.#state === 'up') {
      this.#isMet = true;
      this.#phi.heard(nowMs);
      return false;
    }
    this.#phi.resume(nowMs);
    if (this.#state === 'down' && this.#damping.isHeld(nowMs)) return false;
    this.#isMet = true;
    this.#state = 'up';
    this.#evidence = undefined;
    return true;
  }

  /** The connection closed or was reset: suspect at once, lost if nothing follows. True when that changed the state. */
  lost(nowMs: number, judge: Judge): boolean {
    if (this.#state === 'down') return false;
    const wasUp = this.#state === 'up';
    this.#state = 'suspect';
    this.#accuse('connection', this.silenceMs(nowMs), 0, nowMs, judge);
    return wasUp;
  }

  /** Its connection is gone, and those who probed it for us heard nothing either: it is lost, however well this node listens. True when that changed the state. */
  giveUp(nowMs: number, judge: Judge): boolean {
    if (this.#state !== 'suspect' || this.#evidence?.measure !== 'connection') return false;
    this.#loseFor('probe', nowMs, this.#intervalMs, judge);
    return true;
  }

  /** The peer has begun a new life: that it was away was no fault of the link. */
  onRestart(): void {
    this.#damping = new Damping();
  }

  /** Judges the silence. True when that changed the state. */
  judge(nowMs: number, judge: Judge): boolean {
    const silenceMs = this.silenceMs(nowMs);
    // Nothing is decided before a beat is overdue.
    if (this.#state === 'down' || silenceMs <= this.#intervalMs) return false;
    const phi = this.#phi.phi(nowMs, judge.patience);
    const downMs = downIntervals * this.#intervalMs * judge.patience;
    if (phi >= downPhi && silenceMs >= downMs) {
      this.#loseFor('silence', nowMs, downMs, judge);
      return true;
    }
    if (this.#state === 'suspect' || phi < suspectPhi) return false;
    this.#state = 'suspect';
    this.#accuse('phi', phi, suspectPhi, nowMs, judge);
    return true;
  }

  #loseFor(measure: Measure, nowMs: number, boundMs: number, judge: Judge): void {
    this.#state = 'down';
    if (this.#isMet) this.#damping.onLoss(nowMs);
    this.#accuse(measure, this.silenceMs(nowMs), boundMs, nowMs, judge);
  }

  #accuse(measure: Measure, value: number, bound: number, atMs: number, { self, score }: Judge): void {
    this.#evidence = { accused: this.peer, accuser: self, measure, value, bound, silenceMs: this.silenceMs(atMs), score, atMs };
  }
}
