import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Recording } from '../../sim/picture/recording.ts';
import type { RunCounts, RunResult } from '../../sim/run.ts';
import type { Scenario } from '../../sim/scenarios.ts';
import { CliError, messageOf, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { addByzantineCommand } from './sim-byzantine.ts';
import { addMutantsCommand } from './sim-mutants.ts';

const exitCodeOf = { unsafe: exitCodes.unhealthy, stuck: exitCodes.stuck, crash: exitCodes.crashed } as const;

const svgHelp = 'draw the first failed run, or else the first, as an SVG file';
const htmlHelp = 'the same as a page, with a list of events';

/** `sim run|replay|shrink|byzantine|mutants|list`: the production node in a simulated world. No cluster is needed. */
export function addSimCommands(program: Command, context: Context): void {
  const sim = program.command('sim').description('the cluster in a deterministic world of faults');
  sim
    .command('run')
    .argument('[scenario]', 'a name of `sim list`, the file of a scenario, or `all`', 'random')
    .description('run seeds and check every invariant after every event; exit 8 unsafe, 9 stuck, 10 crash')
    .option('--seed <n>', 'the first seed', whole, 1)
    .option('--seeds <n>', 'how many seeds', whole, 1)
    .option('--nodes <n>', 'nodes of the cluster; by default what the scenario says, or 3 for even seeds and 5 for odd ones', whole)
    .option('--steps <n>', 'simulated milliseconds with faults; by default what the scenario says, or 20000', whole)
    .option('--first-failure', 'end with the first run that fails')
    .option('--canary', 'with an invariant that no run can keep: must end with exit 8, or nothing would be noticed')
    .option('--trace', 'print every event')
    .option('--svg <file>', svgHelp)
    .option('--html <file>', htmlHelp)
    .action((name: string, flags: SimFlags, command: Command) => runSeeds(context, name, flags, wantsJson(command)));
  sim
    .command('replay')
    .argument('<seed>', 'the seed of a run', whole)
    .argument('[scenario]', 'its scenario', 'random')
    .description('run one seed again and print every event')
    .option('--nodes <n>', 'nodes of the cluster', whole)
    .option('--steps <n>', 'simulated milliseconds with faults', whole)
    .option('--svg <file>', svgHelp)
    .option('--html <file>', htmlHelp)
    .action((seed: number, name: string, flags: SimFlags, command: Command) =>
      runSeeds(context, name, { ...flags, seed, seeds: 1, trace: true }, wantsJson(command)),
    );
  sim
    .command('shrink')
    .argument('<seed>', 'the seed of a run that failed', whole)
    .argument('[scenario]', 'its scenario', 'random')
    .description('make a failing run small: fewer faults, clients, nodes, less time; writes the scenario that is left')
    .option('--nodes <n>', 'nodes of the cluster', whole)
    .option('--steps <n>', 'simulated milliseconds with faults', whole)
    .option('--budget <seconds>', 'seconds that it may take', whole, 60)
    .option('--out <file>', 'where the scenario goes; by default to the standard output')
    .action((seed: number, name: string, flags: ShrinkFlags) => shrinkSeed(context, seed, name, flags));
  addByzantineCommand(sim, context, whole);
  addMutantsCommand(sim, context, whole);
  sim
    .command('list')
    .description('list the scenarios')
    .action(async () => {
      const { scenarios } = await import('../../sim/scenarios.ts');
      for (const [name, { title }] of scenarios) context.out(`${name.padEnd(18)} ${title}\n`);
    });
}

interface SimFlags {
  readonly seed: number;
  readonly seeds: number;
  readonly nodes?: number;
  readonly steps?: number;
  readonly firstFailure?: boolean;
  readonly canary?: boolean;
  readonly trace?: boolean;
  readonly svg?: string;
  readonly html?: string;
}

interface ShrinkFlags {
  readonly nodes?: number;
  readonly steps?: number;
  readonly budget: number;
  readonly out?: string;
}

/** By name, or from a file: a name with a dot or a slash is a file's. */
async function chosen(name: string): Promise<ReadonlyMap<string, Scenario>> {
  const { scenarios, scenarioOf } = await import('../../sim/scenarios.ts');
  const { ScenarioError } = await import('../../sim/plan-text.ts');
  if (name === 'all') return scenarios;
  const known = scenarios.get(name);
  if (known !== undefined) return new Map([[name, known]]);
  if (!/[./]/.test(name)) throw usageError(`there is no scenario ${name}`, '`quorate sim list` names them all');
  try {
    return new Map([[name, scenarioOf(readFileSync(name, 'utf8'))]]);
  } catch (error) {
    if (error instanceof ScenarioError) throw usageError(`${name}: ${error.message}`, 'docs/simulator.md describes the language');
    throw usageError(
      `${name} can't be read (${error instanceof Error ? error.message : String(error)})`,
      '`quorate sim list` names the built-in scenarios',
    );
  }
}

async function shrinkSeed(context: Context, seed: number, name: string, flags: ShrinkFlags): Promise<void> {
  const { isFailure, run } = await import('../../sim/run.ts');
  const { shrink, scenarioFile } = await import('../../sim/shrink.ts');
  for (const [scenario, { plan: planOf }] of await chosen(name)) {
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

async function runSeeds(context: Context, name: string, flags: SimFlags, json: boolean): Promise<void> {
  const { isFailure, run } = await import('../../sim/run.ts');
  const { Recorder, recordingOf } = await import('../../sim/picture/recording.ts');
  const print = (line: string): void => context.out(`${line}\n`);
  const startedMs = performance.now();
  const results: RunResult[] = [];
  const hasFailed = (): boolean => flags.firstFailure === true && results.some(({ verdict }) => isFailure(verdict));
  const isDrawn = flags.svg !== undefined || flags.html !== undefined;
  let drawn: Recording | undefined;
  for (const [scenario, { plan: planOf }] of await chosen(name)) {
    for (let seed = flags.seed; seed < flags.seed + flags.seeds; seed++) {
      if (context.interrupt.aborted || hasFailed()) break;
      const plan = planOf(seed, flags.nodes, flags.steps);
      const seedStartedMs = performance.now();
      // The first failed run, or else the first.
      const recorder = isDrawn && (drawn === undefined || !isFailure(drawn.verdict)) ? new Recorder() : undefined;
      const onLine = flags.trace === true ? print : undefined;
      const result = run({ seed, scenario, plan, onLine, onMark: recorder?.add, canary: flags.canary });
      if (recorder !== undefined && (drawn === undefined || isFailure(result.verdict))) drawn = recordingOf(result, plan, recorder);
      results.push(result);
      if (json) print(JSON.stringify({ ...result, wallMs: Math.round(performance.now() - seedStartedMs) }));
      else if (result.verdict !== 'ok') print(describe(result, flags));
      // Lets a Ctrl-C be heard.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  if (!json) print(summary(results, performance.now() - startedMs));
  const bad = results.filter(({ verdict }) => isFailure(verdict));
  const worst = bad.find(({ verdict }) => verdict === 'crash') ?? bad.find(({ verdict }) => verdict === 'unsafe') ?? bad[0];
  try {
    if (drawn !== undefined) await draw(drawn, flags);
  } catch (error) {
    // A failed run says more than a file that can't be written.
    if (worst === undefined) throw error;
    context.err(`${messageOf(error)}\n`);
  }
  if (worst === undefined || worst.verdict === 'ok' || worst.verdict === 'no-quorum') return;
  throw new CliError(
    exitCodeOf[worst.verdict],
    `${bad.length} of ${results.length} runs failed`,
    `quorate sim replay ${worst.seed} ${worst.scenario}`,
  );
}

async function draw(recording: Recording, { svg, html }: SimFlags): Promise<void> {
  if (svg !== undefined) await save(svg, `${(await import('../../sim/picture/svg.ts')).drawSvg(recording)}\n`);
  if (html !== undefined) await save(html, (await import('../../sim/picture/html.ts')).drawHtml(recording));
}

async function save(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new CliError(exitCodes.error, `the file can't be written to ${path}: ${messageOf(error)}`, 'name a file in a folder that exists');
  }
}

function describe(r: RunResult, { nodes, steps }: SimFlags): string {
  const flags = `${nodes === undefined ? '' : ` --nodes ${nodes}`}${steps === undefined ? '' : ` --steps ${steps}`}`;
  return `seed ${r.seed} ${r.scenario}: ${r.verdict}: ${r.violation ?? ''}\n  again: quorate sim replay ${r.seed} ${r.scenario}${flags}`;
}

/** What is counted over all runs, and what it is called: too little of something, and the runs prove little. */
const summed: readonly (readonly [name: keyof RunCounts, words: string])[] = [
  ['elections', 'elections'],
  ['commits', 'entries committed'],
  ['writes', 'writes'],
  ['reads', 'reads'],
  ['completions', 'tasks completed'],
  ['failures', 'failed'],
  ['snapshots', 'snapshots'],
  ['installs', 'installed'],
  ['configurationChanges', 'configuration changes'],
  ['crashes', 'crashes'],
  ['partitions', 'partitions'],
  ['diskFailures', 'failed disks'],
  ['lostDisks', 'lost disks'],
  ['bitFlips', 'flipped bits'],
  ['repairedDisks', 'repaired'],
  ['gaveUp', 'histories not judged'],
];

function summary(results: readonly RunResult[], wallMs: number): string {
  const sum = (of: (r: RunResult) => number): number => results.reduce((total, r) => total + of(r), 0);
  const good = sum(({ verdict }) => Number(verdict === 'ok'));
  const withoutQuorum = sum(({ verdict }) => Number(verdict === 'no-quorum'));
  const simulatedMs = sum((r) => r.simulatedMs);
  const counts = summed.map(([name, words]) => `${sum((r) => r.counts[name])} ${words}`).join(', ');
  const transitions = new Set(results.flatMap((r) => r.transitions)).size;
  const hash = results.length === 1 ? `\ntrace ${results[0]?.traceHash ?? ''}` : '';
  return [
    `${good} of ${results.length} runs ok${withoutQuorum === 0 ? '' : `, ${withoutQuorum} had no quorum to heal`}: ${counts}; ${transitions} kinds of transition`,
    `${(simulatedMs / 1000).toFixed(0)} simulated seconds in ${(wallMs / 1000).toFixed(1)} s: ${(simulatedMs / wallMs).toFixed(0)} to 1${hash}`,
  ].join('\n');
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || text === '') throw usageError(`${text} is not a whole number`);
  return value;
}

const wantsJson = (command: Command): boolean => command.optsWithGlobals<{ output?: string }>().output === 'json';
