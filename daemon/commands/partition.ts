import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { statusSchema } from '../answers.ts';
import { CliError, messageOf } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { Http } from '../http.ts';
import { historySchema, type PartitionAnswer, partitionSchema, type SplitAnswer } from '../partition/answers.ts';
import { drawSplit } from '../partition/picture.ts';
import { openSession, type Session } from '../session.ts';

/** `partition …`: who hears whom, what splits there were, and a picture of one. */
export function addPartitionCommands(program: Command, context: Context): void {
  const partition = program.command('partition').description('who hears whom, and past splits');

  partition
    .command('status')
    .description('the reachability matrix, as one node sees it')
    .action(async (_flags: unknown, command: Command) => showStatus(openSession(command, context)));

  partition
    .command('history')
    .description('past splits with their heal reports, as one node has seen them')
    .action(async (_flags: unknown, command: Command) => showHistory(openSession(command, context)));

  partition
    .command('timeline')
    .description('a picture of a split, from the records of all nodes: who heard whom, leaders, terms, commits')
    .requiredOption('--svg <file>', 'where to write it')
    .option('--split <id>', 'which one; by default the last')
    .action(async ({ svg, split }: { readonly svg: string; readonly split?: string }, command: Command) =>
      draw(openSession(command, context), svg, split),
    );
}

async function showStatus({ http, printer }: Session): Promise<void> {
  const answer = await http.request('GET', '/v1/partition');
  if (printer.format !== 'table') return printer.value(answer, () => '');
  const seen = partitionSchema.parse(answer);
  const { colors } = printer;
  const names = seen.rows.map(({ node }) => node);
  printer.line(headline(seen));
  const cell = (hears: readonly string[], node: string, peer: string): string => {
    if (node === peer) return colors.dim('·');
    return hears.includes(peer) ? colors.green('●') : colors.red('○');
  };
  printer.rows(answer, seen.rows, ['HEARS →', ...names, 'LEADER', 'TERM', 'COMMIT', 'ROW AGE', 'LINK'], (row) => [
    row.node,
    ...names.map((peer) => (row.ageMs === undefined ? '?' : cell(row.hears, row.node, peer))),
    row.leader ?? '-',
    String(row.term),
    String(row.commitIndex),
    row.ageMs === undefined ? '-' : `${row.ageMs} ms`,
    linkText(row),
  ]);
  for (const { from, to } of seen.oneWay) printer.line(`${from} → ${to} works, ${to} → ${from} does not`);
  return undefined;
}

function headline({ node, state, class: kind, degraded, sides, raftOk }: PartitionAnswer): string {
  const where = kind === 'none' ? '' : `   ${kind}${degraded ? ', degraded' : ''}   ${sides.map((side) => side.join(' ')).join(' | ')}`;
  return `${state}${where}   ${raftOk ? 'a leader is possible here' : 'no leader is possible here'}   (as ${node} sees it)`;
}

function linkText({ link, evidence, reachedByOthers }: PartitionAnswer['rows'][number]): string {
  if (evidence === undefined) return link;
  const { measure, value, bound, silenceMs } = evidence;
  const why = measure === 'phi' ? `phi ${value.toFixed(1)} ≥ ${bound}` : `${measure}, ${Math.round(silenceMs)} ms`;
  return `${link} (${why}${reachedByOthers ? '; others reach it' : ''})`;
}

async function showHistory({ http, printer }: Session): Promise<void> {
  const answer = await http.request('GET', '/v1/partition/history');
  const { items } = historySchema.parse(answer);
  printer.rows(answer, items, ['SPLIT', 'BEGAN', 'CLASS', 'SIDES', 'SEEN AFTER', 'LASTED', 'HEALED IN', 'TERM', 'MENDED'], (split) => [
    split.id,
    new Date(split.startMs).toISOString(),
    split.class,
    split.sides.map((side) => side.join(' ')).join(' | '),
    split.detectedMs === null ? '-' : `${split.detectedMs} ms`,
    split.endMs === null ? 'not over' : `${((split.endMs - split.startMs) / 1000).toFixed(1)} s`,
    split.report === null ? '-' : `${Math.round(split.report.durationMs)} ms`,
    split.report === null ? '-' : `${split.report.termBefore} → ${split.report.termAfter}`,
    split.report === null ? '-' : mendedText(split.report),
  ]);
}

export function mendedText({ raft, tasks, notes }: NonNullable<SplitAnswer['report']>): string {
  const parts = [
    `${raft.caughtUpEntries} entries caught up`,
    raft.truncated.length > 0 ? `${raft.truncated.length} truncated` : '',
    raft.snapshots > 0 ? `${raft.snapshots} snapshots` : '',
    tasks.fenced.length > 0 ? `${tasks.fenced.length} fenced` : '',
    ...notes,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** Each node has seen the split in its own way: the picture has a lane of each that answers. */
async function draw({ http, printer, context }: Session, file: string, id: string | undefined): Promise<void> {
  const { members } = statusSchema.parse(await http.request('GET', '/v1/status'));
  const asked = historySchema.parse(await http.request('GET', '/v1/partition/history')).items;
  const split = id === undefined ? asked.at(-1) : asked.find((one) => one.id === id);
  if (split === undefined) {
    const what = id === undefined ? 'this node has seen no split' : `this node knows no split ${id}`;
    throw new CliError(exitCodes.notFound, what, '`quorate dev partition 1,2/3,4,5` makes one in a dev cluster');
  }
  const lanes = await Promise.all(members.map(async ({ name, http: url }) => ({ name, splits: await historyOf(url, context.interrupt) })));
  try {
    await writeFile(file, drawSplit(split, lanes, Date.now()));
  } catch (error) {
    throw new CliError(exitCodes.error, `${file} can't be written: ${messageOf(error)}`);
  }
  printer.value({ split: split.id, file }, () => `split ${split.id} is drawn in ${file}`);
}

async function historyOf(endpoint: string, signal: AbortSignal): Promise<readonly SplitAnswer[]> {
  try {
    return historySchema.parse(await new Http({ endpoints: [endpoint], timeoutMs: 1_000, signal }).request('GET', '/v1/partition/history'))
      .items;
  } catch {
    return [];
  }
}
