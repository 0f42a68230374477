import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { Mutant } from '../../sim/mutant.ts';
import { processes, seconds, wholeNumber } from '../arguments.ts';
import { CliError, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { hunt, type MutantResult, readMutants } from '../simulate/mutants.ts';
import { wantsJson } from '../session.ts';

interface MutantsFlags {
  readonly seeds: number;
  readonly seconds: number;
  readonly jobs: number;
  readonly shrink?: number;
  readonly scenarios?: string;
  readonly docs?: string;
  readonly list?: boolean;
}

/** `sim mutants`: the ledger of planted bugs. It compiles copies of the sources, so it needs a checkout. */
export function addMutantsCommand(sim: Command, context: Context): void {
  sim
    .command('mutants')
    .argument('[names...]', 'which; all of them by default')
    .description('plant known bugs, one at a time, in a copy of the sources, and say how soon the simulator finds each')
    .option('--seeds <n>', 'seeds for each at most', wholeNumber(1, 1_000_000), 2000)
    .option('--seconds <n>', 'seconds for each at most', seconds, 120)
    .option('--jobs <n>', 'how many at a time', processes, availableParallelism())
    .option('--shrink <seconds>', 'make each run that found one small, in this time at most', seconds)
    .option('--scenarios <dir>', 'keep the small scenarios there')
    .option('--docs <file>', 'put the table into this file, between <!-- ledger --> and <!-- /ledger -->')
    .option('--list', 'only list them')
    .action((names: string[], flags: MutantsFlags, command: Command) => mutants(context, names, flags, wantsJson(command, context)));
}

async function mutants(context: Context, names: readonly string[], flags: MutantsFlags, json: boolean): Promise<void> {
  const root = dirname(dirname(context.executable));
  const all = readAll(root);
  const unknown = names.find((name) => !all.some((mutant) => mutant.name === name));
  if (unknown !== undefined) throw usageError(`there is no planted bug ${unknown}`, '`quorate sim mutants --list` names them all');
  const chosen = names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
  if (flags.list === true) {
    for (const { name, title } of chosen) context.out(`${name.padEnd(34)} ${title}\n`);
    return;
  }
  const results: MutantResult[] = [];
  const waiting = chosen.values();
  const work = async (): Promise<void> => {
    for (const mutant of waiting) {
      const result = await hunt(root, mutant, flags, context.interrupt);
      results.push(result);
      if (json) context.out(`${JSON.stringify(result)}\n`);
      else context.err(`${result.caught ? 'found ' : 'MISSED'} ${result.mutant} after ${result.seeds} seeds, ${result.seconds} s\n`);
    }
  };
  await Promise.all(Array.from({ length: flags.jobs }, work));
  if (flags.docs !== undefined) writeLedger(flags.docs, ledger(results));
  else if (!json) context.out(ledger(results));
  const missed = results.filter(({ caught }) => !caught).map(({ mutant }) => mutant);
  if (missed.length > 0)
    throw new CliError(
      exitCodes.error,
      `${missed.length} of ${results.length} planted bugs were not found: ${missed.join(', ')}`,
      'more --seeds and --seconds may find them',
    );
}

function readAll(root: string): Mutant[] {
  try {
    return readMutants(root);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    throw new CliError(
      exitCodes.error,
      `${join(root, 'sim/mutants')} is not there`,
      'bugs are planted in a checkout of the sources: run it in one',
    );
  }
}

function writeLedger(file: string, table: string): void {
  const text = readFileSync(file, 'utf8');
  const between = /(?<=<!-- ledger -->\n)[\s\S]*(?=<!-- \/ledger -->)/;
  if (!between.test(text)) throw usageError(`${file} has no place for a ledger`, 'it needs the lines <!-- ledger --> and <!-- /ledger -->');
  writeFileSync(
    file,
    text.replace(between, () => table),
  );
}

/** The ledger as a table of Markdown. */
function ledger(results: readonly MutantResult[]): string {
  const rows = results
    .toSorted((a, b) => (a.mutant < b.mutant ? -1 : 1))
    .map((r) => {
      const small = r.faults === undefined ? '' : `${r.faults} in ${r.shrinkSeconds} s`;
      return `| ${r.mutant} | ${r.title} | ${r.source} | ${r.caught ? r.invariant : 'not found'} | ${r.seeds} | ${r.seconds} | ${small} |`;
    });
  const head = ['| bug | what it does | known from | found by | seeds | seconds | faults left |', '|---|---|---|---|--:|--:|--:|'];
  return [...head, ...rows, ''].join('\n');
}
