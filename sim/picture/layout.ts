import type { Recording } from './recording.ts';

/** Where things are, in pixels. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Edges of the time axis. */
  readonly left: number;
  readonly right: number;
  readonly lanesTop: number;
  readonly lanesBottom: number;
  readonly laneHeight: number;
  readonly commitTop: number;
  readonly commitHeight: number;
  readonly axisY: number;
  readonly legendY: number;
  readonly endUs: number;
  readonly laneTop: (node: number) => number;
  /** Time to place. */
  readonly x: (atUs: number) => number;
}

const laneHeight = 54;
const laneGap = 12;

export function layoutOf({ nodes, endUs, violation }: Recording): Layout {
  const width = 1400;
  const left = 72;
  const right = width - 64;
  // The flag of a violation needs a row of its own.
  const lanesTop = violation === undefined ? 112 : 150;
  const lanesBottom = lanesTop + nodes.length * (laneHeight + laneGap) - laneGap;
  const commitTop = lanesBottom + 18;
  const commitHeight = 84;
  const axisY = commitTop + commitHeight + 4;
  const scale = (right - left) / Math.max(endUs, 1);
  return {
    width,
    height: axisY + 72,
    left,
    right,
    lanesTop,
    lanesBottom,
    laneHeight,
    commitTop,
    commitHeight,
    axisY,
    legendY: axisY + 50,
    endUs,
    laneTop: (node) => lanesTop + node * (laneHeight + laneGap),
    x: (atUs) => left + atUs * scale,
  };
}
