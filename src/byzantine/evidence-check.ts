import { equalBytes } from '../core/bytes.ts';
import { type Signable, verifyBatched } from './attestation.ts';
import type { BatchSignature } from './ballot.ts';
import type { Trust } from './certificate.ts';
import { configurationDigest } from './encoding.ts';
import type { Evidence } from './evidence.ts';
import { isWithin } from './motion.ts';

/** True if the evidence shows anyone who knows the members that this one lies: it signed two different things where an honest member signs one for ever. */
export function isProven(evidence: Evidence, trust: Trust): boolean {
  if (evidence.kind === 'equivocation_mac') return false;
  const key = trust.configuration.members[evidence.member]?.ed25519PublicKey;
  const both = signedThings(evidence, trust);
  if (key === undefined || both.some(({ isTheirs }) => !isTheirs)) return false;
  const [first, second] = both.map(({ content }) => content);
  if (first === undefined || second === undefined) return false;
  // An honest member's expiries only grow.
  const mayBoth = evidence.kind === 'double_expiry' ? isWithin(first, second) || isWithin(second, first) : equalBytes(first, second);
  if (mayBoth) return false;
  return both.every(({ thing, signature }) => verifyBatched(trust.hashes, trust.verify, key, thing, signature));
}

interface SignedThing {
  readonly thing: Signable;
  readonly signature: BatchSignature;
  /** What an honest member doesn't change. */
  readonly content: Uint8Array;
  /** It is the accused member's word on the instance in question. */
  readonly isTheirs: boolean;
}

type Transferable = Exclude<Evidence, { readonly kind: 'equivocation_mac' }>;

function signedThings({ member, proposal, ...evidence }: Transferable, { hashes, configuration }: Trust): readonly SignedThing[] {
  switch (evidence.kind) {
    case 'double_ballot':
      return [evidence.first, evidence.second].map(({ ballot, signature }) => ({
        thing: { type: 'ballot', ballot },
        signature,
        content: ballot.choices,
        isTheirs: ballot.voter === member && ballot.proposal === proposal,
      }));
    case 'double_expiry':
      return [evidence.first, evidence.second].map(({ expiry, signature }) => ({
        thing: { type: 'expiry', expiry },
        signature,
        content: expiry.items,
        isTheirs: expiry.voter === member && expiry.proposal === proposal,
      }));
    case 'double_attestation': {
      const { cluster, epoch } = configuration;
      const binding = { cluster, epoch, configuration: configurationDigest(hashes, configuration) };
      return [evidence.first, evidence.second].map(({ outcome, signature, ...attested }) => ({
        thing: { type: 'attestation', attestation: { ...binding, proposal: attested.proposal, outcome } },
        signature,
        content: outcome,
        isTheirs: attested.member === member && attested.proposal === proposal,
      }));
    }
  }
}
