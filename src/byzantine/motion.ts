import type { Ballot, Expiry } from './ballot.ts';
import { abstain } from './ballot.ts';
import type { ProposalId } from './proposal.ts';

/** What the engine needs to know of a proposal and its electorate. */
export interface Motion {
  readonly proposal: ProposalId;
  /** Members of the epoch. */
  readonly n: number;
  /** Items to decide, from 1. */
  readonly items: number;
  /** Options of each, from 2. */
  readonly options: number;
  /** Ballots that an option needs, from the quorum to `n`. */
  readonly minSupport: number;
}

/** Every part is in range. Says nothing of the signature. */
export const isBallotFor = ({ proposal, n, items, options }: Motion, { proposal: id, voter, choices }: Ballot): boolean =>
  id === proposal && voter < n && choices.length === items && choices.every((choice) => choice < options || choice === abstain);

/** Every part is in range. Says nothing of the signature. */
export const isExpiryFor = ({ proposal, n, items }: Motion, expiry: Expiry): boolean =>
  expiry.proposal === proposal && expiry.voter < n && isBitmap(expiry.items, items);

/** A bit each for `length` things, spare bits 0. */
export const isBitmap = (bitmap: Uint8Array, length: number): boolean =>
  bitmap.length === Math.ceil(length / 8) && (length % 8 === 0 || (bitmap[bitmap.length - 1] ?? 0) < 1 << (length % 8));

export const hasBit = (bitmap: Uint8Array, place: number): boolean => (((bitmap[place >> 3] ?? 0) >> (place & 7)) & 1) === 1;

/** Every bit of `part` is set in `whole`, which is as long. */
export const isWithin = (part: Uint8Array, whole: Uint8Array): boolean => part.every((byte, at) => (byte & ~(whole[at] ?? 0)) === 0);

/** A copy with this bit set too. */
export function withBit(bitmap: Uint8Array, place: number): Uint8Array {
  const copy = bitmap.slice();
  copy[place >> 3] = (copy[place >> 3] ?? 0) | (1 << (place & 7));
  return copy;
}

/** The bits of the places for which `isSet` holds. */
export function bitmapOf(length: number, isSet: (place: number) => boolean): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(length / 8));
  for (let place = 0; place < length; place++) {
    if (isSet(place)) bitmap[place >> 3] = (bitmap[place >> 3] ?? 0) | (1 << (place & 7));
  }
  return bitmap;
}
