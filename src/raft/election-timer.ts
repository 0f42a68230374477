import type { RaftOptions } from './config.ts';

/** The ticks that a node waits for a sign of its leader before it stands for election (§5.2). A leader does not tick it. */
export class ElectionTimer {
  readonly #options: RaftOptions;
  #elapsed = 0;
  #timeout = 0;
  /** Set while the leader's connection is known to be lost: waits are drawn from this many ticks, doubling, until they reach the ordinary ones. */
  #hastenedTicks = 0;
  /** Ticks since a leader was heard or this node began, which may have heard one before: nothing else sets it back. */
  #unheardTicks = 0;

  constructor(options: RaftOptions) {
    this.#options = options;
    this.reset();
  }

  /** The leader was heard within the shortest wait, and its connection is not known to be lost. */
  get hasHeardLately(): boolean {
    return this.#elapsed < this.#options.electionTicks && this.#hastenedTicks === 0;
  }

  /** With leases: what was promised to a leader holds, even if this node has moved to another term or has forgotten it in a crash. */
  get isBound(): boolean {
    return this.#options.leaseMs > 0 && this.#unheardTicks < this.#options.electionTicks;
  }

  /** True when the wait is over. */
  tick(): boolean {
    this.#unheardTicks++;
    if (++this.#elapsed < this.#timeout) return false;
    const { electionTicks, campaignDelay } = this.#options;
    return this.#elapsed >= this.#timeout + Math.min(electionTicks, campaignDelay?.() ?? 0);
  }

  /** Waits anew, for as long as is drawn now. */
  reset(): void {
    const { electionTicks, heartbeatTicks, random } = this.#options;
    this.#elapsed = 0;
    if (this.#hastenedTicks > 0 && this.#hastenedTicks < electionTicks) {
      this.#timeout = heartbeatTicks + random.below(this.#hastenedTicks);
      return;
    }
    this.#hastenedTicks = 0;
    // Randomised so that split votes are rare and resolve quickly (§5.2).
    this.#timeout = electionTicks + random.below(electionTicks);
  }

  /** Waits anew, for as long as was drawn before. */
  restart(): void {
    this.#elapsed = 0;
  }

  /** A sign of the leader. */
  hear(): void {
    this.#elapsed = 0;
    this.#unheardTicks = 0;
    if (this.#hastenedTicks === 0) return;
    this.#hastenedTicks = 0;
    this.reset();
  }

  /** The wait was over: the next one is ordinary again, or nearer to it. */
  slacken(): void {
    this.#hastenedTicks *= 2;
    this.reset();
  }

  /** From the next wait on, they are ordinary. */
  calm(): void {
    this.#hastenedTicks = 0;
  }

  /** The leader's connection was lost. Two that lost it together may tie, hence short waits that double. */
  hasten(): void {
    const { heartbeatTicks, random, campaignDelay } = this.#options;
    // Who had better let others go first doesn't hurry: they may not know yet.
    if ((campaignDelay?.() ?? 0) > 0) return;
    this.#hastenedTicks = heartbeatTicks;
    this.#elapsed = 0;
    this.#timeout = 1 + random.below(heartbeatTicks);
  }

  /** For scripts: fixes the current wait. */
  fix(ticks: number): void {
    this.#timeout = ticks;
  }
}
