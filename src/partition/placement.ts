import type { NodeId } from '../core/ids.ts';
import { majority } from '../core/quorum.ts';
import type { Matrix } from './matrix.ts';
import type { ReachGraph } from './reach-graph.ts';

/**
 * Where a leader belongs when not everyone hears everyone: only who is itself connected with a majority can lead (quorum-loss and chained splits of OmniPaxos, Ng et al. 2023).
 * Hints, all of them: safety is Raft's own.
 */

/**
 * Whether to grant a pre-vote: no, if the candidate's fresh row says that it hears no majority. Without such a row it is given the benefit of the doubt. It is the
 * candidate's word about its own configuration: by an older one of ours it might never be electable, and nobody else either.
 */
export const mayLead = (candidate: NodeId, matrix: Matrix, nowMs: number): boolean =>
  !matrix.isFresh(candidate, nowMs) || matrix.row(candidate)?.electable !== false;

/** Who is not known to be connected both ways with a majority is no place for a leader. */
export const isMisplaced = (leader: NodeId, voters: readonly NodeId[], graph: ReachGraph): boolean =>
  graph.star(leader, voters) < majority(voters.length);

/** Voters in this component that could lead, the best connected first; among equals the incumbent, then by id. */
export function preferredLeaders(self: NodeId, voters: readonly NodeId[], graph: ReachGraph, incumbent: NodeId | undefined): NodeId[] {
  const component = graph.componentOf(self);
  return voters
    .filter((voter) => component.includes(voter) && !isMisplaced(voter, voters, graph))
    .toSorted(
      (a, b) =>
        graph.star(b, voters) - graph.star(a, voters) ||
        Number(b === incumbent) - Number(a === incumbent) ||
        (a < b ? -1 : Number(a !== b)),
    );
}

/** Voters that a node may reach fewer than the best connected before it lets that one go first for as long as it can. */
const fullDelayAt = 2;

/**
 * How much of an election timeout this node waits for those to stand first that are connected with more voters, from 0 to 1. As timeouts are drawn from one to two of them, a whole
 * one is enough to be surely later than the best.
 */
export function campaignDelay(self: NodeId, voters: readonly NodeId[], graph: ReachGraph): number {
  const component = graph.componentOf(self);
  const best = Math.max(0, ...voters.filter((voter) => component.includes(voter)).map((voter) => graph.star(voter, voters)));
  return Math.min(1, Math.max(0, best - graph.star(self, voters)) / fullDelayAt);
}
