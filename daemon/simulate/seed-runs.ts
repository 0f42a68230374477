import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { processes, seedNumber, wholeNumber } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';

/** Which runs of a simulation are wanted. */
export interface SeedFlags {
  readonly seed: number;
  readonly seeds: number;
  readonly firstFailure?: boolean;
  readonly trace?: boolean;
}

/** The options for them. `one` and `many` are what a seed gives and what they are counted in, for people. */
export const withSeeds = (command: Command, one: string, many: string, seeds: number): Command =>
  command
    .option('--seeds <n>', `how many ${many}`, wholeNumber(1, 1_000_000_000), seeds)
    .option('--seed <n>', 'the first seed', seedNumber, 1)
    .option('--first-failure', `end with the first ${one} that fails`)
    .option('--trace', 'print every event');

export interface JobFlags extends SeedFlags {
  readonly jobs: number;
}

export const withJobs = (command: Command): Command => command.option('--jobs <n>', 'processes that share the seeds', processes, 1);

/** What the processes run: `command` and `flags` stand before and after the seeds; `things` is what one seed gives, for people. */
export interface SeedWork {
  readonly command: readonly string[];
  readonly flags: readonly string[];
  readonly things: string;
  /** A line of JSON that a process wrote. False when there is enough. */
  onLine(line: string): boolean;
}

/** Runs seeds in as many processes of this program as there are jobs, each so many in a row; a seed gives the same in any of them. */
export async function seedsInProcesses(context: Context, { seed, seeds: all, jobs }: JobFlags, work: SeedWork): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, context.interrupt]);
  const block = Math.ceil(all / jobs);
  const runFrom = async (first: number): Promise<void> => {
    const seeds = Math.min(block, seed + all - first);
    if (seeds <= 0) return;
    const args = [...work.command, '--seed', String(first), '--seeds', String(seeds), ...work.flags, '--output', 'json'];
    const child = spawn(process.execPath, [context.executable, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let complaints = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
    let ended = 0;
    const stop = (): void => void child.kill();
    signal.addEventListener('abort', stop);
    for await (const line of createInterface(child.stdout)) {
      ended++;
      if (!work.onLine(line)) over.abort();
    }
    signal.removeEventListener('abort', stop);
    // What failed was told above; this is about a process that did not get through its seeds.
    if (ended < seeds && !signal.aborted)
      throw new CliError(exitCodes.error, `a process ended after ${ended} of ${seeds} ${work.things}: ${complaints.trim()}`);
  };
  await Promise.all(Array.from({ length: jobs }, (_, job) => runFrom(seed + job * block)));
}
