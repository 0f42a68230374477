import type { VoteDepth, VoteResult } from '../../sim/byzantine/run-vote.ts';
import type { VotePlan } from '../../sim/byzantine/vote-plan.ts';
import type { Context } from '../context.ts';
import { type JobFlags, seedsInProcesses } from './seed-runs.ts';

export interface VoteFlags extends JobFlags {
  readonly nodes?: number;
  readonly faulty?: number;
  readonly twins?: boolean;
  readonly frames?: boolean;
  readonly progress?: number;
}

/** Drawn by seed when the number of members is not given. */
const sizes = [4, 7, 4, 5, 4, 10, 4, 6] as const;

/** Of so many seeds one is simulated down to the frames: it takes as long as a hundred others. A prime, so that it meets all numbers of members. */
const framesEvery = 127;

/** The flags that make another process hold the same votes. */
export const sameVotes = ({ nodes, faulty, frames }: VoteFlags): string[] => [
  ...(nodes === undefined ? [] : ['--nodes', String(nodes)]),
  ...(faulty === undefined ? [] : ['--faulty', String(faulty)]),
  ...(frames === true ? ['--frames'] : []),
];

/** Holds the votes here, one after the other, until `report` has enough. */
export async function runVotes(context: Context, flags: VoteFlags, report: (result: VoteResult) => boolean): Promise<void> {
  const { runVotePlan } = await import('../../sim/byzantine/run-vote.ts');
  const onLine = flags.trace === true ? (line: string) => context.out(`${line}\n`) : undefined;
  let held = 0;
  for await (const [seed, plan, depth] of plansOf(flags)) {
    if (context.interrupt.aborted || !report(runVotePlan(seed, plan, depth, onLine))) return;
    // Lets a Ctrl-C be heard.
    if (++held % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function* plansOf({ twins, frames, seed, seeds, nodes, faulty }: VoteFlags): AsyncGenerator<[number, VotePlan, VoteDepth]> {
  if (twins === true) {
    const { twinRounds } = await import('../../sim/byzantine/twin-rounds.ts');
    let place = 0;
    for (const plan of twinRounds()) yield [place++, plan, frames === true ? 'frames' : 'engine'];
    return;
  }
  const { drawVotePlan } = await import('../../sim/byzantine/vote-plan.ts');
  const { SeededRandom } = await import('../../src/core/random.ts');
  for (let one = seed; one < seed + seeds; one++) {
    const n = nodes ?? sizes[one % sizes.length] ?? 4;
    yield [one, drawVotePlan(new SeededRandom(one), { n, faulty }), frames === true || one % framesEvery === 0 ? 'frames' : 'engine'];
  }
}

const parseResult: (line: string) => VoteResult = JSON.parse;

/** Holds them in as many processes as there are jobs. */
export const runVotesInProcesses = (context: Context, flags: VoteFlags, report: (result: VoteResult) => boolean): Promise<void> =>
  seedsInProcesses(context, flags, {
    command: ['sim', 'byzantine'],
    flags: sameVotes(flags),
    things: 'votes',
    // What another process of this program wrote.
    onLine: (line) => report(parseResult(line)),
  });
