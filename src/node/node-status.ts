import type { LogIndex } from '../core/ids.ts';
import type { PartitionState } from '../partition/partition-state.ts';
import type { Peers } from './peers.ts';
import type { Replica } from './replica.ts';
import type { Health, NodeStatus } from './service.ts';

export interface StatusParts {
  readonly name: string;
  readonly clusterId: string;
  readonly version: string;
  readonly replica: Replica;
  readonly peers: Peers;
  readonly partition: { readonly state: PartitionState };
}

/** What a node says of itself and its place in the cluster. */
export function statusOf({ name, clusterId, version, replica, peers, partition }: StatusParts, nowMs: number): NodeStatus {
  const { raft, links, appliedIndex, divergence } = replica;
  const leader = raft.leader === undefined ? undefined : peers.infoOf(raft.leader);
  const members = peers.members();
  return {
    nodeId: replica.id,
    name,
    clusterId,
    version,
    role: roleOf(raft.role, raft.configuration.learners.includes(replica.id)),
    term: raft.term,
    leader: leader === undefined ? null : { nodeId: leader.nodeId, http: leader.http },
    commitIndex: raft.commitIndex,
    appliedIndex,
    members,
    removed: peers.isRemoved,
    partition: {
      state: partition.state,
      reachable: members.filter(({ nodeId }) => links.isReachable(nodeId, nowMs)).map((member) => member.name),
    },
    durability: 'sync',
    logChain: divergence.status(),
  };
}

function roleOf(role: string, isLearner: boolean): NodeStatus['role'] {
  if (isLearner) return 'learner';
  if (role === 'leader' || role === 'follower') return role;
  return 'candidate';
}

/** Whether a node can serve, and what is in the way. `commitAtStart`: what it has to have applied. */
export function readinessOf({ replica, peers }: StatusParts, commitAtStart: LogIndex, nowMs: number): Health {
  const { raft, links, appliedIndex, isInstalling, divergence } = replica;
  const { isRemoved } = peers;
  const isMinority = links.isMinority(raft.configuration.voters, nowMs);
  const checks = [
    {
      name: 'member',
      ok: !isRemoved,
      detail: isRemoved ? 'this node was removed from the cluster' : 'this node is a member of the cluster',
    },
    {
      name: 'leader',
      ok: raft.leader !== undefined,
      detail: raft.leader === undefined ? 'no leader is known' : `leader is ${raft.leader}`,
    },
    {
      name: 'applied',
      ok: appliedIndex >= commitAtStart && !isInstalling,
      detail: `applied ${appliedIndex} of ${commitAtStart} known at start${isInstalling ? '; installing a snapshot' : ''}`,
    },
    {
      name: 'quorum',
      ok: !isMinority,
      detail: isMinority ? 'only a minority of the voters can be reached' : 'a majority of the voters can be reached',
    },
    { name: 'divergence', ok: !divergence.isDiverged, detail: divergence.detail },
  ];
  return { ok: checks.every(({ ok }) => ok), checks };
}
