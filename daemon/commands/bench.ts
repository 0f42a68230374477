import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Command, Option } from 'commander';
import { build, type Histogram } from 'hdr-histogram-js';
import type { QuorateClient } from '../../src/index.ts';
import { duration, seedNumber, wholeNumber, wholeNumbers } from '../arguments.ts';
import type { SnapshotBenchFlags } from '../bench/snapshot.ts';
import { CliError, interrupted, usageError } from '../cli-error.ts';
import type { GossipBenchFlags } from '../bench/gossip.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { freeRange } from '../ports.ts';
import { wantsJson } from '../session.ts';
import { addPartitionBench } from './bench-partition.ts';

const execute = promisify(execFile);
const executable = fileURLToPath(new URL('../../../bin/quorate.js', import.meta.url));

interface BenchFlags {
  readonly nodes: string;
  readonly outstanding: string;
  readonly seconds: string;
  readonly valueBytes: string;
}

interface VoteFlags {
  readonly nodes: readonly number[];
  readonly outstanding: readonly number[];
  readonly items: number;
  readonly alone: boolean;
  readonly seconds: number;
  readonly kill: boolean;
  readonly liar?: string;
}

interface MembersFlags {
  readonly clients: number;
  readonly seconds: number;
  readonly heartbeatMs: number;
  readonly electionTimeoutMs: number;
}

interface ChaosFlags {
  readonly duration: number;
  readonly seed: number;
  readonly nodes: number;
  readonly rate: number;
  readonly tasks: number;
}

interface Figures {
  readonly bench: 'kv';
  readonly nodes: number;
  readonly outstanding: number;
  readonly valueBytes: number;
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly failed: number;
  readonly durability: 'sync';
}

/** `quorate bench`: measures a cluster of its own, real daemons on loopback that share the machine with the load. */
export function addBenchCommands(program: Command, context: Context): void {
  const bench = program.command('bench').description('measure a cluster of its own on loopback');
  const print = (line: string): void => context.out(`${line}\n`);
  bench
    .command('kv')
    .description('writes per second, each acknowledged when it is on the disks of a majority')
    .option('--nodes <n>', 'daemons', '3')
    .option('--outstanding <list>', 'writes in flight, one measurement for each', '1,64,256,1024')
    .option('--seconds <n>', 'length of each measurement, after a warm-up of a second', '5')
    .option('--value-bytes <n>', 'length of each value', '256')
    .action((flags: BenchFlags, command: Command) => benchKv(flags, wantsJson(command, context), context));
  bench
    .command('members')
    .description('grow 1 to 3 to 5 nodes and shrink to 1 under load: writes lost, and the longest wait of any client')
    .option('--clients <n>', 'clients, each with one write in flight', wholeNumber(1, 256), 8)
    .option('--seconds <n>', 'length of each phase without a change', wholeNumber(1, 3600), 3)
    .option('--heartbeat-ms <duration>', 'how often a leader speaks', duration, 100)
    .option('--election-timeout-ms <duration>', 'silence after which a new leader is elected', duration, 1000)
    .action((flags: MembersFlags, command: Command) => benchMembers(flags, wantsJson(command, context), context));
  bench
    .command('vote')
    .description('Byzantine decisions per second, each from the request to a verified certificate')
    .option('--nodes <list>', 'daemons, at least 4; a cluster for each number', wholeNumbers(4, 128), [4])
    .option('--outstanding <list>', 'requests in flight, one measurement for each', wholeNumbers(1, 4096), [1, 16, 64, 256])
    .option('--items <n>', 'things that each request puts to the vote', wholeNumber(1, 1000), 1)
    .option('--alone', 'each in a vote of its own, however many come at one time', false)
    .option('--seconds <n>', 'length of each measurement, after a warm-up of three', wholeNumber(1, 3600), 5)
    .option('--kill', 'with the last node killed', false)
    .option('--liar <script>', 'with a script in the place of the last node, which may lie')
    .action((flags: VoteFlags, command: Command) => benchVotes(flags, wantsJson(command, context), context));
  addPartitionBench(bench, context, executable);
  bench
    .command('snapshot')
    .description('a large state: how long a snapshot takes, and how long the longest pause of a node meanwhile')
    .option('--megabytes <n>', 'size of the state, half of it keys and half tasks; at most 1000', wholeNumber(1, 1000), 1000)
    .option('--value-bytes <n>', 'length of each value and payload', wholeNumber(1, 65_536), 4096)
    .action(async (flags: SnapshotBenchFlags, command: Command) => {
      const { benchSnapshot } = await import('../bench/snapshot.ts');
      const json = wantsJson(command, context);
      await benchSnapshot(flags, context, (figures, text) => print(json ? JSON.stringify({ bench: 'snapshot', ...figures }) : text));
    });
  bench
    .command('chaos')
    .description('daemons under load and random partitions, kills and pauses: what was acknowledged, done twice or differs in the end')
    .option('--duration <duration>', 'how long rounds of faults begin', duration, 600_000)
    .option('--seed <n>', 'draws the faults', seedNumber, 1)
    .option('--nodes <n>', 'daemons', wholeNumber(3, 9), 5)
    .option('--rate <n>', 'writes a second, at most', wholeNumber(1, 10_000), 200)
    .option('--tasks <n>', 'tasks a second, at most', wholeNumber(1, 1000), 20)
    .action((flags: ChaosFlags, command: Command) => benchFaults(flags, wantsJson(command, context), context));
  bench
    .command('gossip')
    .description('how fast an update is known to all nodes, and how many updates they take in: libp2p hosts on loopback')
    .option('--nodes <n>', 'hosts, all linked with all', wholeNumber(2, 200), 60)
    .option('--processes <n>', 'processes that share the hosts', wholeNumber(1, 64), Math.max(2, availableParallelism()))
    .option('--updates <n>', 'updates whose way is measured', wholeNumber(1, 10_000), 200)
    .option('--loss <percent>', 'frames that are thrown away when they arrive', wholeNumber(0, 90), 0)
    .option('--rate <n>', 'updates written a second, by all writers together', wholeNumber(1, 1_000_000), 2000)
    .option('--writers <n>', 'hosts that write at that rate', wholeNumber(1, 200), 2)
    .option('--seconds <n>', 'how long at that rate', wholeNumber(1, 3600), 10)
    .addOption(new Option('--carrier <kind>', 'how batches spread').choices(['auto', 'mesh', 'gossipsub']).default('auto'))
    .action(async (flags: GossipBenchFlags, command: Command) => {
      const { benchGossip } = await import('../bench/gossip.ts');
      const isJson = wantsJson(command, context);
      await benchGossip(flags, context, (figures, text) => print(isJson ? JSON.stringify({ bench: 'gossip', ...figures }) : text));
    });
}

