/** The highest score: a node that is so slow waits nine times as long before it accuses anyone. */
const maxScore = 8;
/** Nodes that must miss the accused too to make up for all slowness of the judge. */
const maxWanted = 3;

/**
 * How far this node should distrust its own judgement (Lifeguard, Dadgar et al. 2018, section 4.A): a node that is starved of its processor sees everyone else
 * fall silent. Its own late timers, its event loop's delay and answers that it missed raise the score; calm lowers it; every timeout is multiplied by `patience`.
 *
 * It also keeps the time in which this node listened. A timer that fires late says that the process stood still: what the peers sent meanwhile has not been read,
 * so that time is nobody's silence.
 */
export class LocalHealth {
  readonly #tickMs: number;
  readonly #heartbeatMs: number;
  readonly #calmEachMs: number;
  #score = 0;
  #calmMs = 0;
  #tickedMs: number;
  #listenedMs = 0;
  /** The last time in which it stood still began and ended here. */
  #stoppedMs: number;
  #resumedMs: number;

  /**
   * `tickMs`: how often `tick` is to be called, less than the heartbeat. `calmEachMs`: after a heartbeat without trouble, each such time more lowers the score by one. Less
   * forgets sooner, more suits those whose wrong word costs much.
   */
  constructor(tickMs: number, heartbeatMs: number, nowMs: number, calmEachMs = heartbeatMs) {
    this.#tickMs = tickMs;
    this.#heartbeatMs = heartbeatMs;
    this.#calmEachMs = calmEachMs;
    this.#tickedMs = nowMs;
    this.#stoppedMs = nowMs;
    this.#resumedMs = nowMs;
  }

  /** 0 (well) to 8. */
  get score(): number {
    return this.#score;
  }

  get patience(): number {
    return 1 + this.#score;
  }

  /** With so many of `others` peers, which are heard, missing the accused too: who hears nothing himself has nobody to confirm it (Lifeguard, section 4.B). */
  patienceWith(confirmations: number, others: number): number {
    const wanted = Math.max(1, Math.min(maxWanted, others));
    return 1 + this.#score * Math.max(0, 1 - Math.log(confirmations + 1) / Math.log(wanted + 1));
  }

  /**
   * Milliseconds in which this node listened, from its beginning until `atMs`. Of times past it remembers one standstill, the last: before that, every moment
   * counts as listened.
   */
  listenedMs(atMs: number): number {
    if (atMs >= this.#tickedMs) return this.#listenedMs + Math.min(atMs - this.#tickedMs, this.#tickMs);
    const sinceMs = this.#tickedMs - Math.max(atMs, this.#resumedMs);
    return this.#listenedMs - sinceMs - Math.max(0, this.#stoppedMs - atMs);
  }

  /** False when the timer was late by more than half a heartbeat: this round judges nobody. */
  tick(nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - this.#tickedMs);
    const onTime = passedMs - this.#tickMs <= this.#heartbeatMs / 2;
    if (!onTime) {
      this.#stoppedMs = this.#tickedMs + this.#tickMs;
      this.#resumedMs = nowMs;
    }
    this.#tickedMs = nowMs;
    this.#listenedMs += onTime ? passedMs : this.#tickMs;
    if (!onTime) this.#worse();
    else this.#calm(passedMs);
    return onTime;
  }

  /** The 99th percentile of the event loop's delay since the last call. */
  onLoopDelay(p99Ms: number): void {
    if (p99Ms > this.#heartbeatMs / 4) this.#worse();
  }

  /** A probe of ours was answered by nobody, neither the probed nor those who probed it for us: perhaps it is us. */
  onMissedAck(): void {
    this.#worse();
  }

  /** Was slow while it started, which says nothing about how it judges from now on. */
  onStarted(): void {
    this.#score = 0;
  }

  onAck(): void {
    this.#score = Math.max(0, this.#score - 1);
  }

  #worse(): void {
    this.#score = Math.min(maxScore, this.#score + 1);
    this.#calmMs = 0;
  }

  #calm(passedMs: number): void {
    this.#calmMs += passedMs;
    if (this.#calmMs < this.#heartbeatMs + this.#calmEachMs) return;
    this.#calmMs -= this.#calmEachMs;
    this.onAck();
  }
}
