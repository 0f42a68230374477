import { decodeCertificate, encodeCertificate } from '../../byzantine/certificate.ts';
import type { Hashes } from '../../byzantine/crypto.ts';
import type { GuardedAction } from '../../byzantine/guard.ts';
import { failure, QuorateError } from '../../core/errors.ts';
import { maxChangeContext } from '../../raft/configuration-change.ts';

const malformed = (): QuorateError => new QuorateError(failure('bad_certificate', 'it is not a certificate'));

/**
 * What a client wants carried out by its certificate, as it goes into the log: without the ballots, which prove nothing more. `subject` may be left out where there
 * is one item.
 *
 * @throws QuorateError bad_certificate for bytes that are none, invalid_argument where a subject has to be named.
 */
export function enactment(
  hashes: Hashes,
  bytes: Uint8Array,
  { subject, payload }: { readonly subject: string | undefined; readonly payload: string },
): { readonly action: GuardedAction; readonly certificate: Uint8Array } {
  const certificate = decodeCertificate(hashes, bytes);
  if (certificate === undefined) throw malformed();
  const { kind, items } = certificate.proposal.proposal;
  const about = subject ?? (items.length === 1 ? items[0]?.subject : undefined);
  if (about === undefined)
    throw new QuorateError(
      failure('invalid_argument', `body subject: the certificate is about ${items.length}; name one`, { path: 'subject', in: 'body' }),
    );
  return { action: { kind, subject: about, payload }, certificate: encodeCertificate({ ...certificate, ballots: [] }) };
}

/**
 * A certificate as the context of a change of the members: base64, without the ballots.
 *
 * @throws QuorateError bad_certificate for a text that is none.
 */
export function changeContext(hashes: Hashes, base64: string): string {
  if (base64 === '') return '';
  const certificate = decodeCertificate(hashes, new Uint8Array(Buffer.from(base64, 'base64')));
  const context = certificate && Buffer.from(encodeCertificate({ ...certificate, ballots: [] })).toString('base64');
  if (context === undefined || context.length > maxChangeContext) throw malformed();
  return context;
}
