import type { ForgetMember, JoinMember, PutJoinToken, PutMember } from './commands.ts';
import { done, type Machine, type Outcome, refused } from './machine.ts';

/** Makes a node's addresses known to all, before it is made a member. */
export function putMember(machine: Machine, { member }: PutMember): Outcome {
  const wrong = cannotPut(machine, member);
  if (wrong !== undefined) return wrong;
  machine.members.put(member);
  return done;
}

function cannotPut({ members, limits }: Machine, member: PutMember['member']): Outcome | undefined {
  const other = members.all().find(({ name, nodeId }) => name === member.name && nodeId !== member.nodeId);
  if (other !== undefined) return refused('id_conflict', `the name ${member.name} is node ${other.nodeId}'s`);
  if (members.get(member.nodeId) === undefined && members.size >= limits.maxMembers)
    return refused('overloaded', `the cluster knows ${limits.maxMembers} nodes already; remove some`);
  return undefined;
}

export function forgetMember({ members }: Machine, { node }: ForgetMember): Outcome {
  members.forget(node);
  return done;
}

export function putJoinToken({ members, limits, ts }: Machine, { hash, ttlMs }: PutJoinToken): Outcome {
  members.expireTokens(ts);
  if (members.tokenCount >= limits.maxJoinTokens)
    return refused('overloaded', `there are ${limits.maxJoinTokens} unused tokens; use them or let them expire`);
  members.putToken(hash, ts + ttlMs);
  return done;
}

export function joinMember(machine: Machine, { tokenHash, member }: JoinMember): Outcome {
  const { members, ts } = machine;
  const known = members.get(member.nodeId);
  if (known !== undefined && known.name === member.name && known.http === member.http && known.peer === member.peer) return done;
  const wrong = cannotPut(machine, member);
  if (wrong !== undefined) return wrong;
  if (!members.useToken(tokenHash, ts)) return refused('token_refused', 'the token is unknown, used or expired');
  members.put(member);
  return done;
}
