import type { EpochConfiguration } from './epoch.ts';
import { isSuccession } from './epoch-chain.ts';
import type { Proposal } from './proposal.ts';
import { byzantineQuorum, faultTolerance } from './quorum.ts';

/**
 * The proposal by which something that an epoch left undecided is put to the members of the next (protocol design 1.8). It is a vote of its own, with ballots of its
 * own; but whoever knows the one before knows its id. `undefined` where it can't go on: its proposer is no member any more, fewer than 4 are left, or it was about
 * what should follow its epoch.
 */
export function renewed(proposal: Proposal, before: EpochConfiguration, after: EpochConfiguration): Proposal | undefined {
  const [was, n] = [before.members.length, after.members.length];
  const nodeId = before.members[proposal.proposer]?.nodeId;
  const proposer = after.members.findIndex((member) => member.nodeId === nodeId);
  if (isSuccession(proposal.kind) || proposer < 0 || faultTolerance(n) === 0) return undefined;
  return { ...proposal, epoch: after.epoch, proposer, minSupport: supportAmong(n, was, proposal.minSupport) };
}

/** A quorum stays a quorum and all stay all; else as many as before, within the bounds. */
function supportAmong(n: number, was: number, minSupport: number): number {
  const quorum = byzantineQuorum(n);
  if (minSupport === byzantineQuorum(was)) return quorum;
  return minSupport === was ? n : Math.min(n, Math.max(quorum, minSupport));
}
