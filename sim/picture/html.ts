import { element, escape, seconds } from './markup.ts';
import type { Mark, Recording } from './recording.ts';
import { drawSvg } from './svg.ts';

/** Rows of the list of events. */
const maxRows = 2000;

/** The picture in a page of its own, to zoom and drag, with what happened as a list. Nothing is loaded from elsewhere. */
export function drawHtml(recording: Recording): string {
  const { scenario, seed, verdict, nodes, marks, violation } = recording;
  const rows = marks.flatMap((mark) => {
    const words = wordsOf(mark, nodes);
    return words === undefined ? [] : [{ atUs: mark.atUs, node: mark.kind === 'heal' ? '' : (nodes[mark.node] ?? ''), words }];
  });
  if (violation !== undefined) {
    const { atUs, node, invariant, text } = violation;
    rows.push({ atUs, node: nodes[node ?? -1] ?? '', words: `${invariant}: ${text}` });
  }
  // The end tells most: of too many rows the first go.
  const shown = rows.slice(-maxRows);
  const table = shown.map(({ atUs, node, words }) =>
    element('tr', {}, `<td>${seconds(atUs)}</td><td>${escape(node)}</td><td>${escape(words)}</td>`),
  );
  const count = shown.length === rows.length ? `${rows.length} events` : `the last ${shown.length} of ${rows.length} events`;
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/><title>${escape(`${scenario}, seed ${seed}: ${verdict}`)}</title><style>${pageStyle}</style></head>
<body><div id="picture">${drawSvg(recording)}</div>
<p>Scroll to zoom, drag to move, double-click to see all. ${count}, without messages and applied entries:</p>
<table><tbody>
${table.join('\n')}
</tbody></table>
<script>${script}</script></body></html>
`;
}

function wordsOf({ kind, x, y }: Mark, nodes: readonly string[]): string | undefined {
  switch (kind) {
    case 'frame':
    case 'apply':
      return undefined;
    case 'cut':
      return `no longer reaches ${nodes[x] ?? x}`;
    case 'heal':
      return 'all links work again';
    case 'start':
      return 'starts';
    case 'crash':
      return 'crashes';
    case 'pause':
      return 'is paused';
    case 'resume':
      return 'goes on';
    case 'term':
      return `is in term ${x}`;
    case 'leader':
      return `leads term ${x}`;
    case 'clock':
      return `has its clock moved by ${x} ms`;
    case 'snapshot':
      return `has taken ${x} snapshots and installed ${y} in this life`;
    default:
      return `${kind} ${x} ${y}`;
  }
}

const pageStyle = `
:root{color-scheme:light dark}body{margin:0;font:14px Inter,"Segoe UI",Arial,sans-serif;background:#fdfdfb;color:#3b4252}
#picture{overflow:hidden;cursor:grab;touch-action:none}#picture svg{display:block;width:100%;height:auto;user-select:none}
p{margin:12px 24px}table{margin:0 24px 24px;border-collapse:collapse}td{padding:2px 16px 2px 0}td:first-child{text-align:right;font-variant-numeric:tabular-nums}
tr:hover{background:#8883}@media (prefers-color-scheme:dark){body{background:#12151c;color:#c3c9d6}}`;

const script = `
const svg = document.querySelector('#picture svg');
const whole = svg.viewBox.baseVal;
const all = { x: whole.x, y: whole.y, width: whole.width, height: whole.height };
let view = { ...all };
const show = () => svg.setAttribute('viewBox', [view.x, view.y, view.width, view.height].join(' '));
svg.addEventListener('wheel', (event) => {
  event.preventDefault();
  const box = svg.getBoundingClientRect();
  const factor = Math.min(Math.max(view.width * Math.exp(event.deltaY / 500), all.width / 200), all.width) / view.width;
  const u = (event.clientX - box.left) / box.width, v = (event.clientY - box.top) / box.height;
  view = { x: view.x + u * view.width * (1 - factor), y: view.y + v * view.height * (1 - factor), width: view.width * factor, height: view.height * factor };
  show();
}, { passive: false });
svg.addEventListener('pointermove', (event) => {
  if (event.buttons !== 1) return;
  const scale = view.width / svg.getBoundingClientRect().width;
  view.x -= event.movementX * scale;
  view.y -= event.movementY * scale;
  show();
});
svg.addEventListener('dblclick', () => { view = { ...all }; show(); });
`;
