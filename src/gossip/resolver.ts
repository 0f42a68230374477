import type { Sibling } from './entry.ts';
import { latestStamp } from './hybrid-clock.ts';

/**
 * A total order of the values of one key, the same on all nodes; positive when `a` ranks higher: the later registration of the agent, then the node that
 * owns it over one that watches it, then the later time, then the node's id and the counter, which no two values share.
 */
export function compareSiblings(a: Sibling, b: Sibling): number {
  if (a.generation !== b.generation) return a.generation - b.generation;
  if (a.role !== b.role) return a.role === 'owner' ? 1 : -1;
  if (a.stamp !== b.stamp) return a.stamp - b.stamp;
  if (a.dot.node !== b.dot.node) return a.dot.node > b.dot.node ? 1 : -1;
  return a.dot.counter - b.dot.counter;
}

export interface Resolved {
  readonly winner: Sibling;
  /** The others, until a write that has seen them: advice for a person, and for the count of conflicts. */
  readonly conflicts: readonly Sibling[];
}

/**
 * Which value counts. A stamp that is ahead of the clock by more than the drift bound ranks last until its time comes. It is stored as it is, not cut: each node
 * would cut it to another time, and they would never agree again.
 */
export function resolve(siblings: readonly Sibling[], unixMs: number): Resolved | undefined {
  const latest = latestStamp(unixMs);
  let winner: Sibling | undefined;
  for (const sibling of siblings) if (winner === undefined || outranks(sibling, winner, latest)) winner = sibling;
  return winner === undefined ? undefined : { winner, conflicts: siblings.filter((sibling) => sibling !== winner) };
}

function outranks(a: Sibling, b: Sibling, latest: number): boolean {
  const [isAhead, isOtherAhead] = [a.stamp > latest, b.stamp > latest];
  return isAhead === isOtherAhead ? compareSiblings(a, b) > 0 : isOtherAhead;
}
