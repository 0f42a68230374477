import { approval, type GuardedAction } from '../../byzantine/guard.ts';
import type { Hashes } from '../../byzantine/crypto.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { Votes } from '../votes/votes.ts';
import { changeContext } from './requests.ts';

export interface PromotionPorts {
  /** The votes of the newest epoch of which this node knows, once it takes part in them. */
  readonly votes: () => Pick<Votes, 'configuration' | 'succession' | 'open'> | undefined;
  readonly hashes: Hashes;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long persons and agents have for their ballots; where policies approve nobody waits. */
const timeoutMs = 600_000;
/** A change is good for its epoch only, whatever the time is. */
const validMs = 86_400_000;
/** From a vote that ended without an option to the next on the same change: this, twice as long after each, up to the second. */
const [firstPauseMs, longestPauseMs] = [60_000, 3_600_000];
/** After a refusal to open one, with too few members at hand for example. */
const refusedPauseMs = 1000;

/**
 * Has the members vote on the changes that a leader wants to make of its own, one after the other. All that counts is what the votes themselves know: whoever leads
 * next finds the vote that is open, or its certificate, and goes on from there. What has failed is asked again after a pause that grows; what was rejected is not.
 */
export class Promotions {
  readonly #ports: PromotionPorts;
  #epoch = 0;
  /** The vote that was opened last. */
  #opened: GuardedAction | undefined;
  /** By payload: not to be opened before. */
  readonly #notBeforeMs = new Map<string, number>();

  constructor(ports: PromotionPorts) {
    this.#ports = ports;
  }

  /** The certificate in base64; undefined while there is none. Called again and again. */
  approvalOf(action: GuardedAction): string | undefined {
    const votes = this.#ports.votes();
    if (votes === undefined) return undefined;
    if (votes.configuration.epoch !== this.#epoch) this.#begin(votes.configuration.epoch);
    const found = votes.succession(action);
    switch (found.state) {
      case 'approved':
        return changeContext(this.#ports.hashes, Buffer.from(found.certificate).toString('base64'));
      case 'open':
        this.#notBeforeMs.delete(action.payload);
        return undefined;
      case 'rejected':
        return undefined;
      case 'none':
        // A member approves one change at a time.
        if (this.#opened !== undefined && votes.succession(this.#opened).state === 'open') return undefined;
        this.#open(votes, action, found.failed);
        return undefined;
    }
  }

  #begin(epoch: number): void {
    this.#epoch = epoch;
    this.#opened = undefined;
    this.#notBeforeMs.clear();
  }

  #open(votes: Pick<Votes, 'open'>, action: GuardedAction, failed: number): void {
    const { clock, logger } = this.#ports;
    const { kind, subject, payload } = action;
    const nowMs = clock.monotonicMs();
    const notBeforeMs = this.#notBeforeMs.get(payload) ?? nowMs + pauseMs(failed);
    this.#notBeforeMs.set(payload, notBeforeMs);
    if (nowMs < notBeforeMs) return;
    this.#opened = action;
    this.#notBeforeMs.set(payload, nowMs + pauseMs(failed + 1));
    const options = [approval, 'reject'];
    const request = { kind, subject, payload: new TextEncoder().encode(payload), options, minSupport: undefined, timeoutMs, validMs };
    votes.open(request, undefined, (answer) => {
      if (answer.ok) logger.info({ vote: answer.value.id, kind, subject }, 'a learner has caught up: the members vote on it');
      else this.#notBeforeMs.set(payload, nowMs + refusedPauseMs);
    });
  }
}

const pauseMs = (failed: number): number => (failed === 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** (failed - 1)));
