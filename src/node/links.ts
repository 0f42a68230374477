import { majority } from '../core/quorum.ts';
import type { NodeId } from '../core/ids.ts';
import type { PartitionState } from './service.ts';

/** Which peers this node hears. Frames of any kind count; a peer is lost at once when its connection is, or after an election timeout of silence. */
export class Links {
  readonly #self: NodeId;
  readonly #silenceMs: number;
  readonly #startedMs: number;
  readonly #heardMs = new Map<NodeId, number>();

  constructor(self: NodeId, silenceMs: number, nowMs: number) {
    this.#self = self;
    this.#silenceMs = silenceMs;
    this.#startedMs = nowMs;
  }

  heard(peer: NodeId, nowMs: number): void {
    this.#heardMs.set(peer, nowMs);
  }

  lost(peer: NodeId): void {
    this.#heardMs.delete(peer);
  }

  isReachable(peer: NodeId, nowMs: number): boolean {
    const heardMs = this.#heardMs.get(peer);
    return peer === this.#self || (heardMs !== undefined && nowMs - heardMs < this.#silenceMs);
  }

  /** True when fewer than a majority of the voters can be heard: nothing can be decided on this side. Not said before peers had time to be heard. */
  isMinority(voters: readonly NodeId[], nowMs: number): boolean {
    if (nowMs - this.#startedMs < 2 * this.#silenceMs) return false;
    return voters.filter((voter) => this.isReachable(voter, nowMs)).length < majority(voters.length);
  }

  state(voters: readonly NodeId[], nowMs: number): PartitionState {
    if (voters.every((voter) => this.isReachable(voter, nowMs))) return 'healthy';
    if (nowMs - this.#startedMs < 2 * this.#silenceMs) return 'suspect';
    return this.isMinority(voters, nowMs) ? 'minority' : 'majority';
  }
}
