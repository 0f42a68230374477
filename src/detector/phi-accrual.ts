import { assert } from '../core/assert.ts';

/** Intervals that are remembered: 20 s at ten beats a second, so that a change of the network's habits is learnt within it. */
const windowSize = 200;
/** Less would call a timer's ordinary unevenness a failure: a quiet loopback beats almost without any. */
const minSigmaMs = 20;

/**
 * How surprising a peer's silence is, after its habits (Hayashibara et al. 2004): phi is -log10 of the chance that a beat still comes after such a silence, if
 * its intervals are normally distributed. Phi 5 is wrong once in 100,000 beats, phi 8 once in 10^8, as far as habits hold.
 */
export class PhiAccrual {
  readonly #intervalMs: number;
  readonly #samples = new Float64Array(windowSize);
  #count = 0;
  #next = 0;
  #sum = 0;
  #squares = 0;
  #heardMs: number;

  /** `intervalMs`: how often the peer promised to beat. */
  constructor(intervalMs: number, nowMs: number) {
    assert(intervalMs > 0, 'beats have an interval');
    this.#intervalMs = intervalMs;
    this.#heardMs = nowMs;
    // As if two beats had come, unevenly: a first guess until there are habits.
    this.#add(intervalMs * 0.75);
    this.#add(intervalMs * 1.25);
  }

  get meanMs(): number {
    return this.#sum / this.#count;
  }

  get sigmaMs(): number {
    return Math.max(minSigmaMs, Math.sqrt(Math.max(0, this.#squares / this.#count - this.meanMs ** 2)));
  }

  silenceMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#heardMs);
  }

  heard(nowMs: number): void {
    const intervalMs = nowMs - this.#heardMs;
    if (intervalMs < 0) return;
    this.#heardMs = nowMs;
    // Busy links beat with every frame. What counts is the promise: otherwise the end of a burst would be a failure.
    this.#add(Math.max(intervalMs, this.#intervalMs));
  }

  /** The peer is back after a failure: that silence is no habit. */
  resume(nowMs: number): void {
    this.#heardMs = Math.max(this.#heardMs, nowMs);
  }

  /** `patience`: by how much a node that is slow itself stretches time (Lifeguard). */
  phi(nowMs: number, patience = 1): number {
    const y = (this.silenceMs(nowMs) / patience - this.meanMs) / this.sigmaMs;
    // A logistic approximation of the normal distribution, good to 0.0002 (Bowling et al. 2009), as a logarithm throughout so that it never overflows.
    const exponent = y * (1.5976 + 0.070566 * y * y);
    return (Math.max(0, exponent) + Math.log1p(Math.exp(-Math.abs(exponent)))) / Math.LN10;
  }

  #add(sampleMs: number): void {
    if (this.#count === windowSize) {
      const old = this.#samples[this.#next] ?? 0;
      this.#sum -= old;
      this.#squares -= old * old;
    } else {
      this.#count++;
    }
    this.#samples[this.#next] = sampleMs;
    this.#next = (this.#next + 1) % windowSize;
    this.#sum += sampleMs;
    this.#squares += sampleMs * sampleMs;
  }
}
