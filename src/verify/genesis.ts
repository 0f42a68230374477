import { genesisConfiguration } from '../byzantine/configuration.ts';
import type { EpochConfiguration } from '../byzantine/epoch.ts';

/**
 * The members of epoch 0, by the text of a cluster's `genesis.json`.
 * @throws RangeError that says why it is unusable.
 */
export function configurationOf(genesis: string): EpochConfiguration {
  const value = parse(genesis);
  if (!isRecord(value) || value['version'] !== 1) throw new RangeError('the genesis is not JSON of version 1');
  const { clusterId, members } = value;
  if (typeof clusterId !== 'string' || !Array.isArray(members)) throw new RangeError('the genesis has no clusterId or no members');
  return genesisConfiguration(clusterId, members.map(idOf));
}

function idOf(member: unknown): string {
  const id = isRecord(member) ? member['nodeId'] : undefined;
  if (typeof id !== 'string') throw new RangeError('a member of the genesis has no nodeId');
  return id;
}

/** JSON; undefined if it is none. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
