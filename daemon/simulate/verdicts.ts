import type { Verdict } from '../../sim/run.ts';
import { CliError } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';

interface Judged {
  readonly verdict: Verdict;
}

/** What is told first of several simulated runs, and by which exit code. */
const rank: Readonly<Record<Verdict, number>> = { ok: 0, 'no-quorum': 0, stuck: 1, unsafe: 2, crash: 3 };

const exitCodeOf = { stuck: exitCodes.stuck, unsafe: exitCodes.unhealthy, crash: exitCodes.crashed } as const;

/** Of two runs the one that is told: the later only if it failed in a worse way. */
export const worse = <R extends Judged>(one: R | undefined, other: R): R | undefined =>
  rank[other.verdict] > rank[one?.verdict ?? 'ok'] ? other : one;

/** The failed run that is told: the worst kind, and of that the first. Undefined when none failed. */
export const worstOf = <R extends Judged>(results: readonly R[]): R | undefined => results.reduce<R | undefined>(worse, undefined);

/** Ends the command if a run failed. `again`: how to see it. @throws CliError with the exit code of its verdict. */
export function failWith<R extends Judged>(worst: R | undefined, why: string, again: (worst: R) => string): void {
  if (worst === undefined || worst.verdict === 'ok' || worst.verdict === 'no-quorum') return;
  throw new CliError(exitCodeOf[worst.verdict], why, again(worst));
}
