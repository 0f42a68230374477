import type { Random } from '../src/core/random.ts';
import type { EventQueue } from './event-queue.ts';

/** How links behave; drawn anew for each seed. Chances are per 10,000 frames. */
export interface NetworkFaults {
  readonly minDelayUs: number;
  readonly maxDelayUs: number;
  readonly lossChance: number;
  readonly duplicateChance: number;
  /** A frame that takes a hundred times as long, and so comes late and out of order. */
  readonly tailChance: number;
}

export const calmNetwork: NetworkFaults = { minDelayUs: 200, maxDelayUs: 1000, lossChance: 0, duplicateChance: 0, tailChance: 0 };

/** Links between the nodes of a world. Each direction of a link can be cut alone. */
export class VirtualNetwork {
  faults: NetworkFaults = calmNetwork;
  dropped = 0;
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #deliver: (from: number, to: number, frame: Uint8Array) => void;
  readonly #cut = new Set<string>();

  constructor(queue: EventQueue, random: Random, deliver: (from: number, to: number, frame: Uint8Array) => void) {
    this.#queue = queue;
    this.#random = random;
    this.#deliver = deliver;
  }

  send(from: number, to: number, frame: Uint8Array): void {
    const { lossChance, duplicateChance } = this.faults;
    if (this.#isCut(from, to) || this.#random.below(10_000) < lossChance) {
      this.dropped++;
      return;
    }
    this.#travel(from, to, frame);
    if (this.#random.below(10_000) < duplicateChance) this.#travel(from, to, frame);
  }

  cut(from: number, to: number): void {
    this.#cut.add(`${from} ${to}`);
  }

  isCut(from: number, to: number): boolean {
    return this.#isCut(from, to);
  }

  heal(): void {
    this.#cut.clear();
  }

  #travel(from: number, to: number, frame: Uint8Array): void {
    const { minDelayUs, maxDelayUs, tailChance } = this.faults;
    const delayUs = minDelayUs + this.#random.below(maxDelayUs - minDelayUs + 1);
    const isLate = this.#random.below(10_000) < tailChance;
    this.#queue.after(isLate ? delayUs * 100 : delayUs, () => {
      if (this.#isCut(from, to)) this.dropped++;
      else this.#deliver(from, to, frame);
    });
  }

  #isCut(from: number, to: number): boolean {
    return this.#cut.has(`${from} ${to}`);
  }
}
