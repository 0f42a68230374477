/** How far behind the newest frame of a sender another may be: frames may overtake each other on different ways, not by more. */
export const replayWindow = 1024;

/**
 * Takes each frame of one sender at most once. A frame of an earlier start of the sender than the latest seen, or too far behind, is not taken either. It keeps
 * work away, not harm: what frames say may be heard twice (protocol design 1.3).
 */
export class ReplayWindow {
  #boot = -1;
  #highest = -1;
  /** Of each number modulo the window the latest one taken. */
  readonly #taken = new Float64Array(replayWindow);

  /** True for a frame to look at. To be asked only of one whose MAC is right. */
  take(boot: number, seq: number): boolean {
    if (boot < this.#boot) return false;
    if (boot > this.#boot) {
      this.#boot = boot;
      this.#highest = -1;
      this.#taken.fill(-1);
    }
    const slot = seq % replayWindow;
    if (seq <= this.#highest - replayWindow || this.#taken[slot] === seq) return false;
    this.#taken[slot] = seq;
    this.#highest = Math.max(this.#highest, seq);
    return true;
  }
}
