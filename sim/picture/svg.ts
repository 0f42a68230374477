import { glyphs } from './glyphs.ts';
import { drawGround, drawLane, drawMessages } from './lane.ts';
import { layoutOf, type Layout } from './layout.ts';
import { element, escape, hint, seconds, short, text, widthOf } from './markup.ts';
import type { Mark, Recording } from './recording.ts';
import { type Partition, partitionsOf } from './spans.ts';
import { styleSheet, termColour } from './style.ts';
import { isFailure } from '../run.ts';

/** With more frames than this, lanes show how many came instead of each as a line. */
const maxMessageLines = 1500;

/** A run as a standalone SVG: no script, no font, no resource from elsewhere. The same recording gives the same bytes. */
export function drawSvg(recording: Recording): string {
  const layout = layoutOf(recording);
  const partitions = partitionsOf(recording.marks, recording.nodes.length, recording.endUs);
  const frames = recording.marks.filter(({ kind }) => kind === 'frame');
  const drawsMessages = frames.length <= maxMessageLines;
  const parts = [
    hint(`${recording.scenario}, seed ${recording.seed}: ${recording.verdict}`),
    element('style', {}, styleSheet),
    definitions,
    element('rect', { class: 'paper', width: layout.width, height: layout.height }),
    drawHeader(recording, layout),
    drawGrid(layout),
    ...recording.nodes.map((_, node) => drawGround(layout, node)),
    ...partitions.map((partition) => drawPartition(partition, recording, layout)),
    drawFaultsEnd(recording, layout),
    drawsMessages ? drawMessages(frames, layout) : '',
    ...recording.nodes.map((_, node) => drawLane(recording, layout, node, !drawsMessages)),
    drawCommits(recording, layout),
    drawViolation(recording, layout),
    drawLegend(recording.marks, layout, drawsMessages),
  ];
  const { width, height } = layout;
  const frame = { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${short(width)} ${short(height)}`, width, height, role: 'img' };
  return element('svg', frame, parts.join('\n'));
}

const definitions = element(
  'defs',
  {},
  element(
    'pattern',
    { id: 'paused', width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
    element('line', { class: 'hatch', x1: 0, y1: 0, x2: 0, y2: 7 }),
  ),
);

function drawHeader({ title, seed, scenario, verdict, facts, endUs }: Recording, { left, right }: Layout): string {
  const pill = verdict.toUpperCase();
  const width = widthOf(pill) * 1.2 + 24;
  const words = [...facts, `${(endUs / 1_000_000).toFixed(1)} s simulated`].join('  ·  ');
  return [
    element('rect', { class: isFailure(verdict) ? 'bad' : 'ok', x: right - width, y: 18, width, height: 26, rx: 13 }),
    text(right - width / 2, 36, 'pill', pill),
    element(
      'text',
      { x: left, y: 38, class: 'title' },
      `${escape(`${scenario} · seed ${seed}`)}${element('tspan', { class: 'sub', dx: 14, 'font-weight': 400 }, escape(title))}`,
    ),
    text(left, 61, 'sub', words),
  ].join('');
}

function drawGrid({ left, right, lanesTop, axisY, x, endUs }: Layout): string {
  const stepUs = tickStep(endUs);
  const lines: string[] = [];
  for (let atUs = 0; atUs <= endUs; atUs += stepUs) {
    const at = x(atUs);
    lines.push(element('line', { class: 'grid', x1: at, x2: at, y1: lanesTop, y2: axisY }));
    lines.push(text(at, axisY + 17, 'small mid', `${short(atUs / 1_000_000)} s`));
  }
  return `${lines.join('')}${element('line', { class: 'axis', x1: left, x2: right, y1: axisY, y2: axisY })}`;
}

/** 1, 2 or 5 times a power of ten, so that there are about a dozen ticks. */
function tickStep(endUs: number): number {
  const roughUs = Math.max(endUs, 1) / 12;
  const power = 10 ** Math.floor(Math.log10(roughUs));
  return ([1, 2, 5, 10].find((factor) => factor * power >= roughUs) ?? 10) * power;
}

function drawPartition(partition: Partition, { nodes }: Recording, { x, lanesTop, lanesBottom, laneTop, laneHeight }: Layout): string {
  const { fromUs, toUs, groups, isOneWay } = partition;
  const from = x(fromUs);
  const width = Math.max(x(toUs) - from, 1);
  const names = groups.map((group) => group.map((node) => nodes[node] ?? '').join(' '));
  const words = groups.length < 2 ? 'some links' : names.join(' | ');
  const label = [words, names.map((name) => name.split(' ').length).join(' | ')].find((name) => widthOf(name) < width - 4);
  // The largest group stays pale: what is cut off from it stands out.
  const apart = groups
    .slice(1)
    .flatMap((group) => group.map((node) => element('rect', { class: 'apart', x: from, y: laneTop(node), width, height: laneHeight })));
  const how = isOneWay ? 'one way only' : 'both ways';
  return element(
    'g',
    {},
    [
      hint(`links cut, ${how}: ${words}, from ${seconds(fromUs)} to ${seconds(toUs)}`),
      element('rect', { class: 'cut', x: from, y: lanesTop - 4, width, height: lanesBottom - lanesTop + 4 }),
      ...apart,
      element('path', {
        class: 'edge',
        d: `M${short(from)} ${lanesTop - 4}V${lanesBottom}M${short(from + width)} ${lanesTop - 4}V${lanesBottom}`,
      }),
      element('rect', { class: 'strip', x: from, y: lanesTop - 20, width, height: 16, rx: Math.min(3, width / 2) }),
      label === undefined ? '' : text(from + width / 2, lanesTop - 8, 'cutname', label),
    ].join(''),
  );
}

/** How far each node has applied the log, and over all the furthest: a lower bound of what is committed. */
function drawCommits({ nodes, marks }: Recording, { left, right, width, commitTop, commitHeight, x }: Layout): string {
  const applies = marks.filter(({ kind }) => kind === 'apply');
  const top = applies.reduce((highest, { x: index }) => Math.max(highest, index), 1);
  const bottom = commitTop + commitHeight;
  const y = (index: number): number => bottom - (index / top) * (commitHeight - 6);
  const curve = (of: readonly Mark[], isMonotonic: boolean): string => {
    let path = `M${short(left)} ${short(bottom)}`;
    let lastX = left;
    let index = 0;
    for (const mark of of) {
      const at = x(mark.atUs);
      const next = isMonotonic ? Math.max(index, mark.x) : mark.x;
      // A pixel's worth of events makes one point.
      if (next === index || (at - lastX < 0.75 && next > index && mark !== of.at(-1))) continue;
      index = next;
      lastX = at;
      path += `H${short(at)}V${short(y(index))}`;
    }
    return path;
  };
  const committed = `${curve(applies, true)}H${short(right)}`;
  const each = nodes.map((name, node) =>
    element(
      'path',
      {
        class: 'applied',
        d: curve(
          applies.filter((mark) => mark.node === node),
          false,
        ),
      },
      hint(`applied by ${name}`),
    ),
  );
  return [
    text(left - 12, commitTop + 14, 'small end', 'applied'),
    text(left - 12, commitTop + 28, 'small end', 'index'),
    element('path', { class: 'area', d: `${committed}V${short(bottom)}Z` }),
    ...each,
    element('path', { class: 'commit', d: committed }, hint('the furthest applied index of all nodes')),
    text(Math.min(right + 6, width - 4), y(top) + 4, 'small', String(top)),
  ].join('');
}

function drawFaultsEnd({ faultsEndUs }: Recording, { x, lanesTop, axisY }: Layout): string {
  if (faultsEndUs === undefined) return '';
  const at = x(faultsEndUs);
  return [
    element('line', { class: 'calm', x1: at, x2: at, y1: lanesTop - 24, y2: axisY }, hint(`faults end at ${seconds(faultsEndUs)}`)),
    text(at - 5, lanesTop - 26, 'small end ok', 'faults end'),
  ].join('');
}

function drawViolation({ violation }: Recording, { x, lanesTop, axisY, left, right, laneTop, laneHeight }: Layout): string {
  if (violation === undefined) return '';
  const { atUs, node, invariant, text: words } = violation;
  const at = x(atUs);
  const full = `${invariant}: ${words}`;
  const most = Math.floor((right - left - 20) / 8);
  const label = full.length > most ? `${full.slice(0, most - 1)}…` : full;
  const width = label.length * 8 + 18;
  const from = Math.max(left, Math.min(at - width / 2, right - width));
  const top = lanesTop - 64;
  const ring = { class: 'ring', x: at - 9, y: node === undefined ? 0 : laneTop(node) - 3, width: 18, height: laneHeight + 6, rx: 9 };
  return element(
    'g',
    { id: 'violation' },
    [
      hint(`${seconds(atUs)}  ${full}`),
      element('line', { class: 'broken', x1: at, x2: at, y1: top, y2: axisY }),
      node === undefined ? '' : element('rect', ring),
      element('rect', { class: 'flag', x: from, y: top - 2, width, height: 22, rx: 4 }),
      text(from + 9, top + 13.5, 'flagtext', label),
    ].join(''),
  );
}

/** Signs of what happened only in some runs are explained only there. */
function drawLegend(marks: readonly Mark[], { left, legendY: y }: Layout, drawsMessages: boolean): string {
  const box = (of: Readonly<Record<string, string>>, height = 12): string =>
    element('rect', { ...of, x: 0, y: -height + 1, width: 22, height, rx: 2 });
  const kinds = new Set(marks.map(({ kind, atUs }) => (kind === 'start' && atUs === 0 ? '' : kind)));
  const entries: readonly (readonly [sign: string, words: string, kind?: string])[] = [
    [box({ class: 'band', fill: termColour(1) }), 'up, coloured by term'],
    [box({ fill: termColour(1) }), 'leader'],
    [box({ class: 'down' }, 6), 'down', 'crash'],
    [box({ fill: 'url(#paused)' }), 'paused', 'pause'],
    [box({ class: 'strip' }), 'links cut', 'cut'],
    [glyphs.crash(11, -5), 'crash', 'crash'],
    [glyphs.start(11, -5), 'restart', 'start'],
    [glyphs.clock(11, -5), 'clock jump', 'clock'],
    [glyphs.snapshot(11, -5), 'snapshot', 'snapshot'],
    [glyphs.disk(11, -5), 'disk fault', 'disk'],
    drawsMessages
      ? [element('line', { class: 'message', x1: 0, x2: 22, y1: -9, y2: 0 }), 'message']
      : [element('path', { class: 'traffic', d: 'M0 0V-3H5V-8H10V-5H16V-10H22V0Z' }), 'messages received'],
    [element('path', { class: 'commit', d: 'M0 -1H8V-6H15V-10H22' }), 'furthest applied'],
  ];
  let at = left;
  const shown = entries.filter(([, , kind]) => kind === undefined || kinds.has(kind));
  const drawn = shown.map(([sign, words]) => {
    const here = element('g', { transform: `translate(${short(at)} ${short(y)})` }, `${sign}${text(28, 0, 'small', words)}`);
    at += 48 + widthOf(words) * 0.9;
    return here;
  });
  return drawn.join('');
}
