import type { NodeId } from '../core/ids.ts';
import { assert } from '../core/assert.ts';

/**
 * How long a suspected node has to refute (Lifeguard, section 4.B): long when one node says it, which may be wrong, and the shorter the more independent nodes say
 * the same: from `maxMs` down to `minMs` at `wanted` confirmations, by the logarithm.
 */
export class Suspicion {
  readonly incarnation: number;
  readonly sinceMs: number;
  readonly #accusers: Set<NodeId>;
  readonly #wanted: number;
  readonly #minMs: number;
  readonly #maxMs: number;

  constructor(init: { incarnation: number; sinceMs: number; by: NodeId; wanted: number; minMs: number; maxMs: number }) {
    assert(init.wanted >= 1 && init.minMs <= init.maxMs, 'a suspicion shortens');
    this.incarnation = init.incarnation;
    this.sinceMs = init.sinceMs;
    this.#accusers = new Set([init.by]);
    this.#wanted = init.wanted;
    this.#minMs = init.minMs;
    this.#maxMs = init.maxMs;
  }

  /** Who says it; the first one is not a confirmation. */
  get accusers(): readonly NodeId[] {
    return [...this.#accusers];
  }

  /** True when this accuser was news: worth telling on. */
  confirm(by: NodeId): boolean {
    if (this.#accusers.has(by) || this.#accusers.size > this.#wanted) return false;
    this.#accusers.add(by);
    return true;
  }

  get timeoutMs(): number {
    const confirmations = this.#accusers.size - 1;
    const share = Math.log(confirmations + 1) / Math.log(this.#wanted + 1);
    return Math.max(this.#minMs, this.#maxMs - (this.#maxMs - this.#minMs) * share);
  }

  /** `patience`: by how much a node that is slow itself stretches time. */
  isOver(nowMs: number, patience = 1): boolean {
    return nowMs - this.sinceMs >= this.timeoutMs * patience;
  }
}
