import { equalBytes } from '../core/bytes.ts';
import { verifyBatched } from './attestation.ts';
import { digestOf } from './bytes.ts';
import { type Hashes, signatureBytes, type VerifySignature } from './crypto.ts';
import { outcomeValue } from './encoding.ts';
import type { EpochConfiguration } from './epoch.ts';
import type { Notary } from './notary.ts';

/** The notary of an epoch: checks signatures by the keys of its members. */
export function memberNotary(hashes: Hashes, verify: VerifySignature, { members }: EpochConfiguration): Notary {
  return {
    valueOf: (proposal, outcome) => outcomeValue(hashes, proposal, outcome),
    isBallotSigned: ({ ballot, signature }) => {
      const key = members[ballot.voter]?.ed25519PublicKey;
      return key !== undefined && verifyBatched(hashes, verify, key, { type: 'ballot', ballot }, signature);
    },
    isExpirySigned: ({ expiry, signature }) => {
      const key = members[expiry.voter]?.ed25519PublicKey;
      return key !== undefined && verifyBatched(hashes, verify, key, { type: 'expiry', expiry }, signature);
    },
  };
}

/** A batch's root is some sixty bytes: longer messages are not worth keeping. */
const maxRememberedBytes = 128;

/**
 * Remembers the last signatures that were right, at most `capacity` of them: all ballots of a batch share one, and a ballot comes by more than one way. What was
 * wrong is not remembered: a flood of it would push the rest out.
 */
export function rememberSignatures(verify: VerifySignature, capacity: number): VerifySignature {
  // By the first half of the signature: no two rightly signed messages share it.
  const right = new Map<string, { readonly publicKey: Uint8Array; readonly message: Uint8Array; readonly signature: Uint8Array }>();
  return (publicKey, message, signature) => {
    if (message.length > maxRememberedBytes) return verify(publicKey, message, signature);
    if (signature.length < signatureBytes) return false;
    const name = digestOf(signature);
    const known = right.get(name);
    if (
      known !== undefined &&
      equalBytes(known.signature, signature) &&
      equalBytes(known.message, message) &&
      equalBytes(known.publicKey, publicKey)
    )
      return true;
    if (!verify(publicKey, message, signature)) return false;
    const [oldest] = right.keys();
    if (right.size >= capacity && oldest !== undefined) right.delete(oldest);
    right.set(name, { publicKey, message, signature });
    return true;
  };
}
