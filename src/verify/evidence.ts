import { isProven } from '../byzantine/evidence-check.ts';
import { decodeEvidence } from '../byzantine/evidence-encoding.ts';
import { nodeHashes, verifySignature } from '../crypto/node.ts';
import { evidenceDocument, type EvidenceDocument } from './evidence-document.ts';
import { foundingOf } from './genesis.ts';
import { isRecord, parse } from './json.ts';

export { type EvidenceDocument } from './evidence-document.ts';

/** `document` is made anew from the bytes: what else the file said counts for nothing. */
export type EvidenceVerdict =
  | { readonly proven: true; readonly document: EvidenceDocument }
  | { readonly proven: false; readonly reason: 'malformed' | 'not_transferable' | 'not_proven'; readonly detail: string };

/** Two statements or two signed things of the largest size, in base64, and what people read. */
const maxFileCharacters = 65_536;

/**
 * Says whether an evidence file proves that a founding member lied, by nothing but the cluster's genesis file.
 *
 * @param evidence The text of the file: one item of `GET /v1/votes/evidence`.
 * @param genesis The text of the cluster's `genesis.json`, from a source you trust.
 * @throws RangeError if the genesis is unusable.
 */
export function verifyEvidence(evidence: string, genesis: string): EvidenceVerdict {
  const configuration = foundingOf(genesis).configuration;
  const file = evidence.length > maxFileCharacters ? undefined : parse(evidence);
  const encoded = isRecord(file) ? file['evidence'] : undefined;
  const decoded = typeof encoded === 'string' ? decodeEvidence(new Uint8Array(Buffer.from(encoded, 'base64'))) : undefined;
  if (decoded === undefined)
    return { proven: false, reason: 'malformed', detail: 'it is not an evidence file: JSON with the field evidence' };
  if (decoded.kind === 'equivocation_mac')
    return {
      proven: false,
      reason: 'not_transferable',
      detail: 'only the node that was told both things can know that they are authentic',
    };
  return isProven(decoded, { hashes: nodeHashes, verify: verifySignature, configuration })
    ? { proven: true, document: evidenceDocument(decoded, configuration) }
    : { proven: false, reason: 'not_proven', detail: 'a signature is not right, or the two things are not in contradiction' };
}
