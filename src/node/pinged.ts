import { directMembers } from '../core/direct-members.ts';
import type { NodeId } from '../core/ids.ts';

/** Who hears this node all the time. In a large cluster, whose members SWIM watches, the voters are heard by all and hear all: more would grow with the square. */
export function pinged(self: NodeId, members: readonly NodeId[], voters: readonly NodeId[]): readonly NodeId[] {
  const heardByAll = members.length <= directMembers || voters.includes(self);
  return (heardByAll ? members : voters).filter((node) => node !== self);
}
