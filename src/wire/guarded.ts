import { copyBytes } from '../core/bytes.ts';
import { maxCertificateLength, maxGuardedPayloadLength, maxNameLength, maxSubjectLength } from './limits.ts';
import { pack, unpack } from './pack.ts';
import { FieldReader } from './reader.ts';

/** The data of a guarded entry: an action with the certificate that permits it, stamped with the leader's time. One to an entry. */
export interface GuardedEntry {
  readonly ts: number;
  readonly certificate: Uint8Array;
  readonly kind: string;
  readonly subject: string;
  readonly payload: string;
}

export const encodeGuarded = ({ ts, certificate, kind, subject, payload }: GuardedEntry): Uint8Array =>
  pack([ts, certificate, kind, subject, payload]);

/** Reads a guarded entry of anyone; `undefined` when it is malformed. Nothing of it is checked. */
export function decodeGuarded(data: Uint8Array): GuardedEntry | undefined {
  const r = new FieldReader(unpack(data));
  const entry = {
    ts: r.int(),
    certificate: copyBytes(r.bytes(maxCertificateLength)),
    kind: r.text(maxNameLength),
    subject: r.text(maxSubjectLength),
    payload: r.text(maxGuardedPayloadLength),
  };
  return r.ok ? entry : undefined;
}
