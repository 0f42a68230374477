import type { NodeId } from '../core/ids.ts';
import type { Matrix } from './matrix.ts';
import type { ReachGraph } from './reach-graph.ts';

/** Bytes a second that one node passes on for others, and the burst it takes: control frames are small; bulk has to wait for the real link. */
const bytesPerSecond = 1024 * 1024;
const burstBytes = 256 * 1024;

/**
 * The node through which frames from `from` reach `to` when the two don't hear each other (one hop, as in NIFTY, Alfatafta et al. 2020): the least burdened of those
 * who hear both; undefined when the link is up or there is no such node. Of equals the one whose id follows `to` most closely, so that many pairs choose many relays.
 */
export function relayFor(from: NodeId, to: NodeId, graph: ReachGraph, matrix: Matrix): NodeId | undefined {
  if (graph.isUp(from, to)) return undefined;
  const score = (node: NodeId): number => matrix.row(node)?.score ?? 0;
  const follows = (node: NodeId): number => Number(node < to);
  return graph
    .neighbours(from)
    .filter((node) => graph.isUp(node, to))
    .toSorted((a, b) => score(a) - score(b) || follows(a) - follows(b) || (a < b ? -1 : 1))
    .at(0);
}

/** How much a node passes on for others (a token bucket). What is over is dropped: the protocols repeat themselves. */
export class RelayBudget {
  #bytes = burstBytes;
  #filledMs: number;

  constructor(nowMs: number) {
    this.#filledMs = nowMs;
  }

  take(bytes: number, nowMs: number): boolean {
    this.#bytes = Math.min(burstBytes, this.#bytes + (Math.max(0, nowMs - this.#filledMs) * bytesPerSecond) / 1000);
    this.#filledMs = nowMs;
    if (bytes > this.#bytes) return false;
    this.#bytes -= bytes;
    return true;
  }
}
