import type { NodeId } from '../core/ids.ts';

/** By what a peer was found wanting. `connection`: its connection closed; `probe`: neither it nor who probed it for us answered; `told`: others say so. */
export type Measure = 'phi' | 'silence' | 'connection' | 'probe' | 'told';

/** Why a peer is suspected or given up: who says it of whom, and by which measure. */
export interface Evidence {
  readonly accused: NodeId;
  readonly accuser: NodeId;
  readonly measure: Measure;
  /** What was measured, and the bound that it passed, in the measure's unit: phi, or milliseconds; for `told` how many say so, and of how many. */
  readonly value: number;
  readonly bound: number;
  /** In time in which the accuser listened. */
  readonly silenceMs: number;
  /** The accuser's own health then (0 is well). */
  readonly score: number;
  readonly atMs: number;
}
