import { element, escape, hint, short, text, widthOf } from '../../sim/picture/markup.ts';
import { styleSheet, termColour } from '../../sim/picture/style.ts';
import type { HappeningAnswer, SplitAnswer } from './answers.ts';

/** What one node has recorded. */
export interface SplitLane {
  readonly name: string;
  readonly splits: readonly SplitAnswer[];
}

const width = 1180;
const left = 110;
const right = width - 30;
const lanesTop = 112;
/** A lane has a bar for the node's state and leader, and below it a thin line for each peer that it hears. */
const barHeight = 24;
const lineHeight = 5;
const laneGap = 20;
const commitHeight = 90;

const ownStyle = `
.s-healthy{fill:#dfeee7}.s-suspect{fill:#f4e7bd}.s-majority{fill:#cfe3f7}.s-minority{fill:#f3c9c2}.s-no_quorum{fill:#e9aaa2}.s-healing{fill:#d6cdf0}
.hears{stroke:#44836a;stroke-width:2.4}.deaf{stroke:#c81e3a;stroke-width:1;stroke-dasharray:1.5 3}
@media (prefers-color-scheme:dark){.s-healthy{fill:#1f3d31}.s-suspect{fill:#4d431c}.s-majority{fill:#20405f}.s-minority{fill:#5c2a26}.s-no_quorum{fill:#742f2a}.s-healing{fill:#3c3360}.hears{stroke:#63b08f}.deaf{stroke:#ff5d78}}`;

interface Scene {
  readonly fromMs: number;
  readonly toMs: number;
  readonly x: (atMs: number) => number;
}

/** A real split as a standalone SVG, from what all nodes recorded of it: no script, no font, no resource from elsewhere. `nowMs` ends one that goes on. */
export function drawSplit(split: SplitAnswer, lanes: readonly SplitLane[], nowMs: number): string {
  const endMs = split.endMs ?? nowMs;
  const marginMs = Math.max(200, (endMs - split.startMs) * 0.04);
  const [fromMs, toMs] = [split.startMs - marginMs, endMs + marginMs];
  const scene: Scene = {
    fromMs,
    toMs,
    x: (atMs) => left + ((Math.min(toMs, Math.max(fromMs, atMs)) - fromMs) / (toMs - fromMs)) * (right - left),
  };
  const names = lanes.map(({ name }) => name);
  const laneHeight = barHeight + (names.length - 1) * lineHeight + laneGap;
  const commitTop = lanesTop + lanes.length * laneHeight + 6;
  const height = commitTop + commitHeight + 74;
  // A node's own record of this split; it may have begun it a little earlier or later.
  const own = lanes.map(({ splits }) => splits.findLast((one) => one.startMs <= toMs && (one.endMs ?? nowMs) >= fromMs));
  const parts = [
    hint(`split ${split.id}`),
    element('style', {}, styleSheet + ownStyle),
    element('rect', { class: 'paper', width, height }),
    drawHeader(split),
    drawGrid(scene, split.startMs, commitTop + commitHeight),
    ...own.map((record, i) => drawLane(names[i] ?? '', names, record, lanesTop + i * laneHeight, scene)),
    drawCommits(own, names, commitTop, scene),
    drawLegend(commitTop + commitHeight + 50),
  ];
  return element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' },
    parts.join('\n'),
  );
}

function drawHeader({ class: kind, sides, startMs, detectedMs, endMs, report }: SplitAnswer): string {
  const facts = [
    sides.map((side) => side.join(' ')).join('  |  '),
    detectedMs === null ? 'not classified' : `classified after ${detectedMs} ms`,
    endMs === null ? 'not over' : `over after ${((endMs - startMs) / 1000).toFixed(1)} s`,
    ...(report === null ? [] : [`whole ${Math.round(report.durationMs)} ms after the first link was back`]),
  ];
  const mended =
    report === null
      ? ''
      : [
          `leader ${report.leaderBefore ?? 'none'} → ${report.leaderAfter ?? 'none'}`,
          `term ${report.termBefore} → ${report.termAfter}`,
          `${report.raft.caughtUpEntries} entries caught up`,
          `${report.raft.truncated.length} truncated`,
          `${report.tasks.kept} leases kept, ${report.tasks.fenced.length} fenced`,
          `${report.gossip.merged} merged`,
          ...report.notes,
        ].join('  ·  ');
  const title = `${escape(`split · ${kind}`)}${element('tspan', { class: 'sub', dx: 14, 'font-weight': 400 }, escape(new Date(startMs).toISOString()))}`;
  return [
    element('text', { x: 30, y: 38, class: 'title' }, title),
    text(30, 61, 'sub', facts.join('  ·  ')),
    text(30, 80, 'sub', mended),
  ].join('');
}

function drawGrid({ fromMs, toMs, x }: Scene, startMs: number, bottom: number): string {
  const roughMs = (toMs - fromMs) / 10;
  const power = 10 ** Math.floor(Math.log10(roughMs));
  const stepMs = ([1, 2, 5, 10].find((factor) => factor * power >= roughMs) ?? 10) * power;
  const lines: string[] = [];
  for (let atMs = startMs; atMs <= toMs; atMs += stepMs) {
    const at = x(atMs);
    lines.push(
      element('line', { class: 'grid', x1: at, x2: at, y1: lanesTop - 8, y2: bottom }),
      text(at, bottom + 17, 'small mid', `${short((atMs - startMs) / 1000)} s`),
    );
  }
  return lines.join('');
}

