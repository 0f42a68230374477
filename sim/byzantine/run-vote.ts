import { InvariantError } from '../../src/core/assert.ts';
import { SeededRandom } from '../../src/core/random.ts';
import { expired, split } from '../../src/byzantine/witness.ts';
import { Violation } from '../violation.ts';
import type { VotePlan, VoteSettings } from './vote-plan.ts';
import { drawVotePlan } from './vote-plan.ts';
import type { VoteCounts } from './vote-world.ts';
import { VoteWorld } from './vote-world.ts';
import { FrameWorld } from './frames/frame-world.ts';

/** What is simulated: the engine alone, or the node's driver with keys, bytes, frames and MACs, which takes as long as a hundred. */
export type VoteDepth = 'engine' | 'frames';

export interface VoteResult {
  readonly seed: number;
  readonly n: number;
  readonly depth: VoteDepth;
  readonly verdict: 'ok' | 'unsafe' | 'stuck' | 'crash';
  /** What broke, in words. */
  readonly violation: string | undefined;
  /** The name of the invariant that broke. */
  readonly invariant: string | undefined;
  readonly traceHash: string;
  /** Of the first item. */
  readonly outcome: 'option' | 'split' | 'expired' | undefined;
  readonly highestView: number;
  /** From the end of the faults to the last honest member's decision. */
  readonly calmMs: number;
  readonly counts: VoteCounts & { readonly events: number };
  /** Of lies that were noticed. */
  readonly evidence: readonly string[];
}

/** Virtual time in which honest members must decide once the network is calm: a deadline, and the views of F liars at 10 seconds each, and some more. */
const calmLimitMs = 120_000;

/** Draws a vote from the seed and runs it. */
export const runVote = (seed: number, settings: VoteSettings, depth: VoteDepth = 'engine', onLine?: (line: string) => void): VoteResult =>
  runVotePlan(seed, drawVotePlan(new SeededRandom(seed), settings), depth, onLine);

/** Faults on, and no honest member may ever do wrong; then faults off, and all of them must decide. */
export function runVotePlan(seed: number, plan: VotePlan, depth: VoteDepth = 'engine', onLine?: (line: string) => void): VoteResult {
  const World = depth === 'engine' ? VoteWorld : FrameWorld;
  const world = new World(plan, new SeededRandom(seed + 1), onLine);
  let [verdict, violation, invariant]: [VoteResult['verdict'], string | undefined, string | undefined] = ['ok', undefined, undefined];
  let calmFromUs = 0;
  try {
    world.runChaos();
    calmFromUs = world.queue.nowUs;
    if (!world.runCalm(calmLimitMs)) [verdict, violation, invariant] = ['stuck', 'not all honest members have decided', 'decides-in-time'];
  } catch (error) {
    const isLate = error instanceof Violation && error.invariant === 'decides-in-time';
    if (error instanceof Violation) [verdict, violation, invariant] = [isLate ? 'stuck' : 'unsafe', error.message, error.invariant];
    else [verdict, violation] = ['crash', wordsOf(error)];
  }
  const first = world.outcome?.[0];
  return {
    seed,
    n: plan.n,
    depth,
    verdict,
    violation,
    invariant,
    traceHash: world.trace.hash(),
    outcome: first === undefined ? undefined : first === split ? 'split' : first === expired ? 'expired' : 'option',
    highestView: world.highestView,
    calmMs: (world.queue.nowUs - calmFromUs) / 1000,
    counts: { ...world.counts, events: world.trace.count },
    evidence: [...world.evidence],
  };
}

function wordsOf(error: unknown): string {
  if (error instanceof InvariantError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
