import { genesisConfiguration } from '../byzantine/configuration.ts';
import { isGuardedByDefault } from '../byzantine/epoch-chain.ts';
import type { EpochConfiguration } from '../byzantine/epoch.ts';
import { isRecord, parse } from './json.ts';

/** What a cluster's `genesis.json` says: the members of epoch 0, and whether a change of them takes a certificate. */
export interface Founding {
  readonly configuration: EpochConfiguration;
  readonly guardMembership: boolean;
}

/** @throws RangeError that says why the text is unusable. */
export function foundingOf(genesis: string): Founding {
  const value = parse(genesis);
  if (!isRecord(value) || value['version'] !== 1) throw new RangeError('the genesis is not JSON of version 1');
  const { clusterId, members, votes } = value;
  if (typeof clusterId !== 'string' || !Array.isArray(members)) throw new RangeError('the genesis has no clusterId or no members');
  const configuration = genesisConfiguration(clusterId, members.map(idOf));
  const said = isRecord(votes) ? votes['guardMembership'] : undefined;
  return { configuration, guardMembership: typeof said === 'boolean' ? said : isGuardedByDefault(configuration) };
}

function idOf(member: unknown): string {
  const id = isRecord(member) ? member['nodeId'] : undefined;
  if (typeof id !== 'string') throw new RangeError('a member of the genesis has no nodeId');
  return id;
}
