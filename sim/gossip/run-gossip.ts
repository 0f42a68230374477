import { SeededRandom } from '../../src/core/random.ts';
import { Violation } from '../violation.ts';
import { drawGossipPlan } from './gossip-plan.ts';
import { type GossipCounts, GossipWorld } from './gossip-world.ts';

export interface GossipResult {
  readonly seed: number;
  readonly n: number;
  readonly verdict: 'ok' | 'unsafe' | 'stuck' | 'crash';
  /** What broke, in words. */
  readonly violation: string | undefined;
  /** The name of the invariant that broke. */
  readonly invariant: string | undefined;
  readonly traceHash: string;
  /** From the end of the faults until all agreed. */
  readonly calmMs: number;
  readonly counts: GossipCounts & { readonly events: number };
}

/** Whoever was made mute is heard again after a minute. */
const calmLimitMs = 90_000;
/** Beyond it no tombstone is left that all have seen. */
const quietMs = 70_000;

/** Draws a world from the seed: faults on, then faults off until all agree, then quiet. */
export function runGossip(seed: number, nodes?: number, onLine?: (line: string) => void): GossipResult {
  const plan = drawGossipPlan(new SeededRandom(seed), nodes);
  const world = new GossipWorld(plan, new SeededRandom(seed + 1), onLine);
  let [verdict, violation, invariant]: [GossipResult['verdict'], string | undefined, string | undefined] = ['ok', undefined, undefined];
  let calmFromUs = 0;
  let calmMs = 0;
  try {
    world.runChaos();
    calmFromUs = world.queue.nowUs;
    const isCalm = world.runCalm(calmLimitMs);
    calmMs = (world.queue.nowUs - calmFromUs) / 1000;
    if (isCalm) world.runOn(quietMs);
    else [verdict, violation, invariant] = ['stuck', `not all agree: ${world.difference()}`, 'converged'];
  } catch (error) {
    if (error instanceof Violation) [verdict, violation, invariant] = ['unsafe', error.message, error.invariant];
    else [verdict, violation] = ['crash', error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
  const counts = { ...world.counts, events: world.trace.count };
  return { seed, n: plan.n, verdict, violation, invariant, traceHash: world.trace.hash(), calmMs, counts };
}
