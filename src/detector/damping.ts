const windowMs = 60_000;
const maxChanges = 3;
const holdMs = 10_000;

/**
 * Damps a link that comes and goes: after three changes within a minute it stays lost for ten seconds, as a route that flaps is (RFC 2439). Only the way back is
 * held up, never the news that a link is lost.
 */
export class Damping {
  /** When it changed, the newest last; at most `maxChanges`. */
  #changes: number[] = [];
  #heldUntilMs = -Infinity;

  onChange(nowMs: number): void {
    this.#changes = [...this.#changes.filter((changedMs) => nowMs - changedMs < windowMs), nowMs].slice(-maxChanges);
    if (this.#changes.length === maxChanges) this.#heldUntilMs = nowMs + holdMs;
  }

  isHeld(nowMs: number): boolean {
    return nowMs < this.#heldUntilMs;
  }
}
