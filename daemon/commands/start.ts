import type { Command } from 'commander';
import { usageError } from '../cli-error.ts';
import { nodeDefaults } from '../node/config.ts';
import type { Context } from '../context.ts';
import { openSession } from '../session.ts';

interface StartFlags extends Readonly<Record<string, unknown>> {
  readonly dataDir: string;
  readonly stopOnStdinEnd?: boolean;
  readonly devFaults?: boolean;
  readonly join?: string;
}

const settings: readonly (readonly [flags: string, description: string])[] = [
  ['--name <name>', "the node's name in the genesis"],
  ['--genesis <file>', `the genesis, relative to the data directory (default ${nodeDefaults.genesis})`],
  ['--http-host <host>', 'where clients connect'],
  ['--http-port <port>', 'where clients connect'],
  ['--peer-host <host>', 'where the other nodes connect'],
  ['--peer-port <port>', 'where the other nodes connect'],
  ['--heartbeat-ms <duration>', 'how often a leader speaks'],
  ['--election-timeout-ms <duration>', 'silence after which a new leader is elected, at least 5 heartbeats'],
  ['--snapshot-bytes <n>', 'bytes of log after which a snapshot replaces it'],
  ['--read-mode <mode>', 'how linearizable reads are confirmed: safe (by a majority) or lease (trusts clocks)'],
  ['--gossip-carrier <kind>', 'how status spreads: mesh (direct links), gossipsub, or auto (mesh up to 64 members)'],
  ['--gossip-fanout <n>', 'peers that a node hands a batch on to, with mesh; by default computed for the number of members'],
  ['--gossip-ttl <n>', 'links that a batch goes over at most, with mesh; by default computed'],
  ['--gossip-flush-ms <duration>', 'the least time between two batches of status, 5 to 50'],
  ['--votes-auto-approve <kinds>', 'kinds of votes to approve without asking anyone, divided by commas; * is all (default none)'],
  ['--log-level <level>', 'debug, info, warn or error'],
];

/** `start`: the daemon. Its settings come from node.toml, the environment and these flags. */
export function addStartCommand(program: Command, context: Context): void {
  const start = program
    .command('start')
    .description('run one daemon in the foreground')
    .requiredOption('--data-dir <dir>', "the node's data directory");
  for (const [flags, description] of settings) start.option(flags, description);
  start.addOption(start.createOption('--stop-on-stdin-end', 'stop when stdin ends').hideHelp());
  start.addOption(start.createOption('--dev-faults', 'impair links as faults.json says').hideHelp());
  start.option(
    '--join <url>',
    'join the running cluster of this node, with a --token from `quorate member token`; a member finds its cluster again by it',
  );
  start.action(async (flags: StartFlags, command: Command) => {
    const { join: url } = flags;
    const { token } = openSession(command, context).settings;
    if (url !== undefined && !URL.canParse(url)) throw usageError(`--join: ${url} is not a URL`, 'write it like http://127.0.0.1:7401');
    const join = url === undefined ? undefined : { url, token };
    const { runNode } = await import('../node/run-node.ts');
    await runNode(
      {
        dataDir: flags.dataDir,
        flags: settingFlags(start, flags),
        stopOnStdinEnd: flags.stopOnStdinEnd === true,
        devFaults: flags.devFaults === true,
        join,
      },
      context,
    );
  });
}

const notSettings: ReadonlySet<string> = new Set(['data-dir', 'join']);

/** The settings among the flags, under the names they have in node.toml. */
function settingFlags(command: Command, flags: StartFlags): Record<string, string> {
  const given: Record<string, string> = {};
  for (const option of command.options) {
    const value = flags[option.attributeName()];
    if (typeof value === 'string' && !notSettings.has(option.name())) given[option.name()] = value;
  }
  return given;
}
