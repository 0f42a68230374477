import { count, type Explanation, listed, ms } from './explanation.ts';
import type { PartitionAnswer, SplitAnswer } from '../partition/answers.ts';

type MatrixRow = PartitionAnswer['rows'][number];

/** Who doesn't hear whom, by which measure, and what the node that was asked may do. */
export function explainPartition(seen: PartitionAnswer, past: readonly SplitAnswer[]): Explanation {
  const { node, state, class: kind, degraded, sides, rows, oneWay } = seen;
  const what = kind === 'none' ? 'sees no split' : `sees a split, ${kind}: ${sides.map((side) => side.join(' ')).join(' | ')}`;
  const own = rows.find((row) => row.node === node);
  return {
    verdict: `${node}: ${state}${degraded ? ', degraded' : ''}; it ${what}`,
    reasons: [
      mayDo(seen),
      ...rows.filter((row) => row.node !== node && row.link !== 'up').map((row) => ownLoss(node, row)),
      ...rows.filter((row) => row.node !== node).flatMap((row) => othersLoss(row, rows)),
      ...oneWay.map(({ from, to }) => `${from} → ${to} works, ${to} → ${from} does not`),
      ...(own !== undefined && own.score > 0
        ? [`${node} is slow itself: it waits up to ${own.score + 1} times as long before it accuses`]
        : []),
      ...lastSplit(past),
    ],
  };
}

function mayDo({ node, state, sides, raftOk }: PartitionAnswer): string {
  switch (state) {
    case 'minority':
      return `${node} may decide nothing: writes and linearizable reads are refused (no_quorum), reads with --consistency local are answered; another side may decide`;
    case 'no_quorum':
      return 'no side has a majority: nobody decides until links or nodes are back; reads with --consistency local are answered';
    case 'majority':
      return `${listed(sides.find((side) => side.includes(node)) ?? [node])} have a majority and decide`;
    case 'suspect':
      return `something has changed, and has not stood long enough to be named; ${raftOk ? 'a leader is possible here' : 'no leader is possible here'}`;
    case 'healing':
      return `all links are back, what the split left behind is being mended; ${node} decides as ever`;
    default:
      return `${node} decides as ever`;
  }
}

function ownLoss(node: string, { node: peer, link, evidence, reachedByOthers }: MatrixRow): string {
  const others = reachedByOthers ? '; others reach it: the link is broken, not the node' : '';
  const lost = `${node} ${link === 'suspect' ? 'may not hear' : 'does not hear'} ${peer}`;
  return evidence === undefined ? `${lost}${others}` : `${lost}: ${measured(evidence)}${others}`;
}

function measured({ accuser, measure, value, bound, silenceMs, score }: NonNullable<MatrixRow['evidence']>): string {
  const slow = score === 0 ? '' : `, stretched since the judge was slow itself (health ${score} of 8)`;
  if (measure === 'phi') return `phi ${value.toFixed(1)} after ${ms(silenceMs)} of silence, the bound is ${bound}${slow}`;
  if (measure === 'silence') return `silent for ${ms(value)}, the bound is ${ms(bound)}${slow}`;
  if (measure === 'probe') return `neither it nor those who probed it for the judge answered within ${ms(bound)}${slow}`;
  if (measure === 'told') return value > 1 ? `${accuser} suspected it first, and ${value - 1} more agreed` : `${accuser} says so`;
  if (measure === 'connection') return `its connection closed, ${ms(silenceMs)} after its last frame`;
  return measure;
}

/** What another node says itself of whom it doesn't hear. */
function othersLoss({ node, ageMs, hears }: MatrixRow, rows: readonly MatrixRow[]): string[] {
  if (ageMs === undefined) return [`whom ${node} hears is not known here`];
  const missed = rows.filter((row) => row.node !== node && !hears.includes(row.node)).map((row) => row.node);
  return missed.length === 0 ? [] : [`${node} does not hear ${listed(missed)}, as it said ${ms(ageMs)} ago`];
}

function lastSplit(past: readonly SplitAnswer[]): string[] {
  const last = past.at(-1);
  if (last === undefined) return [];
  const { id, class: kind, startMs, endMs, report } = last;
  const lasted = endMs === null ? 'is not over' : `lasted ${ms(endMs - startMs)}`;
  const healed = report === null ? '' : `, healed in ${ms(report.durationMs)}`;
  return [`${count(past.length, 'split')} on record; the last, ${id} (${kind}), ${lasted}${healed}`];
}

/** What a split of the record was: its sides, who lost whom first, and what it took to mend. */
export function explainSplit(split: SplitAnswer, mended: (report: NonNullable<SplitAnswer['report']>) => string): Explanation {
  const { id, class: kind, sides, startMs, detectedMs, endMs, happenings, report } = split;
  const losses = happenings.filter(({ heard, node, peer }) => heard === false && node !== undefined && peer !== undefined);
  return {
    verdict: `split ${id}, ${kind}: ${sides.map((side) => side.join(' ')).join(' | ')}`,
    reasons: [
      `began ${new Date(startMs).toISOString()}, ${endMs === null ? 'is not over' : `lasted ${ms(endMs - startMs)}`}${detectedMs === null ? '' : `, was named after ${ms(detectedMs)}`}`,
      ...losses.map(({ node = '', peer = '', atMs }) => `after ${ms(atMs - startMs)} ${node} did not hear ${peer}`),
      report === null ? 'there is no report of its healing' : `healed in ${ms(report.durationMs)}: ${mended(report)}`,
    ],
  };
}
