/** First retry after this long, doubled with each failure. Short, because a restarted peer is usually back at once. */
const firstRetryMs = 100;
/** The longest wait: a peer that comes back is found within about this long, for the price of one refused connection a second. */
const maxRetryMs = 1000;
/** Waits differ by this share up and down, so that members which lost one another together don't dial together for ever. */
const jitter = 0.3;
/** A link that lived at least this long was a good one: its loss is answered at once. One that lived less counts as a failed attempt. */
const steadyMs = 1000;

/** How long to wait after so many failures in a row; `fraction` is a random number in [0, 1). */
export function retryDelayMs(failures: number, fraction: number): number {
  if (failures === 0) return 0;
  const base = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 10));
  return Math.min(maxRetryMs, base * (1 - jitter + 2 * jitter * fraction));
}

/**
 * Keeps trying to open one link, for ever. At most one attempt is under way and at most one timer is set. libp2p's own reconnection is not used: it
 * gives up after five failures.
 */
export class Redial {
  readonly #attempt: (signal: AbortSignal) => Promise<boolean>;
  #wanted = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #underWay: { readonly controller: AbortController; readonly done: Promise<void> } | undefined;

  /** `attempt` says whether the link is open; it must not reject, and must end soon once its signal is aborted. */
  constructor(attempt: (signal: AbortSignal) => Promise<boolean>) {
    this.#attempt = attempt;
  }

  /** A link is wanted and there is none: try as soon as past failures allow. */
  start(): void {
    this.#wanted = true;
    if (this.#underWay !== undefined || this.#timer !== undefined) return;
    const delayMs = retryDelayMs(this.#failures, Math.random());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#try();
    }, delayMs);
  }

  /** The link was lost after it had lived so long: open a new one. */
  lost(livedMs: number): void {
    this.#failures = livedMs >= steadyMs ? 0 : this.#failures + 1;
    if (this.#wanted) this.start();
  }

  /** Something suggests that an attempt would succeed now: don't wait for the timer. */
  hurry(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#try();
  }

  /** No link is wanted. Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#failures = 0;
    this.#underWay?.controller.abort();
    await this.#underWay?.done;
  }

  #try(): void {
    const controller = new AbortController();
    this.#underWay = { controller, done: this.#run(controller.signal) };
  }

  async #run(signal: AbortSignal): Promise<void> {
    const open = await this.#attempt(signal);
    this.#underWay = undefined;
    if (open) return;
    // An attempt that was aborted says nothing about the peer.
    if (!signal.aborted) this.#failures++;
    if (this.#wanted) this.start();
  }
}
