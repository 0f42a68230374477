import { nodeId, type NodeId } from '../../src/core/ids.ts';
import { classify, type View } from '../../src/partition/classify.ts';
import { Matrix } from '../../src/partition/matrix.ts';
import type { Row } from '../../src/partition/row.ts';

export const nodes = (count: number): NodeId[] => Array.from({ length: count }, (_, i) => nodeId(`n${i + 1}`));

export const row = (node: NodeId, seq: number, heard: readonly NodeId[], more: Partial<Row> = {}): Row => ({
  node,
  boot: 1,
  seq,
  heard,
  term: 1,
  leader: undefined,
  commitIndex: 0,
  electable: true,
  healing: false,
  score: 0,
  signature: new Uint8Array(64),
  ...more,
});

/** Whom each node hears: `hears(a, b)` says whether b's frames reach a. */
export type Hears = (a: NodeId, b: NodeId) => boolean;

/** "1,2/3,4": who is in one group hears each other. Also bridges, "1,2,3/3,4,5": who is in two groups. */
export function groups(text: string): Hears {
  const sets = text.split('/').map((part) => new Set(part.split(',').map((n) => `n${n}`)));
  return (a, b) => sets.some((set) => set.has(a) && set.has(b));
}

/** A matrix as one node keeps it: every 50 ms the rows of all nodes that reach it, directly or through others (gossip). */
export class Observer {
  readonly matrix = new Matrix();
  readonly self: NodeId;
  readonly members: readonly NodeId[];
  nowMs = 0;
  #seq = 0;

  constructor(self: NodeId, members: readonly NodeId[]) {
    this.self = self;
    this.members = members;
  }

  run(forMs: number, hears: Hears, dead: readonly NodeId[] = []): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += 50;
      this.#seq++;
      for (const node of this.#telling(hears, dead))
        this.matrix.put(
          row(
            node,
            this.#seq,
            this.members.filter((peer) => peer === node || (hears(node, peer) && !dead.includes(peer))),
          ),
          this.nowMs,
        );
    }
  }

  #telling(hears: Hears, dead: readonly NodeId[]): Set<NodeId> {
    const telling = new Set<NodeId>([this.self]);
    for (const node of telling) for (const peer of this.members) if (hears(node, peer) && !dead.includes(peer)) telling.add(peer);
    return telling;
  }

  view(byzantineQuorum = this.members.length): View {
    return classify(this.self, { members: this.members, voters: this.members, byzantineQuorum }, this.matrix, this.nowMs);
  }
}
