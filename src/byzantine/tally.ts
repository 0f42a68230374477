import type { Ballot, Expiry, SignedBallot, SignedExpiry } from './ballot.ts';
import { byzantineQuorum } from './quorum.ts';
import type { Motion } from './motion.ts';
import { bitmapOf, hasBit, isBallotFor, isExpiryFor } from './motion.ts';
import type { Notary } from './notary.ts';
import type { Outcome, Witness } from './witness.ts';
import { expired, split } from './witness.ts';

/** Well-formed ballots and expiries, at most one of each a voter, counted item by item. One more costs the same however many there are. */
export class Tally {
  readonly #motion: Motion;
  readonly #quorum: number;
  /** Ballots for each option of each item. */
  readonly #support: Uint8Array;
  /** Expiries of each item. */
  readonly #expiries: Uint8Array;
  #ballots = 0;

  constructor(motion: Motion) {
    this.#motion = motion;
    this.#quorum = byzantineQuorum(motion.n);
    this.#support = new Uint8Array(motion.items * motion.options);
    this.#expiries = new Uint8Array(motion.items);
  }

  /** Counts the ballot, or takes it back. */
  ballot({ choices }: Ballot, by: 1 | -1 = 1): void {
    const { options } = this.#motion;
    this.#ballots += by;
    for (let item = 0; item < choices.length; item++) {
      const choice = choices[item] ?? options;
      if (choice < options) add(this.#support, item * options + choice, by);
    }
  }

  /** Counts the expiry, or takes it back. */
  expiry({ items }: Expiry, by: 1 | -1 = 1): void {
    for (let item = 0; item < this.#motion.items; item++) if (hasBit(items, item)) add(this.#expiries, item, by);
  }

  /**
   * The outcome of an item by ballots: an option with enough support, or `split` when those who have not voted can't give any option enough; undefined while
   * it is open. A further ballot never changes it.
   */
  byBallots(item: number): number | undefined {
    const { n, options, minSupport } = this.#motion;
    let [best, bestSupport] = [0, 0];
    for (let option = 0; option < options; option++) {
      const support = this.#support[item * options + option] ?? 0;
      if (support > bestSupport) [best, bestSupport] = [option, support];
    }
    if (bestSupport >= minSupport) return best;
    return bestSupport + n - this.#ballots < minSupport ? split : undefined;
  }

  /** A quorum lets the item expire. */
  isExpired(item: number): boolean {
    return (this.#expiries[item] ?? 0) >= this.#quorum;
  }

  /** By ballots alone; undefined while an item is open. */
  get conclusive(): Outcome | undefined {
    return this.#outcome((item) => this.byBallots(item));
  }

  /** By ballots and, of items that they leave open, by expiries. */
  get afterExpiry(): Outcome | undefined {
    return this.#outcome((item) => this.byBallots(item) ?? (this.isExpired(item) ? expired : undefined));
  }

  /** A bit for each item without conclusive ballots. */
  get openItems(): Uint8Array {
    return bitmapOf(this.#motion.items, (item) => this.byBallots(item) === undefined);
  }

  #outcome(of: (item: number) => number | undefined): Outcome | undefined {
    const outcome = new Uint8Array(this.#motion.items);
    for (let item = 0; item < outcome.length; item++) {
      const decided = of(item);
      if (decided === undefined) return undefined;
      outcome[item] = decided;
    }
    return outcome;
  }
}

const add = (counts: Uint8Array, place: number, by: 1 | -1): void => {
  counts[place] = (counts[place] ?? 0) + by;
};

/** What these ballots and expiries, at most one of each a voter, come to. */
export function tallyOf(motion: Motion, ballots: readonly SignedBallot[], expiries: readonly SignedExpiry[]): Tally {
  const tally = new Tally(motion);
  for (const { ballot } of ballots) tally.ballot(ballot);
  for (const { expiry } of expiries) tally.expiry(expiry);
  return tally;
}

/**
 * Why the witness proves nothing, in words; undefined when its value is right, whoever looks. Cheap checks first, and no signature is checked that
 * `isKnown` vouches for.
 */
export function faultOf(
  motion: Motion,
  notary: Notary,
  { proposal, value, outcome, ballots, expiries }: Witness,
  isKnown: (signed: SignedBallot | SignedExpiry) => boolean = () => false,
): string | undefined {
  if (proposal !== motion.proposal) return 'it is for another proposal';
  if (outcome.length !== motion.items) return 'its outcome has not one byte an item';
  if (ballots.length > motion.n || expiries.length > motion.n) return 'it has more ballots than members';
  if (!ballots.every(({ ballot }) => isBallotFor(motion, ballot))) return 'a ballot is malformed';
  if (!expiries.every(({ expiry }) => isExpiryFor(motion, expiry))) return 'an expiry is malformed';
  if (new Set(ballots.map(({ ballot }) => ballot.voter)).size < ballots.length) return 'a voter has two ballots in it';
  if (new Set(expiries.map(({ expiry }) => expiry.voter)).size < expiries.length) return 'a voter has two expiries in it';
  const tally = tallyOf(motion, ballots, expiries);
  const wrong = outcome.findIndex((claimed, item) => !(claimed === expired ? tally.isExpired(item) : tally.byBallots(item) === claimed));
  if (wrong >= 0) return `its ballots do not show the outcome of item ${wrong}`;
  if (notary.valueOf(proposal, outcome) !== value) return 'its outcome has another digest';
  if (!ballots.every((ballot) => isKnown(ballot) || notary.isBallotSigned(ballot))) return 'a ballot is not signed by its voter';
  if (!expiries.every((expiry) => isKnown(expiry) || notary.isExpirySigned(expiry))) return 'an expiry is not signed by its voter';
  return undefined;
}
