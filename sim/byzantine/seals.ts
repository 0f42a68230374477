import type { BatchSignature, SignedBallot, SignedExpiry } from '../../src/byzantine/ballot.ts';
import type { Ballot, Expiry } from '../../src/byzantine/ballot.ts';
import type { Digest } from '../../src/byzantine/digest.ts';
import { digest } from '../../src/byzantine/digest.ts';
import type { MemberIndex } from '../../src/byzantine/epoch.ts';
import type { Notary } from '../../src/byzantine/notary.ts';
import type { ProposalId } from '../../src/byzantine/proposal.ts';
import type { Outcome, Value } from '../../src/byzantine/witness.ts';

const signature: BatchSignature = { signature: new Uint8Array(0), index: 0, path: [] };

/** Makes values and signatures, also in the name of another: then they are not good. */
export interface Forge {
  valueOf(proposal: ProposalId, outcome: Outcome): Value;
  ballot(signer: MemberIndex, ballot: Ballot): SignedBallot;
  expiry(signer: MemberIndex, expiry: Expiry): SignedExpiry;
}

/** Hashes and signatures of a simulated world, cheap and out of the reach of liars: a signature is good when it was made here, by its voter. */
export class Seals implements Notary, Forge {
  readonly #signed = new WeakSet<SignedBallot | SignedExpiry>();
  readonly #values = new Map<string, Value>();

  /** The outcome itself in hexadecimal digits: outcomes of up to 31 items never collide. */
  valueOf(_proposal: ProposalId, outcome: Outcome): Value {
    const key = Array.from(outcome, (byte) => byte.toString(16).padStart(2, '0')).join('');
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    const value = digest(`${key}00`.padEnd(64, 'f'));
    this.#values.set(key, value);
    return value;
  }

  isBallotSigned(ballot: SignedBallot): boolean {
    return this.#signed.has(ballot);
  }

  isExpirySigned(expiry: SignedExpiry): boolean {
    return this.#signed.has(expiry);
  }

  ballot(signer: MemberIndex, ballot: Ballot): SignedBallot {
    const signed = { ballot, signature };
    if (ballot.voter === signer) this.#signed.add(signed);
    return signed;
  }

  expiry(signer: MemberIndex, expiry: Expiry): SignedExpiry {
    const signed = { expiry, signature };
    if (expiry.voter === signer) this.#signed.add(signed);
    return signed;
  }
}

/** A proposal's id, of which the engine takes the first 32 bits to find leaders. */
export const proposalNumber = (number: number): Digest => digest(number.toString(16).padStart(8, '0').padEnd(64, '0'));
