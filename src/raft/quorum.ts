import type { LogIndex, NodeId } from '../core/ids.ts';
import { majority } from '../core/quorum.ts';
import type { Configuration } from './messages.ts';

/** The state of a vote: `lost` only when the outstanding answers can't turn it any more. */
export type VoteResult = 'won' | 'lost' | 'pending';

/**
 * The largest number that a majority of the voters has reached. Without voters nothing holds it back, which is what makes an empty
 * `outgoing` neutral in a joint configuration.
 */
export function majorityReached(voters: readonly NodeId[], reached: (id: NodeId) => number): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const sorted = voters.map(reached).toSorted((a, b) => b - a);
  return sorted[majority(voters.length) - 1] ?? 0;
}

/** What both majorities of a joint configuration have reached (§6): the smaller of the two. */
export function jointReached(configuration: Configuration, reached: (id: NodeId) => number): LogIndex {
  const both = Math.min(majorityReached(configuration.voters, reached), majorityReached(configuration.outgoing, reached));
  return both === Number.POSITIVE_INFINITY ? 0 : both;
}

/** One majority's vote; `answer` is `undefined` for a voter that hasn't answered. No voters: won, neutral like above. */
export function majorityVote(voters: readonly NodeId[], answer: (id: NodeId) => boolean | undefined): VoteResult {
  if (voters.length === 0) return 'won';
  let granted = 0;
  let open = 0;
  for (const id of voters) {
    const given = answer(id);
    if (given === undefined) open++;
    else if (given) granted++;
  }
  const needed = majority(voters.length);
  if (granted >= needed) return 'won';
  return granted + open < needed ? 'lost' : 'pending';
}

/** Both majorities must say yes; either one's refusal decides (§6). A configuration without voters elects nobody. */
export function jointVote(configuration: Configuration, answer: (id: NodeId) => boolean | undefined): VoteResult {
  if (configuration.voters.length === 0) return 'lost';
  const incoming = majorityVote(configuration.voters, answer);
  const outgoing = majorityVote(configuration.outgoing, answer);
  if (incoming === 'lost' || outgoing === 'lost') return 'lost';
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending';
}