function drawLane(name: string, names: readonly string[], record: SplitAnswer | undefined, top: number, scene: Scene): string {
  const label = text(left - 12, top + 17, 'node end', name);
  const happenings = record?.happenings ?? [];
  const states = spans(happenings, 'healthy', scene, (one) => (one.kind === 'state' ? one.state : undefined));
  const leads = spans(happenings, '', scene, (one) =>
    one.kind === 'leader' && one.node === name ? `${one.leader ?? ''} ${one.term ?? 0}` : undefined,
  );
  const bar = (from: number, to: number, more: Readonly<Record<string, string | number>>): string =>
    element('rect', { x: from, y: top, width: Math.max(to - from, 1), height: barHeight, ...more });
  const ground = states.map(({ from, to, value }) => {
    const words = widthOf(value) < to - from - 4 ? text((from + to) / 2, top + barHeight + 0.5 - 8, 'small mid', value) : '';
    return bar(from, to, { class: `s-${value}` }) + words;
  });
  const leading = leads
    .filter(({ value }) => value.startsWith(`${name} `))
    .map(({ from, to, value }) => {
      const term = value.split(' ').at(-1) ?? '';
      const words = `leader · term ${term}`;
      return (
        bar(from, to, { fill: termColour(Number(term)) }) +
        (widthOf(words) < to - from ? text((from + to) / 2, top + 16, 'onbar', words) : '')
      );
    });
  const peers = names.filter((peer) => peer !== name);
  const lines = peers.map((peer, i) => {
    const y = top + barHeight + 4 + i * lineHeight;
    return spans(happenings, 'true', scene, (one) =>
      one.kind === 'edge' && one.node === name && one.peer === peer ? String(one.heard) : undefined,
    )
      .map(({ from, to, value }) =>
        element(
          'line',
          { class: value === 'true' ? 'hears' : 'deaf', x1: from, x2: to, y1: y, y2: y },
          hint(`${name} ${value === 'true' ? 'hears' : 'does not hear'} ${peer}`),
        ),
      )
      .join('');
  });
  return [label, ...ground, ...leading, ...lines].join('');
}

/** How long each value held, of those that `valueOf` finds. */
function spans(
  happenings: readonly HappeningAnswer[],
  first: string,
  { x, fromMs, toMs }: Scene,
  valueOf: (one: HappeningAnswer) => string | undefined,
): { readonly from: number; readonly to: number; readonly value: string }[] {
  const found: { from: number; to: number; value: string }[] = [{ from: x(fromMs), to: x(toMs), value: first }];
  for (const one of happenings) {
    const value = valueOf(one);
    const last = found.at(-1);
    if (value === undefined || last === undefined || last.value === value) continue;
    last.to = x(one.atMs);
    found.push({ from: last.to, to: x(toMs), value });
  }
  return found;
}

function drawCommits(records: readonly (SplitAnswer | undefined)[], names: readonly string[], top: number, { x, toMs }: Scene): string {
  const commits = records.map((record, i) => (record?.happenings ?? []).filter(({ kind, node }) => kind === 'commit' && node === names[i]));
  const indices = commits.flat().map(({ index = 0 }) => index);
  if (indices.length === 0) return '';
  const [low, high] = [Math.min(...indices), Math.max(...indices)];
  const bottom = top + commitHeight;
  const y = (index: number): number => bottom - 4 - ((index - low) / Math.max(1, high - low)) * (commitHeight - 14);
  const curves = commits.map((list, i) => {
    const [head, ...rest] = list;
    if (head === undefined) return '';
    const path = rest.map(({ atMs, index = 0 }) => `H${short(x(atMs))}V${short(y(index))}`).join('');
    return element(
      'path',
      { class: 'applied', d: `M${short(x(head.atMs))} ${short(y(head.index ?? 0))}${path}H${short(x(toMs))}` },
      hint(`committed at ${names[i] ?? ''}`),
    );
  });
  return [
    text(left - 12, top + 14, 'small end', 'commit'),
    text(left - 12, top + 28, 'small end', 'index'),
    ...curves,
    text(right + 4, y(high) + 4, 'small', String(high)),
  ].join('');
}

function drawLegend(y: number): string {
  const states = ['suspect', 'majority', 'minority', 'no_quorum', 'healing'];
  const boxes = states.map(
    (state, i) =>
      element('rect', { class: `s-${state}`, x: left + i * 110, y: y - 11, width: 22, height: 12 }) +
      text(left + i * 110 + 28, y, 'small', state),
  );
  const at = left + states.length * 110;
  const lines = [
    element('line', { class: 'hears', x1: at, x2: at + 22, y1: y - 4, y2: y - 4 }) + text(at + 28, y, 'small', 'hears this peer'),
    element('line', { class: 'deaf', x1: at + 130, x2: at + 152, y1: y - 4, y2: y - 4 }) + text(at + 158, y, 'small', 'does not'),
    element('rect', { fill: termColour(1), x: at + 230, y: y - 11, width: 22, height: 12 }) +
      text(at + 258, y, 'small', 'leads, coloured by term'),
  ];
  return [...boxes, ...lines].join('');
}
