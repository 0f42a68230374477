const windowMs = 10_000;
const maxLosses = 3;
const holdMs = 10_000;

/**
 * Damps a link that comes and goes: with the third loss in ten seconds, which is when it is called flapping (`Matrix`), it stays lost for ten more, as a route that
 * flaps is (RFC 2439). A loss and the return from it are one flap. Only the way back is held up, never the news that a link is lost.
 */
export class Damping {
  /** When it was lost, the newest last; at most `maxLosses`. */
  #losses: number[] = [];
  #heldUntilMs = -Infinity;

  onLoss(nowMs: number): void {
    this.#losses = [...this.#losses.filter((lostMs) => nowMs - lostMs < windowMs), nowMs].slice(-maxLosses);
    if (this.#losses.length === maxLosses) this.#heldUntilMs = nowMs + holdMs;
  }

  isHeld(nowMs: number): boolean {
    return nowMs < this.#heldUntilMs;
  }
}
