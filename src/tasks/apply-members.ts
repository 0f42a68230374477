import type { ForgetMember, PutMember } from './commands.ts';
import { done, type Machine, type Outcome, refused } from './machine.ts';

/** Makes a node's addresses known to all, before it is made a member. */
export function putMember({ members, limits }: Machine, { member }: PutMember): Outcome {
  const other = members.all().find(({ name, nodeId }) => name === member.name && nodeId !== member.nodeId);
  if (other !== undefined) return refused('id_conflict', `the name ${member.name} is node ${other.nodeId}'s`);
  if (members.get(member.nodeId) === undefined && members.size >= limits.maxMembers)
    return refused('overloaded', `the cluster knows ${limits.maxMembers} nodes already; remove some`);
  members.put(member);
  return done;
}

export function forgetMember({ members }: Machine, { node }: ForgetMember): Outcome {
  members.forget(node);
  return done;
}
