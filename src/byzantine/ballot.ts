import type { MemberIndex } from './epoch.ts';
import type { ProposalId } from './proposal.ts';

/** The choice of a ballot that supports no option. */
export const abstain = 254;

/** One member's opinion, once per proposal for ever. */
export interface Ballot {
  readonly proposal: ProposalId;
  readonly voter: MemberIndex;
  /** One byte an item: the index of an option, or `abstain`. */
  readonly choices: Uint8Array;
}

/** One member's word that its time is up and that some items have no conclusive ballots with it. A later one of a proposal names all items of those before. */
export interface Expiry {
  readonly proposal: ProposalId;
  readonly voter: MemberIndex;
  /** One bit an item, the lowest bit of the first byte first; spare bits are 0. Set: the item was inconclusive when the time was up. */
  readonly items: Uint8Array;
}

/** An Ed25519 signature over the root of a Merkle tree, and the way from a leaf to it; of one leaf when `path` is empty. */
export interface BatchSignature {
  readonly signature: Uint8Array;
  /** The leaf's place: from 0 below 2^path.length. */
  readonly index: number;
  /** Digests of siblings, 32 bytes each, from the leaf up; at most `maxPath`. */
  readonly path: readonly Uint8Array[];
}

/** A batch has at most 2^6 = 64 leaves. */
export const maxPath = 6;

export interface SignedBallot {
  readonly ballot: Ballot;
  readonly signature: BatchSignature;
}

export interface SignedExpiry {
  readonly expiry: Expiry;
  readonly signature: BatchSignature;
}
