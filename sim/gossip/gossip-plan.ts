import type { Random } from '../../src/core/random.ts';

export interface PlannedWrite {
  readonly atMs: number;
  readonly node: number;
  readonly key: number;
  readonly removes: boolean;
}

/** A world of gossip, drawn by seed: who writes what and when, and all that goes wrong. Nodes by index. */
export interface GossipPlan {
  readonly n: number;
  readonly keys: number;
  readonly chaosMs: number;
  readonly writes: readonly PlannedWrite[];
  /** From then on nodes of different groups don't hear each other. */
  readonly cuts: readonly { readonly atMs: number; readonly groups: readonly number[] }[];
  readonly crashes: readonly { readonly atMs: number; readonly node: number; readonly downMs: number }[];
  /** Percent of messages. */
  readonly loss: number;
  readonly doubled: number;
  /** Percent that come late, by up to `lateMs`. */
  readonly late: number;
  readonly lateMs: number;
  readonly maxDelayMs: number;
  /** How far each node's wall clock is ahead. */
  readonly clockOffsetsMs: readonly number[];
  /** Forges, tampers and replays. */
  readonly liar: number | undefined;
  /** Between its lies, at most. */
  readonly liarPauseMs: number;
}

/** More would be concurrent than a key may have values. */
const maxWritersPerKey = 4;

export function drawGossipPlan(random: Random, nodes?: number): GossipPlan {
  const below = (bound: number): number => random.below(bound);
  const chance = (percent: number): boolean => below(100) < percent;
  const n = nodes ?? 2 + below(6);
  const keys = 1 + below(12);
  const chaosMs = chance(30) ? 70_000 + below(100_000) : 1000 + below(8000);
  const liar = n > 2 && chance(30) ? below(n) : undefined;
  const writers = Array.from({ length: keys }, (_, key) => [key % n, ...Array.from({ length: maxWritersPerKey - 1 }, () => below(n))]);
  const isBusy = chance(50);
  const writes = Array.from({ length: 5 + below(isBusy ? 150 : 40) }, (): PlannedWrite => {
    const key = below(keys);
    // Bursts, so that some are concurrent and some share a batch.
    const atMs = isBusy && chance(50) ? Math.floor(below(chaosMs) / 500) * 500 + below(20) : below(chaosMs);
    return { atMs, node: writers[key]?.[below(maxWritersPerKey)] ?? 0, key, removes: chance(15) };
  }).toSorted((a, b) => a.atMs - b.atMs);
  const cuts = Array.from({ length: below(5) }, () => ({
    atMs: below(chaosMs),
    groups: Array.from({ length: n }, () => (chance(30) ? 0 : below(3))),
  })).toSorted((a, b) => a.atMs - b.atMs);
  const crashes = chance(60)
    ? Array.from({ length: 1 + below(4) }, () => ({ atMs: below(chaosMs), node: below(n), downMs: 10 + below(5000) })).filter(
        ({ node }) => node !== liar,
      )
    : [];
  return {
    n,
    keys,
    chaosMs,
    writes,
    cuts,
    crashes,
    loss: chance(60) ? below(40) : 0,
    doubled: chance(40) ? below(30) : 0,
    late: chance(30) ? below(10) : 0,
    lateMs: 100 + below(30_000),
    maxDelayMs: 1 + below(chance(30) ? 300 : 20),
    clockOffsetsMs: Array.from({ length: n }, () => (chance(30) ? below(20_000) - 10_000 : below(100))),
    liar,
    liarPauseMs: chance(50) ? 100 : 2000,
  };
}
