import type { Command } from 'commander';
import type { VoteResult } from '../../sim/byzantine/run-vote.ts';
import type { VotePlan } from '../../sim/byzantine/vote-plan.ts';
import { seedNumber, wholeNumber } from '../arguments.ts';
import { CliError, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { wantsJson } from '../session.ts';

interface VoteFlags {
  readonly scenarios: number;
  readonly seed: number;
  readonly nodes?: number;
  readonly faulty?: number;
  readonly twins?: boolean;
  readonly firstFailure?: boolean;
  readonly trace?: boolean;
}

const exitCodeOf = { unsafe: exitCodes.unhealthy, stuck: exitCodes.stuck, crash: exitCodes.crashed } as const;

/** Drawn by seed when the number of members is not given. */
const sizes = [4, 7, 4, 5, 4, 10, 4, 6] as const;

/** `sim byzantine`: the engine of Byzantine votes among members that lie. */
export function addByzantineCommand(sim: Command, context: Context): void {
  sim
    .command('byzantine')
    .description('votes with lying members: twins, liars, amnesia, silence, crashes and cuts; exit 8 unsafe, 9 stuck, 10 crash')
    .option('--scenarios <n>', 'how many votes', wholeNumber(1, 1_000_000_000), 1000)
    .option('--seed <n>', 'the first seed', seedNumber, 1)
    .option('--nodes <n>', 'members of each vote; by default 4, 5, 6, 7 or 10, by the seed', wholeNumber(4, 16))
    .option(
      '--faulty <n>',
      'how many of them lie; by default as many as may, or sometimes fewer. With one more, forks are to be found',
      wholeNumber(0, 15),
    )
    .option('--twins', 'instead of drawn votes every one of 4,096: four members, one of them twins, through two views')
    .option('--first-failure', 'end with the first vote that fails')
    .option('--trace', 'print every event')
    .action((flags: VoteFlags, command: Command) => runVotes(context, flags, wantsJson(command, context)));
}

async function runVotes(context: Context, flags: VoteFlags, json: boolean): Promise<void> {
  const { nodes = 4, faulty = 0 } = flags;
  if (faulty >= nodes) throw usageError(`--faulty is ${faulty}`, 'at least one member must be honest');
  const { runVotePlan } = await import('../../sim/byzantine/run-vote.ts');
  const onLine = flags.trace === true ? (line: string) => context.out(`${line}\n`) : undefined;
  const startedMs = performance.now();
  const results: VoteResult[] = [];
  for await (const [seed, plan] of plansOf(flags)) {
    if (context.interrupt.aborted) break;
    const result = runVotePlan(seed, plan, onLine);
    results.push(result);
    if (json) context.out(`${JSON.stringify(result)}\n`);
    else if (result.verdict !== 'ok') context.out(`${describe(result, flags)}\n`);
    if (flags.firstFailure === true && result.verdict !== 'ok') break;
    // Lets a Ctrl-C be heard.
    if (results.length % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  if (!json) context.out(`${summary(results, performance.now() - startedMs)}\n`);
  const bad = results.filter(({ verdict }) => verdict !== 'ok');
  const worst = bad.find(({ verdict }) => verdict === 'crash') ?? bad.find(({ verdict }) => verdict === 'unsafe') ?? bad[0];
  if (worst === undefined || worst.verdict === 'ok') return;
  throw new CliError(exitCodeOf[worst.verdict], `${bad.length} of ${results.length} votes failed`, again(worst, flags));
}

async function* plansOf({ twins, seed, scenarios, nodes, faulty }: VoteFlags): AsyncGenerator<[number, VotePlan]> {
  if (twins === true) {
    const { twinRounds } = await import('../../sim/byzantine/twin-rounds.ts');
    let place = 0;
    for (const plan of twinRounds()) yield [place++, plan];
    return;
  }
  const { drawVotePlan } = await import('../../sim/byzantine/vote-plan.ts');
  const { SeededRandom } = await import('../../src/core/random.ts');
  for (let one = seed; one < seed + scenarios; one++) {
    const n = nodes ?? sizes[one % sizes.length] ?? 4;
    yield [one, drawVotePlan(new SeededRandom(one), { n, faulty })];
  }
}

const describe = (r: VoteResult, flags: VoteFlags): string =>
  `seed ${r.seed}, ${r.n} members: ${r.verdict}: ${r.violation ?? ''}\n  again: ${again(r, flags)}`;

function again({ seed }: VoteResult, { nodes, faulty, twins }: VoteFlags): string {
  if (twins === true) return 'quorate sim byzantine --twins --first-failure';
  const more = `${nodes === undefined ? '' : ` --nodes ${nodes}`}${faulty === undefined ? '' : ` --faulty ${faulty}`}`;
  return `quorate sim byzantine --scenarios 1 --seed ${seed}${more} --trace`;
}

function summary(results: readonly VoteResult[], wallMs: number): string {
  const sum = (of: (r: VoteResult) => number): number => results.reduce((total, r) => total + of(r), 0);
  const counted = (name: VoteResult['outcome']): number => sum(({ outcome }) => Number(outcome === name));
  const calm = results.map(({ calmMs }) => calmMs).toSorted((a, b) => a - b);
  const at = (part: number): string => (calm[Math.floor((calm.length - 1) * part)] ?? 0).toFixed(0);
  return [
    `${sum(({ verdict }) => Number(verdict === 'ok'))} of ${results.length} votes ok: ${counted('option')} for an option, ${counted('split')} split, ${counted('expired')} expired`,
    `${sum((r) => r.counts.messages)} messages, ${sum((r) => r.counts.lost)} lost, ${sum((r) => r.counts.crashes)} crashes, ${sum((r) => r.counts.writes)} writes, ${sum((r) => r.counts.evidence)} lies noticed; highest view ${Math.max(0, ...results.map((r) => r.highestView))}`,
    `decided ${at(0.5)} ms after the faults at the median, ${at(0.99)} ms at p99, ${at(1)} ms at worst`,
    `${(results.length / (wallMs / 1000)).toFixed(0)} votes a second`,
  ].join('\n');
}
