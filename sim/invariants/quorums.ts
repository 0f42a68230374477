import type { LogIndex, NodeId, Term } from '../../src/core/ids.ts';
import { majority } from '../../src/core/quorum.ts';
import type { Configuration } from '../../src/raft/messages.ts';
import type { Disk } from './disk.ts';

/** Whether those that `has` names are a quorum: a majority of the voters, and of the outgoing ones while the configuration is joint (Raft §6). */
export function isQuorum({ voters, outgoing }: Configuration, has: (id: NodeId) => boolean): boolean {
  return hasMajority(voters, has) && (outgoing.length === 0 || hasMajority(outgoing, has));
}

/** Whether a quorum of the disks holds the entry, those of crashed nodes included. */
export const isHeldByQuorum = (configuration: Configuration, disks: ReadonlyMap<NodeId, Disk>, index: LogIndex, term: Term): boolean =>
  isQuorum(configuration, (id) => disks.get(id)?.holds(index, term) === true);

function hasMajority(voters: readonly NodeId[], has: (id: NodeId) => boolean): boolean {
  let count = 0;
  for (const id of voters) if (has(id)) count++;
  return count >= majority(voters.length);
}

/** In words, for messages. */
export function namesOf(disks: ReadonlyMap<NodeId, Disk>, isHolder: (disk: Disk) => boolean): string {
  return (
    [...disks]
      .filter(([, disk]) => isHolder(disk))
      .map(([id]) => id)
      .join(' and ') || 'no disk'
  );
}
