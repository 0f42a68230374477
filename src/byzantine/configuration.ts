import { isName, nodeId } from '../core/ids.ts';
import { type EpochConfiguration, maxMembers, type Member } from './epoch.ts';
import { publicKeyOf } from './peer-id.ts';
import { proposalLimits } from './proposal.ts';

/** The version of the list of kinds that a founded cluster starts with. */
const firstKindsVersion = 1;

/**
 * The configuration of epoch 0: the members of the cluster's genesis record, each with the key that its id is made from. It is trusted because the genesis is.
 * @throws RangeError that says which member's id is no Ed25519 peer id, is there twice, or which bound is exceeded.
 */
export function genesisConfiguration(clusterId: string, nodeIds: readonly string[]): EpochConfiguration {
  const clusterBytes = new TextEncoder().encode(clusterId).length;
  if (clusterBytes < 1 || clusterBytes > proposalLimits.clusterBytes)
    throw new RangeError(`the cluster's id has ${clusterBytes} bytes; 1 to ${proposalLimits.clusterBytes} are allowed`);
  if (nodeIds.length < 1 || nodeIds.length > maxMembers)
    throw new RangeError(`there are ${nodeIds.length} members; 1 to ${maxMembers} are allowed`);
  const members = nodeIds.map(memberOf).toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const twice = members.find((member, i) => member.nodeId === members[i + 1]?.nodeId);
  if (twice !== undefined) throw new RangeError(`the member ${twice.nodeId} is there twice`);
  return { cluster: clusterId, epoch: 0, members, previous: undefined, kindsVersion: firstKindsVersion };
}

function memberOf(id: string): Member {
  const ed25519PublicKey = publicKeyOf(id);
  if (ed25519PublicKey === undefined || !isName(id))
    throw new RangeError(`the member ${JSON.stringify(id.slice(0, 140))} is no Ed25519 peer id`);
  return { nodeId: nodeId(id), ed25519PublicKey };
}
