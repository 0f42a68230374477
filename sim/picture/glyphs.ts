import { element, short } from './markup.ts';

/** The small signs on a lane, each around its centre. */
export const glyphs = {
  crash: (x: number, y: number): string => {
    const [l, r, t, b] = [short(x - 4.5), short(x + 4.5), short(y - 4.5), short(y + 4.5)];
    return element('path', { class: 'crash', d: `M${l} ${t}L${r} ${b}M${r} ${t}L${l} ${b}` });
  },
  start: (x: number, y: number): string =>
    element('path', { class: 'start', d: `M${short(x - 4)} ${short(y - 5)}L${short(x + 5)} ${short(y)}L${short(x - 4)} ${short(y + 5)}Z` }),
  clock: (x: number, y: number): string =>
    `${element('circle', { class: 'ink', cx: x, cy: y, r: 5 })}${element('path', { class: 'ink', d: `M${short(x)} ${short(y - 3)}V${short(y)}H${short(x + 2.5)}` })}`,
  snapshot: (x: number, y: number): string =>
    element('path', { class: 'snap', d: `M${short(x)} ${short(y - 3.2)}l3.2 3.2l-3.2 3.2l-3.2 -3.2Z` }),
  disk: (x: number, y: number): string =>
    element('path', { class: 'ink', d: `M${short(x - 5)} ${short(y - 3)}a5 2 0 0 1 10 0v6a5 2 0 0 1 -10 0Za5 2 0 0 0 10 0` }),
} as const;
