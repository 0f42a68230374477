import type { NodeId } from '../core/ids.ts';
import { majority } from '../core/quorum.ts';
import type { Matrix, OneWay } from './matrix.ts';
import type { ReachGraph } from './reach-graph.ts';

/**
 * What kind of trouble there is. `node-loss`: single nodes that nobody hears, which may be crashed or cut off alone; `complete`: sides that don't hear each other;
 * `partial`: one side, but not every pair of it hears each other; `simplex`: a link that works one way; `flapping`: an edge that is lost again and again.
 */
export const splitClasses = ['none', 'node-loss', 'complete', 'partial', 'simplex', 'flapping'] as const;
export type SplitClass = (typeof splitClasses)[number];

/** Who is where in the cluster, as one node sees it. */
export interface View {
  readonly self: NodeId;
  readonly class: SplitClass;
  readonly graph: ReachGraph;
  readonly oneWay: readonly OneWay[];
  /** This node's component first; then the groups of those it can't reach, who were together when they vanished. */
  readonly sides: readonly (readonly NodeId[])[];
  /** A node of this component hears a majority of the voters: Raft can have a leader. */
  readonly raftOk: boolean;
  /** This node can be, or directly follow, such a leader. */
  readonly canFollow: boolean;
  /** Those out of reach could be a majority. */
  readonly othersMayDecide: boolean;
  /** As many members as a Byzantine quorum are in this component. */
  readonly bftOk: boolean;
  /** And so many all hear each other. Sought when it is asked for: in a large cluster that takes a while. */
  readonly bftDirect: () => boolean;
}

export interface Electorate {
  readonly members: readonly NodeId[];
  readonly voters: readonly NodeId[];
  /** Of Byzantine votes: see `byzantine/quorum.ts`. */
  readonly byzantineQuorum: number;
}

export function classify(
  self: NodeId,
  { members, voters, byzantineQuorum }: Electorate,
  matrix: Matrix,
  nowMs: number,
  patience = 1,
): View {
  const graph = matrix.graph(members, nowMs, patience);
  const oneWay = matrix.oneWay(members, nowMs, patience);
  const component = graph.componentOf(self);
  const missing = members.filter((node) => !component.includes(node));
  const others = matrix.formerGraph(missing).components();
  const quorum = majority(voters.length);
  const centres = component.filter((node) => graph.star(node, voters) >= quorum);
  return {
    self,
    class: classOf(graph, component, others, oneWay.length > 0, matrix.hasFlapping(nowMs)),
    graph,
    oneWay,
    sides: [component, ...others],
    raftOk: centres.length > 0,
    canFollow: centres.some((centre) => graph.isUp(self, centre)),
    othersMayDecide: missing.filter((node) => voters.includes(node)).length >= quorum,
    bftOk: component.length >= byzantineQuorum,
    bftDirect: () => graph.cliques().some((clique) => clique.length >= byzantineQuorum),
  };
}

function classOf(
  graph: ReachGraph,
  component: readonly NodeId[],
  others: readonly (readonly NodeId[])[],
  hasOneWay: boolean,
  isFlapping: boolean,
): SplitClass {
  if (isFlapping) return 'flapping';
  if (graph.isComplete) return 'none';
  if (hasOneWay) return 'simplex';
  if (others.some((side) => side.length > 1)) return 'complete';
  if (component.some((a) => component.some((b) => !graph.isUp(a, b)))) return 'partial';
  return 'node-loss';
}
