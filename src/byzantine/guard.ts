import { digestOf, label } from './bytes.ts';
import { type Certificate, checkCertificate, decodeCertificate, type Flaw, type Trust } from './certificate.ts';
import type { Hashes } from './crypto.ts';
import type { Digest } from './digest.ts';
import { flawText } from './flaw-text.ts';
import type { EpochConfiguration } from './epoch.ts';
import { expired, split } from './witness.ts';

/** The option that permits what is guarded. Any other, and no consensus, permits nothing. */
export const approval = 'approve';

/** What a certificate is to permit (protocol design 1.9). */
export interface GuardedAction {
  readonly kind: string;
  readonly subject: string;
  /** The text that was voted on; the certificate has the SHA-256 of its UTF-8. */
  readonly payload: string;
}

/** Why a certificate does not permit an action. */
export type GuardFlaw =
  | Flaw
  | { readonly code: 'malformed' }
  | { readonly code: 'other_kind'; readonly found: string }
  | { readonly code: 'other_subject'; readonly found: string }
  | { readonly code: 'other_payload'; readonly found: Digest }
  | { readonly code: 'not_approved'; readonly outcome: string };

/** What a certificate that holds says of an action. */
export type GuardVerdict = { readonly ok: true; readonly certificate: Certificate } | { readonly ok: false; readonly flaw: GuardFlaw };

export const payloadDigest = (hashes: Hashes, payload: string): Digest => digestOf(hashes.sha256(label(payload)));

/**
 * The one check of everything that is guarded: of the leader before it appends, of a follower before it acknowledges, of everybody when it is applied. It looks at
 * the bytes, the action and the epoch's members alone, so all honest nodes find the same.
 */
export function checkGuard(bytes: Uint8Array, action: GuardedAction, trust: Trust): GuardVerdict {
  const certificate = decodeCertificate(trust.hashes, bytes);
  if (certificate === undefined) return { ok: false, flaw: { code: 'malformed' } };
  // What it is about costs less to look at than a quorum's signatures.
  const flaw = flawOfAction(certificate, action, trust.hashes) ?? checkCertificate(certificate, trust)[0];
  return flaw === undefined ? { ok: true, certificate } : { ok: false, flaw };
}

function flawOfAction({ attestation, proposal: { proposal } }: Certificate, action: GuardedAction, hashes: Hashes): GuardFlaw | undefined {
  if (proposal.kind !== action.kind) return { code: 'other_kind', found: proposal.kind };
  const wanted = payloadDigest(hashes, action.payload);
  // Of several items with the subject each has to be this action, approved: a refused one must not hide behind another.
  let isThere = false;
  for (const [item, { subject, payloadDigest: found }] of proposal.items.entries()) {
    if (subject !== action.subject) continue;
    isThere = true;
    if (found !== wanted) return { code: 'other_payload', found };
    const outcome = outcomeText(proposal.options, attestation.outcome[item]);
    if (outcome !== approval) return { code: 'not_approved', outcome };
  }
  return isThere ? undefined : { code: 'other_subject', found: proposal.items[0]?.subject ?? '' };
}

function outcomeText(options: readonly string[], choice: number | undefined): string {
  if (choice === split) return 'no consensus (split)';
  if (choice === undefined || choice === expired) return 'no consensus (expired)';
  return options[choice] ?? 'no option';
}

/** A sentence for people. */
export function guardFlawText(flaw: GuardFlaw, configuration: EpochConfiguration): string {
  if (flaw.code === 'malformed') return 'it is not a certificate';
  if (flaw.code === 'other_kind') return `it is of the kind ${flaw.found}`;
  if (flaw.code === 'other_subject') return `it is about ${flaw.found}`;
  if (flaw.code === 'other_payload') return `it is about another payload, with the SHA-256 ${flaw.found}`;
  if (flaw.code === 'not_approved') return `what was decided is: ${flaw.outcome}`;
  return flawText(flaw, configuration);
}
