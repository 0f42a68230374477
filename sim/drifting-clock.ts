/** A node's monotonic clock: it runs at the rate of the node's timers, and on while the node is paused or down. */
export class DriftingClock {
  readonly #trueUs: () => number;
  #shownUs = 0;
  #setUs = 0;
  #rate = 1;

  constructor(trueUs: () => number) {
    this.#trueUs = trueUs;
  }

  /** What it shows, in microseconds. */
  get nowUs(): number {
    return this.#shownUs + (this.#trueUs() - this.#setUs) * this.#rate;
  }

  /** From now on it runs by so many percent faster than true time. */
  drift(percent: number): void {
    this.#shownUs = this.nowUs;
    this.#setUs = this.#trueUs();
    this.#rate = 1 + percent / 100;
  }
}
