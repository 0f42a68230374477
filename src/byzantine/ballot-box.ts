import type { SignedBallot, SignedExpiry } from './ballot.ts';
import { equalBytes } from '../core/bytes.ts';
import type { MemberIndex } from './epoch.ts';
import type { Evidence } from './evidence.ts';
import type { Motion } from './motion.ts';
import { bitmapOf, isBallotFor, isExpiryFor, isWithin, withBit } from './motion.ts';
import type { Notary } from './notary.ts';
import { Tally } from './tally.ts';
import type { Outcome, Witness } from './witness.ts';

/** What became of something that came in. `rejected` is provably wrong: to be counted against its sender. */
export type Verdict = { readonly type: 'taken' | 'ignored' } | { readonly type: 'rejected'; readonly why: string };

export const taken: Verdict = { type: 'taken' };
export const ignored: Verdict = { type: 'ignored' };
export const rejected = (why: string): Verdict => ({ type: 'rejected', why });

/** What one voter has put in: the one that counts, and one that no honest voter puts in besides, which proves that the voter lies. Then neither counts. */
interface Slot<T> {
  readonly first: T;
  second: T | undefined;
}

/** Ballots and expiries of one proposal, each checked once; at most two of each a voter. What was once conclusive stays at hand. */
export class BallotBox {
  readonly #motion: Motion;
  readonly #notary: Notary;
  readonly #ballots: (Slot<SignedBallot> | undefined)[];
  readonly #expiries: (Slot<SignedExpiry> | undefined)[];
  readonly #evidence: Evidence[] = [];
  readonly #tally: Tally;
  #ballotBits: Uint8Array;
  #expiryBits: Uint8Array;
  #hasExpiries = false;
  #conclusive: Witness | undefined;
  #afterExpiry: Witness | undefined;

  constructor(motion: Motion, notary: Notary) {
    this.#motion = motion;
    this.#notary = notary;
    this.#tally = new Tally(motion);
    this.#ballots = Array.from({ length: motion.n }, () => undefined);
    this.#expiries = Array.from({ length: motion.n }, () => undefined);
    this.#ballotBits = bitmapOf(motion.n, () => false);
    this.#expiryBits = this.#ballotBits;
  }

