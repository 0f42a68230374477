import type { NodeId } from '../core/ids.ts';

/**
 * One write of one node: its name among all writes there ever are. The counter is `boot * 2^32 + number`, so a node that forgot all but its count of
 * starts does not use a dot again.
 */
export interface Dot {
  readonly node: NodeId;
  readonly counter: number;
}

/** Highest dot of each node that a value builds on, by node ascending, each node once: a version vector (Parker et al. 1983). */
export type VersionVector = readonly Dot[];

/** Writes of one start of a node: at 5,000 a second they last for ten days, then `writeNumber` fails rather than count on. */
const writesPerBoot = 2 ** 32;
/** The largest count of starts: the counter stays a whole number that JavaScript can hold. */
export const maxBoot = 2 ** 21 - 1;
export const maxCounter = (maxBoot + 1) * writesPerBoot - 1;

export const bootOf = (counter: number): number => Math.floor(counter / writesPerBoot);
/** Of a write within its boot, from 1. */
export const numberOf = (counter: number): number => counter % writesPerBoot;
/** @param number from 0, "no write yet", below 2^32. */
export const counterOf = (boot: number, number: number): number => boot * writesPerBoot + number;

export const isSameDot = (a: Dot, b: Dot): boolean => a.counter === b.counter && a.node === b.node;

/** Dots of different nodes, in the order of a vector. */
export const vectorOf = (dots: readonly Dot[]): VersionVector => dots.toSorted((a, b) => (a.node < b.node ? -1 : 1));

/** What a vector holds of a node; 0 when nothing. */
export function heldOf(vector: VersionVector, node: NodeId): number {
  for (const dot of vector) if (dot.node === node) return dot.counter;
  return 0;
}

export const covers = (vector: VersionVector, dot: Dot): boolean => heldOf(vector, dot.node) >= dot.counter;

/** The pointwise maximum. Gives back `a` itself when `b` adds nothing. */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  if (b.every((dot) => covers(a, dot))) return a;
  const joined = a.map((dot) => b.find((other) => other.node === dot.node && other.counter > dot.counter) ?? dot);
  for (const dot of b) if (heldOf(a, dot.node) === 0) joined.push(dot);
  return vectorOf(joined);
}
