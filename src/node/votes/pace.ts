/** What view 0 takes at least, and how many delays it has (nine in TetraBFT). */
const viewMs = { least: 150, delays: 9 };
/** A node that was held up for longer was paused, and is not slow. */
const maxDelayMs = 200;
/** How long a turn waits for more: as long as the last one worked, and at least this for each vote that it was about. */
const pauseMs = { perVote: 0.2, most: 10 };

/** How fast this node is at present, and what follows from that for the times of its votes. */
export class Pace {
  /** A late peak. */
  #delayMs = 0;
  #pauseMs = 0;

  /** A turn worked for so long, about so many votes. */
  worked(ms: number, votes: number): void {
    this.#pauseMs = Math.min(pauseMs.most, Math.max(ms, pauseMs.perVote * votes));
  }

  /** What it was about is durable, `ms` after the turn was asked for: so long a message takes and the write before it. */
  took(ms: number): void {
    this.#delayMs = Math.max(0.99 * this.#delayMs, Math.min(ms, maxDelayMs));
  }

  /** How long view 0 of a vote may take. */
  readonly viewMs = (): number => Math.max(viewMs.least, viewMs.delays * this.#delayMs);

  /** How long the next turn waits for more to come. Under load a turn that serves twice as many votes costs little more: fewer frames, writes and signatures. */
  get pauseMs(): number {
    return this.#pauseMs;
  }
}
