/** What view 0 takes at least, and how many delays it has (nine in TetraBFT). */
const viewMs = { least: 150, delays: 9 };
/** A node that was held up for longer was paused, and is not slow. */
const maxDelayMs = 200;
/** How long a turn waits for more, for each vote that the last one was about, and at most. */
const pauseMs = { perVote: 0.1, most: 4 };

/** How fast this node is at present, and what follows from that for the times of its votes. */
export class Pace {
  /** A late peak. */
  #delayMs = 0;
  #busyVotes = 0;

  /** A turn is over, `ms` after it was asked for: so long a message took and the write before it. */
  took(ms: number, votes: number): void {
    this.#delayMs = Math.max(0.99 * this.#delayMs, Math.min(ms, maxDelayMs));
    this.#busyVotes = votes;
  }

  /** How long view 0 of a vote may take. */
  readonly viewMs = (): number => Math.max(viewMs.least, viewMs.delays * this.#delayMs);

  /** How long the next turn waits for more to come. Under load a turn that serves twice as many votes costs little more: fewer frames, writes and signatures. */
  get pauseMs(): number {
    return Math.min(pauseMs.most, pauseMs.perVote * this.#busyVotes);
  }
}
