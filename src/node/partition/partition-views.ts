import { isName, type NodeId, nodeId } from '../../core/ids.ts';
import type { LinkState } from '../../detector/link-watch.ts';
import type { Evidence } from '../../detector/evidence.ts';
import type { SplitClass } from '../../partition/classify.ts';
import type { HealReport } from '../../partition/heal/heal-report.ts';
import { preferredLeaders } from '../../partition/placement.ts';
import type { PartitionState } from '../../partition/partition-state.ts';
import type { Split } from '../../partition/split-history.ts';
import type { Partition } from './partition.ts';

/** One line of the matrix; nodes by name. */
export interface MatrixRow {
  readonly node: string;
  /** None when no row of it is known. */
  readonly ageMs: number | undefined;
  readonly hears: readonly string[];
  readonly leader: string | undefined;
  readonly term: number;
  readonly commitIndex: number;
  /** Its own health: 0 is well. */
  readonly score: number;
  /** How its frames arrive at the node that was asked, and why, if they don't. */
  readonly link: LinkState;
  readonly evidence: (Omit<Evidence, 'accused' | 'accuser'> & { readonly accused: string; readonly accuser: string }) | undefined;
  /** Others reach it: the link is lost and not the node. */
  readonly reachedByOthers: boolean;
}

/** The reachability matrix, class and state, as one node sees them. */
export interface PartitionStatus {
  readonly node: string;
  readonly state: PartitionState;
  readonly class: SplitClass;
  readonly degraded: boolean;
  readonly healing: boolean;
  readonly rows: readonly MatrixRow[];
  readonly sides: readonly (readonly string[])[];
  readonly oneWay: readonly { readonly from: string; readonly to: string }[];
  readonly cliques: readonly (readonly string[])[];
  readonly raftOk: boolean;
  readonly bftOk: boolean;
  readonly bftDirect: boolean;
  /** Who should lead, the best connected first. */
  readonly preferredLeaders: readonly string[];
}

export type NameOf = (node: NodeId) => string;

/** As a person would sort them: node-2 before node-10. */
const inOrder = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });

const sideNames = (sides: Split['sides'], nameOf: NameOf): string[][] => sides.map((side) => side.map(nameOf).toSorted(inOrder));

export function partitionStatus(
  partition: Partition,
  { self, members, voters, leader }: { self: NodeId; members: readonly NodeId[]; voters: readonly NodeId[]; leader: NodeId | undefined },
  nameOf: NameOf,
): PartitionStatus {
  const { standing, view, detector } = partition;
  const names = (nodes: readonly NodeId[]): string[] => nodes.map(nameOf);
  return {
    node: nameOf(self),
    state: standing.state,
    class: standing.class,
    degraded: standing.degraded,
    healing: partition.isHealing,
    rows: members
      .toSorted((a, b) => inOrder(nameOf(a), nameOf(b)))
      .map((node) => {
        const known = partition.row(node);
        const evidence = detector.evidence(node);
        return {
          node: nameOf(node),
          ageMs: known && Math.round(known.ageMs),
          hears: names(known?.row.heard ?? []),
          leader: known?.row.leader && nameOf(known.row.leader),
          term: known?.row.term ?? 0,
          commitIndex: known?.row.commitIndex ?? 0,
          score: known?.row.score ?? 0,
          link: detector.state(node),
          evidence: evidence && { ...evidence, accused: nameOf(evidence.accused), accuser: nameOf(evidence.accuser) },
          reachedByOthers: detector.isReachedByOthers(node),
        };
      }),
    sides: sideNames(view?.sides ?? [], nameOf),
    oneWay: (view?.oneWay ?? []).map(({ heard, hearing }) => ({ from: nameOf(heard), to: nameOf(hearing) })),
    cliques: (view?.graph.cliques() ?? []).map(names),
    raftOk: view?.raftOk ?? false,
    bftOk: view?.bftOk ?? false,
    bftDirect: view?.bftDirect() ?? false,
    preferredLeaders: view === undefined ? [] : names(preferredLeaders(self, voters, view.graph, leader)),
  };
}

function namedConflict({ key, winnerDot, losers }: HealReport['gossip']['conflicts'][number], nameOf: NameOf) {
  const named = (dot: string): string => dot.replace(/^.+(?=:)/, (node) => (isName(node) ? nameOf(nodeId(node)) : node));
  return { key, winnerDot: named(winnerDot), losers: losers.map(named) };
}

/** A split with its nodes named. */
export function splitView(split: Split, nameOf: NameOf): Record<string, unknown> {
  const named = (node: NodeId | undefined): string | null => (node === undefined ? null : nameOf(node));
  const { report } = split;
  return {
    id: split.id,
    startMs: split.startMs,
    detectedMs: split.detectedMs ?? null,
    endMs: split.endMs ?? null,
    class: split.class,
    sides: sideNames(split.sides, nameOf),
    happenings: split.happenings.map((happening) => ({
      ...happening,
      ...('node' in happening ? { node: nameOf(happening.node) } : {}),
      ...('peer' in happening ? { peer: nameOf(happening.peer) } : {}),
      ...('leader' in happening ? { leader: named(happening.leader) } : {}),
    })),
    omitted: split.omitted,
    report:
      report === undefined
        ? null
        : {
            ...report,
            gossip: { ...report.gossip, conflicts: report.gossip.conflicts.map((conflict) => namedConflict(conflict, nameOf)) },
            sides: sideNames(report.sides, nameOf),
            leaderBefore: named(report.leaderBefore),
            leaderAfter: named(report.leaderAfter),
          },
  };
}
