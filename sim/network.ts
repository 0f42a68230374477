import type { Random } from '../src/core/random.ts';
import type { EventQueue } from './event-queue.ts';
import { calmNetwork } from './plan.ts';

/** How links behave; drawn anew for each seed. Chances are per 10,000 frames. */
export interface NetworkFaults {
  readonly minDelayUs: number;
  readonly maxDelayUs: number;
  readonly lossChance: number;
  readonly duplicateChance: number;
  /** A frame that takes a hundred times as long, and so comes late and out of order. */
  readonly tailChance: number;
}

/** Frames that wait on a clogged link; more are lost, as with a full socket. */
const maxClogged = 10_000;

/** One direction of a link. Faults overlap, so each is counted. */
interface Link {
  cuts: number;
  clogs: number;
  readonly waiting: Uint8Array[];
}

/** Links between the nodes of a world. Each direction of a link can be cut or clogged alone. */
export class VirtualNetwork {
  faults: NetworkFaults = calmNetwork;
  /** Frames. */
  lost = 0;
  readonly #size: number;
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #deliver: (from: number, to: number, frame: Uint8Array) => void;
  readonly #links: Link[];

  constructor(size: number, queue: EventQueue, random: Random, deliver: (from: number, to: number, frame: Uint8Array) => void) {
    this.#size = size;
    this.#queue = queue;
    this.#random = random;
    this.#deliver = deliver;
    this.#links = Array.from({ length: size * size }, () => ({ cuts: 0, clogs: 0, waiting: [] }));
  }

  send(from: number, to: number, frame: Uint8Array): void {
    const { lossChance, duplicateChance } = this.faults;
    if (this.#link(from, to).cuts > 0 || this.#random.below(10_000) < lossChance) {
      this.lost++;
      return;
    }
    this.#travel(from, to, frame);
    if (this.#random.below(10_000) < duplicateChance) this.#travel(from, to, frame);
  }

  cut(from: number, to: number): void {
    this.#link(from, to).cuts++;
  }

  join(from: number, to: number): void {
    const link = this.#link(from, to);
    link.cuts = Math.max(0, link.cuts - 1);
  }

  /** While a link is clogged its frames wait; then they all come at once, in order. */
  clog(from: number, to: number): void {
    this.#link(from, to).clogs++;
  }

  unclog(from: number, to: number): void {
    const link = this.#link(from, to);
    link.clogs = Math.max(0, link.clogs - 1);
    if (link.clogs > 0) return;
    for (const frame of link.waiting.splice(0)) this.#queue.after(1, () => this.#arrive(from, to, frame));
  }

  heal(): void {
    for (let from = 0; from < this.#size; from++) {
      for (let to = 0; to < this.#size; to++) {
        const link = this.#link(from, to);
        link.cuts = 0;
        if (link.clogs === 0) continue;
        link.clogs = 1;
        this.unclog(from, to);
      }
    }
  }

  #travel(from: number, to: number, frame: Uint8Array): void {
    const { minDelayUs, maxDelayUs, tailChance } = this.faults;
    const delayUs = minDelayUs + this.#random.below(maxDelayUs - minDelayUs + 1);
    const isLate = this.#random.below(10_000) < tailChance;
    this.#queue.after(isLate ? delayUs * 100 : delayUs, () => this.#arrive(from, to, frame));
  }

  #arrive(from: number, to: number, frame: Uint8Array): void {
    const { cuts, clogs, waiting } = this.#link(from, to);
    if (cuts > 0) this.lost++;
    else if (clogs === 0) this.#deliver(from, to, frame);
    else if (waiting.length < maxClogged) waiting.push(frame);
    else this.lost++;
  }

  #link(from: number, to: number): Link {
    const link = this.#links[from * this.#size + to];
    if (link === undefined) throw new RangeError(`there is no link from ${from} to ${to}`);
    return link;
  }
}