async function benchVotes(flags: VoteFlags, json: boolean, { out, interrupt }: Context): Promise<void> {
  const print = (line: string): void => out(`${line}\n`);
  const { benchVote } = await import('../bench/vote.ts');
  const { nodes, outstanding, items, alone: isAlone, seconds, kill: killed, liar } = flags;
  if (!json) print('nodes  outstanding  decisions/s   certs/s    p50 ms    p99 ms  failed');
  await benchVote({ executable, nodes, outstanding, items, isAlone, seconds, killed, liar, interrupt }, (figures) => {
    const { decisionsPerSecond, certificatesPerSecond, p50Ms, p99Ms, failed } = figures;
    const cells = [figures.nodes, figures.outstanding, decisionsPerSecond, certificatesPerSecond, p50Ms, p99Ms, failed].map(String);
    const row = cells.map((cell, i) => cell.padStart([5, 11, 11, 8, 8, 8, 6][i] ?? 0)).join('  ');
    print(json ? JSON.stringify(figures) : row);
  });
}

async function benchMembers({ clients, seconds, ...timing }: MembersFlags, json: boolean, context: Context): Promise<void> {
  const members = await import('../bench/members.ts');
  const print = (line: string): void => context.out(`${line}\n`);
  if (!json) print('nodes    seconds    writes  longest wait ms  repeated');
  const options = { executable, clients, secondsPerPhase: seconds, ...timing, interrupt: context.interrupt };
  const total = await members.benchMembers(options, (figures) => {
    const { phase, seconds: took, acknowledged, longestWaitMs, repeated } = figures;
    const cells = [
      took.toFixed(1).padStart(7),
      String(acknowledged).padStart(8),
      String(longestWaitMs).padStart(15),
      String(repeated).padStart(8),
    ];
    print(json ? JSON.stringify(figures) : `${phase.padEnd(7)}  ${cells.join('  ')}`);
  });
  print(
    json
      ? JSON.stringify(total)
      : `${total.acknowledged} acknowledged writes, ${total.lost} lost; election timeout ${timing.electionTimeoutMs} ms`,
  );
  if (total.lost > 0) throw new CliError(exitCodes.unhealthy, `${total.lost} acknowledged writes are lost`);
}

async function benchFaults({ duration: durationMs, seed, nodes, rate, tasks }: ChaosFlags, json: boolean, context: Context): Promise<void> {
  const { benchChaos, chaosText, maxDurationMs } = await import('../bench/chaos.ts');
  if (durationMs > maxDurationMs)
    throw usageError(`the longest duration is ${maxDurationMs / 60_000} minutes`, 'tasks that ended are kept for an hour');
  const print = (line: string): void => context.out(`${line}\n`);
  if (!json) print('round  leader  writes  longest wait ms  heal ms  reports  faults');
  const { executable: script, interrupt } = context;
  const options = { executable: script, interrupt, seed, nodes, durationMs, writesPerSecond: rate, tasksPerSecond: tasks };
  const total = await benchChaos(options, (figures) => {
    const { round, leader, acknowledged, longestMs, healMs, reports, faults } = figures;
    const cells = [round, leader, acknowledged, longestMs, healMs ?? '-', reports.length].map(String);
    const line = cells.map((cell, i) => cell.padStart([5, 6, 6, 15, 7, 7][i] ?? 0)).join('  ');
    print(
      json
        ? JSON.stringify(figures)
        : `${line}  ${faults.join('; ')}${reports.length === 0 ? '' : `  → ${[...new Set(reports)].join(', ')}`}`,
    );
  });
  print(json ? JSON.stringify(total) : chaosText(total));
  if (total.violations.length > 0)
    throw new CliError(exitCodes.unhealthy, total.violations[0] ?? '', `the nodes' logs are in ${total.directory ?? ''}`);
}

