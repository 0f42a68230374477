import { glyphs } from './glyphs.ts';
import type { Layout } from './layout.ts';
import { element, hint, seconds, short, text, widthOf } from './markup.ts';
import type { Mark, Recording } from './recording.ts';
import { pausesOf, type Span, spansOf } from './spans.ts';
import { termColour } from './style.ts';

const bandTop = 14;
const bandHeight = 20;
const trafficHeight = 16;

/** What a lane lies on. */
export const drawGround = ({ left, right, laneTop, laneHeight }: Layout, node: number): string =>
  element('rect', { class: 'lane', x: left, y: laneTop(node), width: right - left, height: laneHeight, rx: 4 });

/** One node's life: its terms and leaderships, pauses, faults, and perhaps how many messages it got. */
export function drawLane({ nodes, marks, endUs }: Recording, layout: Layout, node: number, drawsTraffic: boolean): string {
  const { left, laneHeight, x } = layout;
  const top = layout.laneTop(node);
  const name = nodes[node] ?? '';
  const band = top + bandTop;
  const pauses = pausesOf(marks, node, endUs).map(({ fromUs, toUs }) =>
    element(
      'rect',
      { class: 'pause', x: x(fromUs), y: band, width: Math.max(x(toUs) - x(fromUs), 1.5), height: bandHeight, fill: 'url(#paused)' },
      hint(`${name} paused from ${seconds(fromUs)} to ${seconds(toUs)}`),
    ),
  );
  return element(
    'g',
    { class: 'node-lane' },
    [
      text(left - 14, band + bandHeight / 2 + 5, 'node end', name),
      drawsTraffic ? drawTraffic(marks, layout, node, top + laneHeight - 1) : '',
      ...spansOf(marks, node, endUs).map((span) => drawSpan(span, name, x, band)),
      ...pauses,
      ...marks.filter((mark) => mark.node === node).map((mark) => drawMark(mark, name, x(mark.atUs), top)),
    ].join(''),
  );
}

function drawSpan({ fromUs, toUs, state, term }: Span, name: string, x: (atUs: number) => number, band: number): string {
  const from = x(fromUs);
  const width = Math.max(x(toUs) - from, 0.5);
  const time = `from ${seconds(fromUs)} to ${seconds(toUs)}`;
  if (state === 'down') {
    return element('rect', { class: 'down', x: from, y: band + 7, width, height: bandHeight - 14 }, hint(`${name} down ${time}`));
  }
  const colour = termColour(term);
  if (state === 'up') {
    return element(
      'rect',
      { class: 'band', x: from, y: band, width, height: bandHeight, fill: colour },
      hint(`${name} in term ${term} ${time}`),
    );
  }
  const label = [`leader, term ${term}`, `term ${term}`, `${term}`].find((words) => widthOf(words) + 6 < width);
  const bar = {
    class: 'leader',
    x: from,
    y: band - 3,
    width: Math.max(width, 2),
    height: bandHeight + 6,
    rx: Math.min(3, width / 2),
    fill: colour,
  };
  return element(
    'g',
    {},
    `${hint(`${name} leads term ${term} ${time}`)}${element('rect', bar)}${label === undefined ? '' : text(from + width / 2, band + 14, 'onbar', label)}`,
  );
}

/** The sign of a rare event; common ones have none. */
function drawMark({ kind, atUs, x, y }: Mark, name: string, at: number, top: number): string {
  const sign = (drawn: string, words: string): string => element('g', {}, `${hint(`${name} ${words} at ${seconds(atUs)}`)}${drawn}`);
  if (kind === 'crash') return sign(glyphs.crash(at, top + bandTop + bandHeight / 2), 'crashes');
  if (kind === 'start' && atUs > 0) return sign(glyphs.start(at, top + bandTop + bandHeight / 2), 'starts again');
  if (kind === 'clock') return sign(glyphs.clock(at, top + 6), `has its clock moved by ${x} ms`);
  if (kind === 'disk') return sign(glyphs.disk(at, top + 6), x === 0 ? 'has a fast disk again' : `writes in ${x} ms`);
  if (kind === 'fail') return sign(glyphs.disk(at, top + 6), 'has a write fail');
  if (kind === 'lose') return sign(glyphs.disk(at, top + 6), 'loses its disk');
  if (kind === 'snapshot') return sign(glyphs.snapshot(at, top + 5), `has taken ${x} snapshots and installed ${y} in this life`);
  return '';
}

/** Messages received, per two pixels. Each lane has its own scale. */
function drawTraffic(marks: readonly Mark[], { left, right, x }: Layout, node: number, bottom: number): string {
  const step = 2;
  const bins = Array.from({ length: Math.ceil((right - left) / step) + 1 }, () => 0);
  for (const mark of marks) {
    if (mark.kind !== 'frame' || mark.node !== node) continue;
    const bin = Math.floor((x(mark.atUs) - left) / step);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const most = Math.max(1, ...bins);
  let path = `M${short(left)} ${short(bottom)}`;
  let last = 0;
  for (const [i, count] of bins.entries()) {
    if (count === last) continue;
    path += `H${short(Math.min(left + i * step, right))}V${short(bottom - (count / most) * trafficHeight)}`;
    last = count;
  }
  return element('path', { class: 'traffic', d: `${path}H${short(right)}V${short(bottom)}Z` });
}

/** Each message as a thin line from its sender's lane, a little earlier, to where it arrived: when it left isn't recorded. */
export function drawMessages(frames: readonly Mark[], { left, x, laneTop }: Layout): string {
  const middle = bandTop + bandHeight / 2;
  const path = frames.map(({ atUs, node, x: from }) => {
    const at = x(atUs);
    return `M${short(Math.max(left, at - 3))} ${short(laneTop(from) + middle)}L${short(at)} ${short(laneTop(node) + middle)}`;
  });
  return path.length === 0 ? '' : element('path', { class: 'message', d: path.join('') });
}
