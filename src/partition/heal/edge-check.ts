/** Round trips in a row that make an edge whole; and how long three of them may take. */
const firstRequired = 3;
const maxRequired = 12;
const tripMs = 100;
/** An edge that is lost again so soon after it was whole has to show twice as much. */
const relapseMs = 60_000;

/**
 * Whether an edge that is back can be relied on (H1): three echoes in a row, each from the peer's same life, within 300 ms; six and then twelve for an edge that flaps,
 * so that a bad cable doesn't start a heal at every contact. Each side checks for itself: together that is both ways.
 */
export class EdgeCheck {
  #required = firstRequired;
  #wholeMs = -Infinity;
  #boot: number | undefined;
  #trips = 0;
  #sent: { readonly nonce: number; readonly atMs: number } | undefined;

  get required(): number {
    return this.#required;
  }

  onLost(nowMs: number): void {
    this.#required = nowMs - this.#wholeMs < relapseMs ? Math.min(maxRequired, this.#required * 2) : firstRequired;
    this.#restart();
  }

  /** The nonce of an echo to send now, if one is due; a late answer makes it begin anew. */
  next(nowMs: number, newNonce: () => number): number | undefined {
    if (this.#sent !== undefined) {
      if (nowMs - this.#sent.atMs <= tripMs) return undefined;
      this.#restart();
    }
    const nonce = newNonce();
    this.#sent = { nonce, atMs: nowMs };
    return nonce;
  }

  /** An answer. True when the edge is whole with it. An answer that is late, unasked for, or of a peer that was restarted meanwhile counts for nothing. */
  onReply(nonce: number, boot: number, nowMs: number): boolean {
    if (this.#sent?.nonce !== nonce || nowMs - this.#sent.atMs > tripMs) return false;
    if (this.#boot !== boot) this.#trips = 0;
    this.#boot = boot;
    this.#sent = undefined;
    if (++this.#trips < this.#required) return false;
    this.#wholeMs = nowMs;
    this.#restart();
    return true;
  }

  #restart(): void {
    this.#trips = 0;
    this.#sent = undefined;
    this.#boot = undefined;
  }
}
