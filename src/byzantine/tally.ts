import type { SignedBallot, SignedExpiry } from './ballot.ts';
import { byzantineQuorum } from './quorum.ts';
import type { Motion } from './motion.ts';
import { hasBit, isBallotFor, isExpiryFor } from './motion.ts';
import type { Notary } from './notary.ts';
import type { Outcome, Witness } from './witness.ts';
import { expired, split } from './witness.ts';

/**
 * The outcome of an item by ballots of different voters: an option with enough support, or `split` when those who have not voted can't give any option
 * enough; undefined while it is open. A further ballot never changes it.
 */
export function outcomeByBallots({ n, options, minSupport }: Motion, ballots: readonly SignedBallot[], item: number): number | undefined {
  const support = new Array<number>(options).fill(0);
  for (const { ballot } of ballots) {
    const choice = ballot.choices[item] ?? options;
    if (choice < options) support[choice] = (support[choice] ?? 0) + 1;
  }
  const best = Math.max(...support);
  if (best >= minSupport) return support.indexOf(best);
  return best + n - ballots.length < minSupport ? split : undefined;
}

/** A quorum of different voters let the item expire. */
export const isExpired = ({ n }: Motion, expiries: readonly SignedExpiry[], item: number): boolean =>
  expiries.filter(({ expiry }) => hasBit(expiry.items, item)).length >= byzantineQuorum(n);

/** The outcome of all items, undefined while one is open. Without expiries it is by ballots alone. */
export function outcomeOf(motion: Motion, ballots: readonly SignedBallot[], expiries: readonly SignedExpiry[]): Outcome | undefined {
  const outcome = new Uint8Array(motion.items);
  for (let item = 0; item < motion.items; item++) {
    const decided = outcomeByBallots(motion, ballots, item) ?? (isExpired(motion, expiries, item) ? expired : undefined);
    if (decided === undefined) return undefined;
    outcome[item] = decided;
  }
  return outcome;
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
  for (const [item, claimed] of outcome.entries()) {
    const shown = claimed === expired ? isExpired(motion, expiries, item) : outcomeByBallots(motion, ballots, item) === claimed;
    if (!shown) return `its ballots do not show the outcome of item ${item}`;
  }
  if (notary.valueOf(proposal, outcome) !== value) return 'its outcome has another digest';
  if (!ballots.every((ballot) => isKnown(ballot) || notary.isBallotSigned(ballot))) return 'a ballot is not signed by its voter';
  if (!expiries.every((expiry) => isKnown(expiry) || notary.isExpirySigned(expiry))) return 'an expiry is not signed by its voter';
  return undefined;
}