async function benchKv(flags: BenchFlags, json: boolean, { out, interrupt }: Context): Promise<void> {
  const print = (line: string): void => out(`${line}\n`);
  const { createClient } = await import('../../src/index.ts');
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const nodes = Number(flags.nodes);
  const [httpPort, peerPort] = [await freeRange(nodes), await freeRange(nodes)];
  const dev = (...args: string[]) => execute(process.execPath, [executable, 'dev', ...args, '--dir', directory]);
  try {
    await dev('up', '--nodes', flags.nodes, '--http-port', String(httpPort), '--peer-port', String(peerPort), '--detach');
    const client = createClient({ endpoints: await endpointsOf(directory) });
    if (!json) print('outstanding     ops/s    p50 ms    p99 ms  p99.9 ms');
    for (const outstanding of flags.outstanding.split(',').map(Number)) {
      const valueBytes = Number(flags.valueBytes);
      await load(client, { outstanding, durationMs: 1000, valueBytes, interrupt });
      const durationMs = Number(flags.seconds) * 1000;
      const { histogram, seconds, failed } = await load(client, { outstanding, durationMs, valueBytes, interrupt });
      if (interrupt.aborted) throw interrupted();
      const figures = figuresOf(histogram, seconds, failed, { nodes, outstanding, valueBytes });
      print(json ? JSON.stringify(figures) : row(figures));
    }
    client.close();
  } finally {
    await dev('down').catch(() => {});
    await rm(directory, { recursive: true, force: true });
  }
}

async function endpointsOf(directory: string): Promise<string[]> {
  const genesis: unknown = JSON.parse(await readFile(join(directory, 'genesis.json'), 'utf8'));
  const members =
    typeof genesis === 'object' && genesis !== null && 'members' in genesis && Array.isArray(genesis.members) ? genesis.members : [];
  return members.map((member: { readonly http: string }) => member.http);
}

interface KvLoad {
  readonly outstanding: number;
  readonly durationMs: number;
  readonly valueBytes: number;
  readonly interrupt: AbortSignal;
}

/** A closed loop: `outstanding` writes are always in flight. Latencies in microseconds, from the call to its acknowledgement. */
function load(
  client: QuorateClient,
  { outstanding, durationMs, valueBytes, interrupt }: KvLoad,
): Promise<{ histogram: Histogram; seconds: number; failed: number }> {
  const histogram = build({ numberOfSignificantValueDigits: 3, highestTrackableValue: 60_000_000 });
  const value = 'v'.repeat(valueBytes);
  const startedMs = performance.now();
  let inFlight = 0;
  let written = 0;
  let failed = 0;
  return new Promise((resolve) => {
    const next = (): void => {
      const beganMs = performance.now();
      if (interrupt.aborted || beganMs - startedMs >= durationMs) {
        if (inFlight === 0) resolve({ histogram, seconds: (performance.now() - startedMs) / 1000, failed });
        return;
      }
      inFlight++;
      client.kv.putWith(`bench-${written++ % 10_000}`, value, (isFailed) => {
        inFlight--;
        if (isFailed) failed++;
        else histogram.recordValue(Math.max(1, Math.round((performance.now() - beganMs) * 1000)));
        next();
      });
    };
    for (let i = 0; i < outstanding; i++) next();
  });
}

function figuresOf(
  histogram: Histogram,
  seconds: number,
  failed: number,
  shape: { nodes: number; outstanding: number; valueBytes: number },
): Figures {
  const ms = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000;
  return {
    bench: 'kv',
    ...shape,
    opsPerSecond: Math.round(histogram.totalCount / seconds),
    p50Ms: ms(50),
    p99Ms: ms(99),
    p999Ms: ms(99.9),
    failed,
    durability: 'sync',
  };
}

const row = ({ outstanding, opsPerSecond, p50Ms, p99Ms, p999Ms, failed }: Figures): string => {
  const cells = [p50Ms, p99Ms, p999Ms].map((ms) => ms.toFixed(2).padStart(8));
  return `${String(outstanding).padStart(11)}  ${String(opsPerSecond).padStart(8)}  ${cells.join('  ')}${failed > 0 ? `  (${failed} failed)` : ''}`;
};
