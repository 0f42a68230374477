import type { Genesis, Node } from '../../src/index.ts';
import { pause } from '../http.ts';
import { askRoster } from './roster.ts';

/**
 * Asks every node it has heard of who the members are, as long as its own node hears no leader: the members may have changed while it was away, and those it
 * knows may not be the ones that lead. So a node finds its new peers, or learns that it was removed. Ends with the signal.
 */
export async function callRoll(node: Node, { clusterId }: Genesis, intervalMs: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    await pause(intervalMs, signal);
    if (signal.aborted) return;
    const { ageMs } = await node.service.readPoint('local');
    if (ageMs < intervalMs) continue;
    const rosters = await Promise.all(node.peers.known().map(({ http }) => askRoster(http, clusterId, signal)));
    for (const roster of rosters) if (roster !== undefined) node.peers.tell(roster);
  }
}
