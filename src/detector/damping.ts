const windowMs = 10_000;
const maxChanges = 3;
const holdMs = 10_000;

/**
 * Damps a link that comes and goes: after three changes within ten seconds, which is when it is called flapping (`Matrix`), it stays lost for ten more, as a route that
 * flaps is (RFC 2439). Only the way back is held up, never the news that a link is lost. Not three within a minute: a second short split would then take ten
 * seconds to heal.
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
