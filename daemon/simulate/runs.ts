import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type Recording } from '../../sim/picture/recording.ts';
import type { RunCounts, RunResult } from '../../sim/run.ts';
import type { Scenario } from '../../sim/scenarios.ts';
import { CliError, messageOf, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { type JobFlags, seedsInProcesses } from './seed-runs.ts';
import { failWith, worstOf } from './verdicts.ts';

export interface SimFlags extends JobFlags {
  readonly nodes?: number;
  readonly steps?: number;
  readonly canary?: boolean;
  readonly svg?: string;
  readonly html?: string;
  readonly tla?: string;
}

/** By name, or from a file: a name with a dot or a slash is a file's. @throws CliError when it is no scenario, or not one of so few nodes. */
export async function chosen(name: string, { nodes, steps }: Pick<SimFlags, 'nodes' | 'steps'>): Promise<ReadonlyMap<string, Scenario>> {
  const { scenarios, scenarioOf } = await import('../../sim/scenarios.ts');
  const { ScenarioError } = await import('../../sim/plan-text.ts');
  const known = scenarios.get(name);
  if (known === undefined && name !== 'all' && !/[./]/.test(name))
    throw usageError(`there is no scenario ${name}`, '`quorate sim list` names them all');
  try {
    const found = name === 'all' ? scenarios : new Map([[name, known ?? scenarioOf(readFileSync(name, 'utf8'))]]);
    for (const { plan } of found.values()) plan(0, nodes, steps);
    return found;
  } catch (error) {
    if (error instanceof ScenarioError) throw usageError(`${name}: ${error.message}`, 'docs/simulator.md describes the language');
    throw usageError(`${name} can't be read (${messageOf(error)})`, '`quorate sim list` names the built-in scenarios');
  }
}

/** Runs seeds and says what came of them. @throws CliError when one failed, with the exit code of the worst. */
export async function runSeeds(context: Context, name: string, flags: SimFlags, json: boolean): Promise<void> {
  const { isFailure } = await import('../../sim/run.ts');
  const print = (line: string): void => context.out(`${line}\n`);
  const startedMs = performance.now();
  const results: RunResult[] = [];
  const report = (result: RunResult): void => {
    results.push(result);
    if (json) print(JSON.stringify(result));
    else if (isFailure(result.verdict)) print(describe(result, flags));
  };
  const drawn = flags.jobs > 1 ? await runInProcesses(context, name, flags, report) : await runHere(context, name, flags, report);
  if (!json) print(summary(results, performance.now() - startedMs));
  const bad = results.filter(({ verdict }) => isFailure(verdict));
  const worst = worstOf(bad);
  try {
    if (drawn !== undefined) await draw(drawn, flags);
  } catch (error) {
    // A failed run says more than a file that can't be written.
    if (worst === undefined) throw error;
    context.err(`${messageOf(error)}\n`);
  }
  failWith(worst, `${bad.length} of ${results.length} runs failed`, ({ seed, scenario }) => `quorate sim replay ${seed} ${scenario}`);
}

/** Returns what is to be drawn: the first failed run, or else the first. */
async function runHere(
  context: Context,
  name: string,
  flags: SimFlags,
  report: (result: RunResult) => void,
): Promise<Recording | undefined> {
  const { isFailure, run } = await import('../../sim/run.ts');
  const { Recorder, recordingOf } = await import('../../sim/picture/recording.ts');
  const isDrawn = flags.svg !== undefined || flags.html !== undefined;
  let drawn: Recording | undefined;
  for (const [scenario, { plan: planOf }] of await chosen(name, flags)) {
    for (let seed = flags.seed; seed < flags.seed + flags.seeds; seed++) {
      if (context.interrupt.aborted) return drawn;
      const plan = planOf(seed, flags.nodes, flags.steps);
      const startedMs = performance.now();
      const recorder = isDrawn && (drawn === undefined || !isFailure(drawn.verdict)) ? new Recorder() : undefined;
      const onLine = flags.trace === true ? (line: string): void => context.out(`${line}\n`) : undefined;
      const tla: string[] = [];
      const onTla = flags.tla === undefined ? undefined : (line: string): void => void tla.push(`${line}\n`);
      const result = run({ seed, scenario, plan, onLine, onMark: recorder?.add, onTla, canary: flags.canary });
      if (flags.tla !== undefined) await save(flags.tla, tla.join(''));
      if (recorder !== undefined && (drawn === undefined || isFailure(result.verdict))) drawn = recordingOf(result, plan, recorder);
      report({ ...result, wallMs: Math.round(performance.now() - startedMs) });
      if (flags.firstFailure === true && isFailure(result.verdict)) return drawn;
      // Lets a Ctrl-C be heard.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return drawn;
}

const parseResult: (line: string) => RunResult = JSON.parse;

async function runInProcesses(context: Context, name: string, flags: SimFlags, report: (result: RunResult) => void): Promise<undefined> {
  if (flags.trace === true || flags.svg !== undefined || flags.html !== undefined)
    throw usageError('--trace, --svg and --html need a process of their own', 'leave out --jobs');
  await chosen(name, flags);
  const { isFailure } = await import('../../sim/run.ts');
  await seedsInProcesses(context, flags, {
    command: ['sim', 'run', name],
    flags: [
      ...(flags.nodes === undefined ? [] : ['--nodes', String(flags.nodes)]),
      ...(flags.steps === undefined ? [] : ['--steps', String(flags.steps)]),
      ...(flags.firstFailure === true ? ['--first-failure'] : []),
      ...(flags.canary === true ? ['--canary'] : []),
    ],
    things: 'runs',
    onLine: (line) => {
      // What another process of this program wrote.
      const result = parseResult(line);
      report(result);
      return flags.firstFailure !== true || !isFailure(result.verdict);
    },
  });
}

async function draw(recording: Recording, { svg, html }: SimFlags): Promise<void> {
  if (svg !== undefined) await save(svg, `${(await import('../../sim/picture/svg.ts')).drawSvg(recording)}\n`);
  if (html !== undefined) await save(html, (await import('../../sim/picture/html.ts')).drawHtml(recording));
}

export async function save(path: string, text: string): Promise<void> {
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
  ['lostFrames', 'lost frames'],
  ['pauses', 'pauses'],
  ['skews', 'starts as another version'],
  ['transfers', 'hand-overs'],
  ['diskFailures', 'failed disks'],
  ['lostDisks', 'lost disks'],
  ['bitFlips', 'flipped bits'],
  ['rewrittenLogs', 'rewritten logs'],
  ['repairedDisks', 'repaired'],
  ['gaveUp', 'histories not judged'],
];

function summary(results: readonly RunResult[], wallMs: number): string {
  const sum = (of: (r: RunResult) => number): number => results.reduce((total, r) => total + of(r), 0);
  const good = sum(({ verdict }) => Number(verdict === 'ok'));
  const withoutQuorum = sum(({ verdict }) => Number(verdict === 'no-quorum'));
  const simulatedMs = sum((r) => r.simulatedMs);
  const counts = summed
    .map(([name, words]) => ({ count: sum((r) => r.counts[name]), words }))
    .flatMap(({ count, words }) => (count === 0 ? [] : `${count} ${words}`));
  const transitions = new Set(results.flatMap((r) => r.transitions)).size;
  const hash = results.length === 1 ? `\ntrace ${results[0]?.traceHash ?? ''}` : '';
  return [
    `${good} of ${results.length} runs ok${withoutQuorum === 0 ? '' : `, ${withoutQuorum} had no quorum to heal`}`,
    `${counts.join(', ')}; ${transitions} kinds of transition`,
    `${(simulatedMs / 1000).toFixed(0)} simulated seconds in ${(wallMs / 1000).toFixed(1)} s: ${(simulatedMs / wallMs).toFixed(0)} to 1${hash}`,
  ].join('\n');
}
