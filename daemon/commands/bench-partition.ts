import type { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import type { BusyFigures, PartitionBench, TrialFigures } from '../bench/partition.ts';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { wantsJson } from '../session.ts';

type Flags = Pick<PartitionBench, 'trials' | 'kills' | 'agents' | 'tasks' | 'busySeconds'>;

export function addPartitionBench(bench: Command, context: Context, executable: string): void {
  bench
    .command('partition')
    .description('five nodes under load are split, healed and killed: how soon all know, how soon all is whole, and what is lost')
    .option('--trials <n>', 'splits', wholeNumber(0, 1000), 20)
    .option('--kills <n>', 'nodes killed, one after the other', wholeNumber(0, 1000), 20)
    .option('--agents <n>', 'agents registered', wholeNumber(1, 100_000), 10_000)
    .option('--tasks <n>', 'tasks running, one at an agent', wholeNumber(1, 100_000), 1000)
    .option('--busy-seconds <n>', 'time beside a process that takes a whole core', wholeNumber(0, 86_400), 0)
    .action((flags: Flags, command: Command) => run(flags, wantsJson(command, context), context, executable));
}

async function run(flags: Flags, json: boolean, context: Context, executable: string): Promise<void> {
  const { benchPartition } = await import('../bench/partition.ts');
  const print = (value: unknown, text: string): void => context.out(`${json ? JSON.stringify(value) : text}\n`);
  if (!json) context.out('trial  what           all know ms  whole ms  reports\n');
  const trials: TrialFigures[] = [];
  const total = await benchPartition({ ...flags, executable, interrupt: context.interrupt }, (figures) => {
    if ('trial' in figures) trials.push(figures);
    print(figures, 'trial' in figures ? row(figures) : busyText(figures));
  });
  const split = spread(trials.filter(({ healedMs }) => healedMs !== undefined).map(({ knownMs }) => knownMs));
  const healed = spread(trials.flatMap(({ healedMs }) => healedMs ?? []));
  const killed = spread(trials.filter(({ healedMs }) => healedMs === undefined).map(({ knownMs }) => knownMs));
  const { lost, completedTwice, writes, completed, fenced, isEqual } = total;
  print(
    { ...total, classifiedMs: split, healedMs: healed, killedMs: killed },
    [
      `a split is classified by all: ${spreadText(split)}`,
      `all is whole again: ${spreadText(healed)}`,
      `a killed node is known to all: ${spreadText(killed)}`,
      `${writes} acknowledged writes and ${completed} tasks completed: ${lost} lost, ${completedTwice} completed twice; ${fenced} late completions refused`,
      isEqual ? 'all logs are equal' : 'the logs are NOT equal',
    ].join('\n'),
  );
  if (lost + completedTwice > 0 || !isEqual) throw new CliError(exitCodes.unhealthy, 'what was acknowledged did not hold');
}

const row = ({ trial, what, knownMs, healedMs, reports }: TrialFigures): string =>
  [
    String(trial).padStart(5),
    what.padEnd(13),
    String(knownMs).padStart(11),
    String(healedMs ?? '-').padStart(8),
    String(healedMs === undefined ? '-' : reports).padStart(7),
  ].join('  ');

const busyText = ({ busySeconds, falselyLost }: BusyFigures): string =>
  `${busySeconds} s beside a busy process: ${falselyLost} links falsely lost`;

/** The middle, and the value that all but one of a hundred reach: of fewer than a hundred, the highest. */
function spread(values: readonly number[]): { readonly p50: number; readonly p99: number } | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return sorted.length === 0 ? undefined : { p50: at(0.5), p99: at(0.99) };
}

const spreadText = (found: ReturnType<typeof spread>): string =>
  found === undefined ? 'not measured' : `${found.p50} ms at the median, ${found.p99} ms at p99`;
