import { decodeConfiguration } from '../byzantine/encoding.ts';
import { type EpochLink, followChain } from '../byzantine/epoch-chain.ts';
import type { EpochConfiguration } from '../byzantine/epoch.ts';
import { publicKeyOf } from '../byzantine/peer-id.ts';
import { nodeHashes, verifySignature } from '../crypto/node.ts';
import type { Founding } from './genesis.ts';
import { isRecord, parse } from './json.ts';

/** The members of all epochs that a chain proves, by epoch; or why it proves nothing. */
export type Chain =
  | { readonly ok: true; readonly configurations: readonly EpochConfiguration[] }
  | { readonly ok: false; readonly detail: string };

/** Every change of the members is a few KiB with its certificate. */
const maxChainCharacters = 64 * 1024 * 1024;

/** Where the members of epochs after the founding are to be known from. */
export interface KnownEpochs {
  /** The text of a chain of epochs, from `GET /v1/epoch` of any node: without it the members of the genesis alone are known. */
  readonly chain?: string;
  /** Believe a chain also where members were changed without a certificate, as fewer than 4 may: then it must come from a source you trust. */
  readonly allowUncertified?: boolean;
}

/** The members of all epochs that are known. */
export const epochsOf = ({ configuration, guardMembership }: Founding, { chain, allowUncertified = false }: KnownEpochs): Chain =>
  chain === undefined
    ? { ok: true, configurations: [configuration] }
    : readChain(chain, configuration, { guardMembership, allowUncertified });

/**
 * Follows the epochs of a chain file, as `GET /v1/epoch` gives it, from the founding members on. A change without a certificate proves nothing: it is believed only
 * with `allowUncertified`, and then only where the genesis asks for none.
 */
function readChain(
  text: string,
  founding: EpochConfiguration,
  rules: { readonly guardMembership: boolean; readonly allowUncertified: boolean },
): Chain {
  const value = text.length > maxChainCharacters ? undefined : parse(text);
  const records: unknown = isRecord(value) ? value['links'] : undefined;
  if (!Array.isArray(records)) return { ok: false, detail: 'it is not a chain of epochs: JSON with the field links' };
  const links: EpochLink[] = [];
  for (const record of records) {
    const link = linkOf(record);
    if (link === undefined) return { ok: false, detail: `link ${links.length + 1} is malformed` };
    links.push(link);
  }
  const { guardMembership, allowUncertified } = rules;
  const followed = followChain({ hashes: nodeHashes, verify: verifySignature, keyOf: publicKeyOf, guardMembership }, founding, links);
  if (!followed.ok) return { ok: false, detail: `epoch ${followed.epoch}: ${followed.detail}` };
  const uncertified = links.findIndex(({ certificate }) => certificate === undefined);
  if (uncertified >= 0 && !allowUncertified)
    return {
      ok: false,
      detail: `no certificate proves the members of epoch ${uncertified + 1}: they were changed when none was asked for`,
    };
  return followed;
}

function linkOf(record: unknown): EpochLink | undefined {
  if (!isRecord(record)) return undefined;
  const { configuration: text, certificate } = record;
  const configuration = typeof text === 'string' ? decodeConfiguration(bytesOf(text)) : undefined;
  if (configuration === undefined || (certificate !== null && typeof certificate !== 'string')) return undefined;
  return { configuration, certificate: certificate === null ? undefined : bytesOf(certificate) };
}

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
