import { gossipLimits } from './limits.ts';

// A stamp is the physical time in milliseconds times 2^10, plus a count: a whole number below 2^53 until the year 2248. A count that overflows borrows from
// the next millisecond.
const perMs = 1024;

/** The latest stamp that still counts at a time: what is further ahead ranks last until its time comes, so that a wrong clock does not win for ever. */
export const latestStamp = (unixMs: number): number => (unixMs + gossipLimits.driftMs) * perMs;

/** A stamp's physical part, in milliseconds since 1970. */
export const stampMs = (stamp: number): number => Math.floor(stamp / perMs);

/** Stamps that grow with every write and with everything that was heard before it (Kulkarni et al. 2014, hybrid logical clocks). */
export class HybridClock {
  #last = 0;

  stamp(unixMs: number): number {
    this.#last = Math.max(Math.floor(unixMs) * perMs, this.#last + 1);
    return this.#last;
  }

  /** Hears a stamp of another node. False when it is too far ahead to be followed. */
  observe(stamp: number, unixMs: number): boolean {
    if (stamp > latestStamp(unixMs)) return false;
    this.#last = Math.max(this.#last, stamp);
    return true;
  }
}
