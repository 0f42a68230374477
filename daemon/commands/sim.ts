import type { Command } from 'commander';
import { maxNodes } from '../../sim/plan.ts';
import { seconds, seedNumber, wholeNumber } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { wantsJson } from '../session.ts';
import { withJobs, withSeeds } from '../simulate/seed-runs.ts';
import { chosen, runSeeds, save, type SimFlags } from '../simulate/runs.ts';
import { addByzantineCommand } from './sim-byzantine.ts';
import { addGossipCommand } from './sim-gossip.ts';
import { addMutantsCommand } from './sim-mutants.ts';

const seedArgument = ['<seed>', 'the seed of a run', seedNumber] as const;
const milliseconds = wholeNumber(1, 86_400_000);

const withWorld = (command: Command): Command =>
  command
    .option(
      '--nodes <n>',
      'nodes of the cluster; by default what the scenario says, or 3 for even seeds and 5 for odd ones',
      wholeNumber(1, maxNodes),
    )
    .option('--steps <n>', 'simulated milliseconds with faults; by default what the scenario says, or 20000', milliseconds);

const withPictures = (command: Command): Command =>
  command
    .option('--svg <file>', 'draw the first failed run, or else the first, as an SVG file')
    .option('--html <file>', 'the same as a page, with a list of events');

/** `sim run|replay|shrink|byzantine|gossip|mutants|list`: the production node in a simulated world. No cluster is needed. */
export function addSimCommands(program: Command, context: Context): void {
  const sim = program.command('sim').description('the cluster in a deterministic world of faults');
  withPictures(withWorld(withJobs(withSeeds(sim.command('run'), 'run', 'seeds', 1))))
    .argument('[scenario]', 'a name of `sim list`, the file of a scenario, or `all`', 'random')
    .description('run seeds and check every invariant after every event; exit 8 unsafe, 9 stuck, 10 crash')
    .option('--canary', 'with an invariant that no run can keep: must end with exit 8, or nothing would be noticed')
    .action((name: string, flags: SimFlags, command: Command) => runSeeds(context, name, flags, wantsJson(command, context)));
  withPictures(withWorld(sim.command('replay')))
    .argument(...seedArgument)
    .argument('[scenario]', 'its scenario', 'random')
    .description('run one seed again and print every event')
    .option('--tla <file>', "the steps of every node's Raft as lines of JSON, for validation against a TLA+ specification")
    .action((seed: number, name: string, flags: SimFlags, command: Command) =>
      runSeeds(context, name, { ...flags, seed, seeds: 1, jobs: 1, trace: true }, wantsJson(command, context)),
    );
  withWorld(sim.command('shrink'))
    .argument(...seedArgument)
    .argument('[scenario]', 'its scenario', 'random')
    .description('make a failing run small: fewer faults, clients, nodes, less time; writes the scenario that is left')
    .option('--budget <seconds>', 'seconds that it may take', seconds, 60)
    .option('--out <file>', 'where the scenario goes; by default to the standard output')
    .action((seed: number, name: string, flags: ShrinkFlags) => shrinkSeed(context, seed, name, flags));
  addByzantineCommand(sim, context);
  addGossipCommand(sim, context);
  addMutantsCommand(sim, context);
  sim
    .command('list')
    .description('list the scenarios')
    .action(async () => {
      const { scenarios } = await import('../../sim/scenarios.ts');
      for (const [name, { title }] of scenarios) context.out(`${name.padEnd(18)} ${title}\n`);
    });
}

interface ShrinkFlags {
  readonly nodes?: number;
  readonly steps?: number;
  readonly budget: number;
  readonly out?: string;
}

async function shrinkSeed(context: Context, seed: number, name: string, flags: ShrinkFlags): Promise<void> {
  const { isFailure, run } = await import('../../sim/run.ts');
  const { shrink, scenarioFile } = await import('../../sim/shrink.ts');
  for (const [scenario, { plan: planOf }] of await chosen(name, flags)) {
    const plan = planOf(seed, flags.nodes, flags.steps);
    const found = run({ seed, scenario, plan });
    if (!isFailure(found.verdict))
      throw new CliError(
        exitCodes.error,
        `seed ${seed} of ${scenario} does not fail`,
        'give the seed, nodes and steps of a run that failed',
      );
    const untilMs = performance.now() + flags.budget * 1000;
    const shrunk = shrink(
      plan,
      found,
      (smaller) => run({ seed, scenario, plan: smaller }),
      () => performance.now() < untilMs && !context.interrupt.aborted,
    );
    const text = scenarioFile(shrunk);
    if (flags.out === undefined) context.out(text);
    else await save(flags.out, text);
    context.err(
      `${plan.steps.length} faults became ${shrunk.plan.steps.length}, ${found.counts.events} events ${shrunk.result.counts.events}, in ${shrunk.runs} runs\n`,
    );
  }
}
