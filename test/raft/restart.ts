import { defined } from '../../src/core/assert.ts';
import type { NodeId } from '../../src/core/ids.ts';
import type { RaftOptions } from '../../src/raft/config.ts';
import type { Raft } from '../../src/raft/raft.ts';
import { makeRaft, type Network } from './network.ts';

/**
 * The power of one node fails, and comes back: it starts from what was saved. With `isMidTurn` it fails before the write of the turn it is in: what that turn
 * would have saved is lost, and so is everything that was to leave after the save.
 */
export function restart(network: Network, id: NodeId, options: Partial<RaftOptions> = {}, isMidTurn = false): Raft {
  if (!isMidTurn) network.settle();
  const disk = defined(network.disks.get(id), 'the node has a disk');
  const raft = makeRaft(id, [...network.nodes.keys()], { hardState: disk.hardState, entries: [...disk.entries] }, options);
  network.nodes.set(id, raft);
  // Its state machine is as empty as at first, and is told everything again.
  network.applied.set(id, []);
  return raft;
}
