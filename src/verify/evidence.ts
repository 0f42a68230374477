import { isProven } from '../byzantine/evidence-check.ts';
import { decodeAccusation } from '../byzantine/evidence-encoding.ts';
import { nodeHashes, verifySignature } from '../crypto/node.ts';
import { evidenceDocument, type EvidenceDocument } from './evidence-document.ts';
import { epochsOf, type KnownEpochs } from './chain.ts';
import { foundingOf } from './genesis.ts';
import { isRecord, parse } from './json.ts';

export { type EvidenceDocument } from './evidence-document.ts';

/** `document` is made anew from the bytes: what else the file said counts for nothing. */
export type EvidenceVerdict =
  | { readonly proven: true; readonly document: EvidenceDocument }
  | {
      readonly proven: false;
      readonly reason: 'malformed' | 'not_transferable' | 'bad_chain' | 'wrong_epoch' | 'not_proven';
      readonly detail: string;
    };

/** Two statements or two signed things of the largest size, in base64, and what people read. */
const maxFileCharacters = 65_536;

/**
 * Says whether an evidence file proves that a member lied, by nothing but the cluster's genesis file and, for members of later epochs, the chain of epochs.
 *
 * @param evidence The text of the file: one item of `GET /v1/votes/evidence`.
 * @param genesis The text of the cluster's `genesis.json`, from a source you trust.
 * @param known Where the members of later epochs are to be known from.
 * @throws RangeError if the genesis is unusable.
 */
export function verifyEvidence(evidence: string, genesis: string, known: KnownEpochs = {}): EvidenceVerdict {
  const founding = foundingOf(genesis);
  const file = evidence.length > maxFileCharacters ? undefined : parse(evidence);
  const encoded = isRecord(file) ? file['evidence'] : undefined;
  const decoded = typeof encoded === 'string' ? decodeAccusation(new Uint8Array(Buffer.from(encoded, 'base64'))) : undefined;
  if (decoded === undefined) return unproven('malformed', 'it is not an evidence file: JSON with the field evidence');
  if (decoded.evidence.kind === 'equivocation_mac')
    return unproven('not_transferable', 'only the node that was told both things can know that they are authentic');
  const chain = epochsOf(founding, known);
  if (!chain.ok) return unproven('bad_chain', `the chain of epochs does not hold: ${chain.detail}`);
  const configuration = chain.configurations[decoded.epoch];
  if (configuration === undefined)
    return unproven('wrong_epoch', `the members of epoch ${decoded.epoch} are not known: it takes a chain of epochs`);
  return isProven(decoded.evidence, { hashes: nodeHashes, verify: verifySignature, configuration })
    ? { proven: true, document: evidenceDocument(decoded, configuration) }
    : unproven('not_proven', 'a signature is not right, or the two things are not in contradiction');
}

const unproven = (reason: Extract<EvidenceVerdict, { readonly proven: false }>['reason'], detail: string): EvidenceVerdict => ({
  proven: false,
  reason,
  detail,
});
