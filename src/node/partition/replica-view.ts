import { type Lease, maxLeases } from '../../partition/heal/summary.ts';
import { members } from '../../raft/configuration.ts';
import { jointVote } from '../../raft/quorum.ts';
import type { ClusterState } from '../../tasks/state.ts';
import { isTerminal } from '../../tasks/task.ts';
import type { Replica } from '../replica.ts';
import type { PartitionView } from './partition-ports.ts';

/** What a replica tells to the watch over partitions. `names`: what the agents that are attached to this node call it. */
export function partitionView(
  { raft, state, counters, divergence, guard, appliedIndex }: Replica,
  names: readonly string[],
  votes: PartitionView['votes'] = { open: 0, decided: 0, noConsensus: 0 },
): PartitionView {
  const { configuration, leader, term, commitIndex } = raft;
  const { log } = divergence;
  return {
    members: members(configuration),
    voters: configuration.voters,
    isQuorum: (isHeard) => jointVote(configuration, isHeard) === 'won',
    leader,
    term,
    commitIndex,
    lastIndex: () => raft.status().lastIndex,
    snapshots: counters.snapshotsInstalled,
    snapshotIndex: () => raft.status().firstIndex - 1,
    lateResults: counters.lateResults,
    termAt: (index) => raft.termAt(index),
    head: log.head,
    chainAt: (index) => log.at(index),
    takeTruncated: () => raft.takeTruncated(),
    epoch: guard?.current.epoch ?? 0,
    votes,
    matchIndex: (voter) => raft.status().progress.get(voter)?.match ?? 0,
    leases: () => [...leasesAt(state, names)],
    hold: (task) => {
      const found = state.tasks.get(task);
      return found && { fence: found.fence, agent: found.agent, hasEnded: isTerminal(found.state) };
    },
    appliedIndex,
  };
}

function* leasesAt({ tasks, registry }: ClusterState, names: readonly string[]): Generator<Lease> {
  let count = 0;
  for (const { id, agent, fence } of tasks.held()) {
    const node = agent === undefined ? undefined : registry.get(agent)?.node;
    if (node === undefined || !names.includes(node)) continue;
    yield { task: id, fence };
    if (++count === maxLeases) return;
  }
}
