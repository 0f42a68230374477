import type { Command } from 'commander';
import type { VoteResult } from '../../sim/byzantine/run-vote.ts';
import { wholeNumber } from '../arguments.ts';
import { usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { withJobs, withSeeds } from '../simulate/seed-runs.ts';
import { wantsJson } from '../session.ts';
import { failWith } from '../simulate/verdicts.ts';
import { runVotes, runVotesInProcesses, sameVotes, type VoteFlags } from '../simulate/vote-runs.ts';
import { VoteTotals } from '../simulate/vote-totals.ts';

/** `sim byzantine`: Byzantine votes among members that lie. */
export function addByzantineCommand(sim: Command, context: Context): void {
  withJobs(withSeeds(sim.command('byzantine'), 'vote', 'votes', 1000))
    .description('votes with lying members: twins, liars, amnesia, silence, crashes and cuts; exit 8 unsafe, 9 stuck, 10 crash')
    .option('--nodes <n>', 'members of each vote; by default 4, 5, 6, 7 or 10, by the seed', wholeNumber(4, 16))
    .option(
      '--faulty <n>',
      'how many of them lie; by default as many as may, or sometimes fewer. With one more, forks are to be found',
      wholeNumber(0, 15),
    )
    .option('--twins', 'instead of drawn votes every one of 4,096: four members, one of them twins, through two views')
    .option(
      '--frames',
      "all down to the frames, with the node's driver, keys and MACs; by default one seed of 127, for it takes as long as a hundred",
    )
    .option('--progress <n>', 'a line on stderr after each n votes', wholeNumber(1, 1_000_000_000))
    .action((flags: VoteFlags, command: Command) => hold(context, flags, wantsJson(command, context)));
}

async function hold(context: Context, flags: VoteFlags, json: boolean): Promise<void> {
  const { nodes = 4, faulty = 0, jobs, progress } = flags;
  if (faulty >= nodes) throw usageError(`--faulty is ${faulty}`, 'at least one member must be honest');
  if (jobs > 1 && (flags.trace === true || flags.twins === true))
    throw usageError('--trace and --twins need a process of their own', 'leave out --jobs');
  const startedMs = performance.now();
  const totals = new VoteTotals();
  const report = (result: VoteResult): boolean => {
    totals.add(result);
    if (json) context.out(`${JSON.stringify(result)}\n`);
    else if (result.verdict !== 'ok') context.out(`${describe(result, flags)}\n`);
    if (progress !== undefined && totals.votes % progress === 0) context.err(`${totals.progress(performance.now() - startedMs)}\n`);
    return flags.firstFailure !== true || result.verdict === 'ok';
  };
  await (jobs > 1 ? runVotesInProcesses : runVotes)(context, flags, report);
  if (!json) context.out(`${totals.summary(performance.now() - startedMs)}\n`);
  failWith(totals.worst, `${totals.failed} of ${totals.votes} votes failed`, (worst) => again(worst, flags));
}

const describe = (r: VoteResult, flags: VoteFlags): string =>
  `seed ${r.seed}, ${r.n} members: ${r.verdict}: ${r.violation ?? ''}\n  again: ${again(r, flags)}`;

function again({ seed }: VoteResult, flags: VoteFlags): string {
  if (flags.twins === true) return 'quorate sim byzantine --twins --first-failure';
  return ['quorate sim byzantine --seeds 1 --seed', seed, ...sameVotes(flags), '--trace'].join(' ');
}
