import { checkCertificate, decodeCertificate, type Flaw, maxCertificateBytes } from '../byzantine/certificate.ts';
import type { VerifySignature } from '../byzantine/crypto.ts';
import { flawText } from '../byzantine/flaw-text.ts';
import { rememberSignatures } from '../byzantine/member-notary.ts';
import { nodeHashes, verifySignature } from '../crypto/node.ts';
import { epochsOf, type KnownEpochs } from './chain.ts';
import { type Founding, foundingOf } from './genesis.ts';
import { isRecord, parse } from './json.ts';
import { certificateDocument, type CertificateDocument, type DecidedItem, decisionText } from './document.ts';

export { type KnownEpochs } from './chain.ts';
export { type EvidenceDocument, type EvidenceVerdict, verifyEvidence } from './evidence.ts';
export { type CertificateDocument, type DecidedItem, decisionText } from './document.ts';

/** What the caller wants the certificate to say. A field that is left out is not looked at. */
export interface Expectation extends KnownEpochs {
  readonly kind?: string;
  /** One of the items is about this. With `option` and `payloadDigest`: the same item. */
  readonly subject?: string;
  /** SHA-256 of the payload, 64 lower-case hexadecimal digits. */
  readonly payloadDigest?: string;
  /** What was decided, for example `approve`: a valid certificate may as well prove a refusal. */
  readonly option?: string;
  /** The present, in milliseconds since 1970: refuses a certificate whose time is over, with two seconds for clocks that differ. */
  readonly nowMs?: number;
  /** Accept clusters of fewer than 4 members, where one liar decides. */
  readonly allowNoFaultTolerance?: boolean;
}

/** Something that makes a certificate worthless to the caller. */
export interface Objection {
  /** For programs, for example `quorum_short`. */
  readonly code:
    | Flaw['code']
    | 'malformed'
    | 'altered'
    | 'bad_chain'
    | 'other_kind'
    | 'other_subject'
    | 'other_payload'
    | 'other_outcome'
    | 'too_late';
  /** For people: what is wrong, and with whom. */
  readonly detail: string;
}

export type Verdict =
  | { readonly valid: true; readonly document: CertificateDocument }
  | { readonly valid: false; readonly objections: readonly Objection[] };

/** Clocks of members and of the caller may differ by this much. */
const clockSkewMs = 2000;
/** A file is base64 and what people read. */
const maxFileCharacters = 4 * maxCertificateBytes;

/**
 * Says whether a certificate file proves what it says, by nothing but the cluster's genesis file: no network, no clock but the caller's. `valid` means that the
 * cluster decided so; what it decided is in `document`, or put it into `expected.option`.
 *
 * By the genesis alone it knows epoch 0, the founding members; a certificate of a later epoch is refused as `wrong_epoch` without the chain that leads there.
 *
 * @param certificate The text of the certificate file.
 * @param genesis The text of the cluster's `genesis.json`, from a source you trust.
 * @throws RangeError if the genesis is unusable. Whatever is wrong with the certificate is in the verdict.
 */
export function verifyCertificate(certificate: string, genesis: string, expected: Expectation = {}): Verdict {
  return verdictOn(certificate, foundingOf(genesis), verifySignature, expected);
}

/** Signatures that were right: votes of the same moment share them. */
const rememberedSignatures = 4096;

/**
 * `verifyCertificate` for who checks many certificates of one cluster: the genesis is read once, and a signature that several certificates share is checked once.
 *
 * @throws RangeError if the genesis is unusable.
 */
export function certificateVerifier(genesis: string): (certificate: string, expected?: Expectation) => Verdict {
  const founding = foundingOf(genesis);
  const verify = rememberSignatures(verifySignature, rememberedSignatures);
  return (certificate, expected = {}) => verdictOn(certificate, founding, verify, expected);
}

