import { majority } from '../core/quorum.ts';
import type { NodeId } from '../core/ids.ts';

/**
 * Which peers this node hears. Frames of any kind count; a peer is lost at once when its connection is, or after an election timeout of silence. Silence is
 * counted in time in which this node listened: one that was paused, or got no processor, knows nothing about its peers (Lifeguard, section 3).
 */
export class Links {
  readonly #self: NodeId;
  readonly #silenceMs: number;
  /** In listened time. */
  readonly #heardMs = new Map<NodeId, number>();
  #listenedMs = 0;
  #tickedMs: number;
  #isUnheard = false;

  constructor(self: NodeId, silenceMs: number, nowMs: number) {
    this.#self = self;
    this.#silenceMs = silenceMs;
    this.#tickedMs = nowMs;
  }

  /** To be called several times in `silenceMs`. A longer pause than a quarter of it counts as a quarter. */
  onTick(nowMs: number): void {
    this.#listenedMs = this.#listened(nowMs);
    this.#tickedMs = nowMs;
  }

  heard(peer: NodeId, nowMs: number): void {
    this.#heardMs.set(peer, this.#listened(nowMs));
  }

  lost(peer: NodeId): void {
    this.#heardMs.delete(peer);
  }

  /** Whether too few of the voters that this node may hear hear it, by their own word. */
  onUnheard(isUnheard: boolean): void {
    this.#isUnheard = isUnheard;
  }

  isReachable(peer: NodeId, nowMs: number): boolean {
    const heardMs = this.#heardMs.get(peer);
    return peer === this.#self || (heardMs !== undefined && this.#listened(nowMs) - heardMs < this.#silenceMs);
  }

  /** True when fewer than a majority of the voters can be heard, or hear this node: nothing can be decided on this side. Not said before peers had time to be heard. */
  isMinority(voters: readonly NodeId[], nowMs: number): boolean {
    if (this.#isUnheard) return true;
    if (this.#listened(nowMs) < 2 * this.#silenceMs) return false;
    return voters.filter((voter) => this.isReachable(voter, nowMs)).length < majority(voters.length);
  }

  #listened(nowMs: number): number {
    return this.#listenedMs + Math.min(nowMs - this.#tickedMs, this.#silenceMs / 4);
  }
}