  /** The signature is checked if nothing else speaks against the ballot, unless it has been. */
  addBallot(signed: SignedBallot, signature: 'checked' | 'unchecked' = 'unchecked'): Verdict {
    const { ballot } = signed;
    if (!isBallotFor(this.#motion, ballot)) return rejected('malformed ballot');
    const slot = this.#ballots[ballot.voter];
    if (slot?.second !== undefined || (slot !== undefined && equalBytes(slot.first.ballot.choices, ballot.choices))) return ignored;
    if (signature === 'unchecked' && !this.#notary.isBallotSigned(signed)) return rejected('ballot not signed by its voter');
    const { proposal, voter } = ballot;
    if (slot === undefined) {
      this.#ballots[voter] = { first: signed, second: undefined };
      this.#ballotBits = withBit(this.#ballotBits, voter);
      this.#tally.ballot(ballot);
    } else {
      slot.second = signed;
      this.#tally.ballot(slot.first.ballot, -1);
      this.#evidence.push({ kind: 'double_ballot', proposal, member: voter, first: slot.first, second: signed });
    }
    this.#conclude();
    return taken;
  }

  /** As for a ballot; but an expiry that names all items of the one before, and more, takes its place. */
  addExpiry(signed: SignedExpiry, signature: 'checked' | 'unchecked' = 'unchecked'): Verdict {
    const { expiry } = signed;
    if (!isExpiryFor(this.#motion, expiry)) return rejected('malformed expiry');
    const slot = this.#expiries[expiry.voter];
    if (slot?.second !== undefined || (slot !== undefined && isWithin(expiry.items, slot.first.expiry.items))) return ignored;
    if (signature === 'unchecked' && !this.#notary.isExpirySigned(signed)) return rejected('expiry not signed by its voter');
    const { proposal, voter } = expiry;
    if (slot !== undefined) this.#tally.expiry(slot.first.expiry, -1);
    if (slot === undefined || isWithin(slot.first.expiry.items, expiry.items)) {
      this.#expiries[voter] = { first: signed, second: undefined };
      this.#expiryBits = withBit(this.#expiryBits, voter);
      this.#tally.expiry(expiry);
      this.#hasExpiries = true;
    } else {
      slot.second = signed;
      this.#evidence.push({ kind: 'double_expiry', proposal, member: voter, first: slot.first, second: signed });
    }
    this.#conclude();
    return taken;
  }

  /** The witness with ballots and expiries that are in the box in place of the same ones that came with it: those have been checked, and convince others too. */
  recognise(witness: Witness): Witness {
    return {
      ...witness,
      ballots: witness.ballots.map((came) => {
        const slot = this.#ballots[came.ballot.voter];
        return (
          [slot?.first, slot?.second].find((held) => held !== undefined && equalBytes(held.ballot.choices, came.ballot.choices)) ?? came
        );
      }),
      expiries: witness.expiries.map((came) => {
        const slot = this.#expiries[came.expiry.voter];
        return [slot?.first, slot?.second].find((held) => held !== undefined && equalBytes(held.expiry.items, came.expiry.items)) ?? came;
      }),
    };
  }

  /** This very ballot or expiry is in the box, so its signature has been checked. */
  readonly has = (signed: SignedBallot | SignedExpiry): boolean => {
    const slot = 'ballot' in signed ? this.#ballots[signed.ballot.voter] : this.#expiries[signed.expiry.voter];
    return slot !== undefined && (slot.first === signed || slot.second === signed);
  };

  /** By ballots alone; the first that was found, for a witness once formed stays good. */
  get conclusive(): Witness | undefined {
    return this.#conclusive;
  }

  /** By ballots and expiries; the first that was found. */
  get afterExpiry(): Witness | undefined {
    return this.#afterExpiry;
  }

  /** The items without conclusive ballots, a bit each; undefined when there is none. More of them when a ballot turns out to be one of two. */
  get openItems(): Uint8Array | undefined {
    return this.#conclusive === undefined ? this.#tally.openItems : undefined;
  }

  /** Everything in the box, also both ballots of a voter that lies. */
  get contents(): (SignedBallot | SignedExpiry)[] {
    return [...this.#ballots, ...this.#expiries].flatMap((slot) =>
      slot === undefined ? [] : slot.second === undefined ? [slot.first] : [slot.first, slot.second],
    );
  }

  ballotOf(voter: MemberIndex): SignedBallot | undefined {
    return this.#ballots[voter]?.first;
  }

  expiryOf(voter: MemberIndex): SignedExpiry | undefined {
    return this.#expiries[voter]?.first;
  }

  /** A bit a member whose ballot is here. */
  get ballotBits(): Uint8Array {
    return this.#ballotBits;
  }

  get expiryBits(): Uint8Array {
    return this.#expiryBits;
  }

  get hasEvidence(): boolean {
    return this.#evidence.length > 0;
  }

  /** What was found since the last call; at most one double ballot and one double expiry a voter. */
  takeEvidence(): Evidence[] {
    return this.#evidence.splice(0);
  }

  #conclude(): void {
    this.#conclusive ??= this.#witness(this.#tally.conclusive, []);
    if (this.#hasExpiries) this.#afterExpiry ??= this.#witness(this.#tally.afterExpiry, counted(this.#expiries));
  }

  #witness(outcome: Outcome | undefined, expiries: readonly SignedExpiry[]): Witness | undefined {
    const { proposal } = this.#motion;
    return outcome && { proposal, value: this.#notary.valueOf(proposal, outcome), outcome, ballots: counted(this.#ballots), expiries };
  }
}

/** Of voters that have not been found to lie. */
const counted = <T>(slots: readonly (Slot<T> | undefined)[]): T[] =>
  slots.flatMap((slot) => (slot === undefined || slot.second !== undefined ? [] : [slot.first]));