function verdictOn(certificate: string, founding: Founding, verify: VerifySignature, expected: Expectation): Verdict {
  const document = certificate.length > maxFileCharacters ? undefined : parse(certificate);
  const encoded = isRecord(document) && typeof document['certificate'] === 'string' ? document['certificate'] : undefined;
  if (encoded === undefined) return invalid('malformed', 'it is not a certificate file: JSON with the field certificate');
  if (keysIn(certificate) !== keysOf(document)) return invalid('malformed', 'a field is there twice, or too deep');
  const decoded = decodeCertificate(nodeHashes, new Uint8Array(Buffer.from(encoded, 'base64')));
  if (decoded === undefined) return invalid('malformed', "the field certificate is not the base64 of a certificate's bytes");
  const { allowNoFaultTolerance = false } = expected;
  const chain = epochsOf(founding, expected);
  if (!chain.ok) return invalid('bad_chain', `the chain of epochs does not hold: ${chain.detail}`);
  const { configurations } = chain;
  const configuration = configurations[decoded.attestation.epoch] ?? configurations.at(-1) ?? founding.configuration;
  const flaws = checkCertificate(decoded, { hashes: nodeHashes, verify, configuration, allowNoFaultTolerance });
  if (flaws.length > 0)
    return { valid: false, objections: flaws.map((flaw) => ({ code: flaw.code, detail: flawText(flaw, configuration) })) };
  const rebuilt = certificateDocument(decoded, configuration);
  const field = firstDifference(document, rebuilt);
  if (field !== undefined) return invalid('altered', `the field ${field} is not what the signed bytes say`);
  const objections = objectionsOf(rebuilt, expected);
  return objections.length > 0 ? { valid: false, objections } : { valid: true, document: rebuilt };
}

function objectionsOf(document: CertificateDocument, expected: Expectation): readonly Objection[] {
  const objections: Objection[] = [];
  if (expected.kind !== undefined && document.kind !== expected.kind)
    objections.push({ code: 'other_kind', detail: `it is of the kind ${document.kind}, not ${expected.kind}` });
  const items = document.items.filter(({ subject }) => expected.subject === undefined || subject === expected.subject);
  if (items.length === 0)
    objections.push({ code: 'other_subject', detail: `it is about ${subjects(document.items)}, not ${expected.subject}` });
  const payloads = items.filter(({ payloadDigest }) => expected.payloadDigest === undefined || payloadDigest === expected.payloadDigest);
  if (items.length > 0 && payloads.length === 0)
    objections.push({ code: 'other_payload', detail: `the payload is not the one with the SHA-256 ${expected.payloadDigest}` });
  // Of several items that fit, each has to be decided so: a refused one must not hide behind an approved one.
  const other = payloads.find((item) => expected.option !== undefined && decisionText(item) !== expected.option);
  if (other !== undefined)
    objections.push({ code: 'other_outcome', detail: `${other.subject}: ${decisionText(other)}, not ${expected.option}` });
  if (expected.nowMs !== undefined && expected.nowMs > document.notAfterMs + clockSkewMs)
    objections.push({ code: 'too_late', detail: `its time was over ${expected.nowMs - document.notAfterMs} ms ago` });
  return objections;
}

const subjects = (items: readonly DecidedItem[]): string =>
  items.length === 1 ? (items[0]?.subject ?? '') : `${items.length} other subjects`;

const invalid = (code: Objection['code'], detail: string): Verdict => ({ valid: false, objections: [{ code, detail }] });

// Of a field that is there twice, people may read one and programs the other.

/** The fields in a JSON text: strings with a colon behind them. */
const keysIn = (json: string): number =>
  [...json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"\s*(:?)/gs)].filter(([, colon]) => colon === ':').length;

/** A certificate file has four levels. A walk through a million would have no end but that of the stack. */
const maxDepth = 8;

/** The fields in what became of it; not a number if it is too deep. */
function keysOf(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth > maxDepth) return Number.NaN;
  const parts: readonly unknown[] = Object.values(value);
  return parts.reduce<number>((sum, part) => sum + keysOf(part, depth + 1), Array.isArray(value) ? 0 : parts.length);
}

/** The first field that one has and the other not, or not with the same content. */
function firstDifference(found: unknown, made: CertificateDocument): string | undefined {
  const one: Record<string, unknown> = isRecord(found) ? found : {};
  const two: Record<string, unknown> = { ...made };
  return [...new Set([...Object.keys(two), ...Object.keys(one)])].find((field) => canonical(one[field]) !== canonical(two[field]));
}

/** JSON with the fields of objects in order: a tool that rewrites the file may move them. */
const canonical = (value: unknown): string | undefined =>
  JSON.stringify(value, (_key, part: unknown) =>
    isRecord(part) ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
