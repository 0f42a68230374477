import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { SnapshotContents } from '../../src/index.ts';
import { port } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { type RestorePlan, recoverCluster, restoreCluster } from '../node/new-cluster.ts';
import { openSession } from '../session.ts';
import { exists, inspectFile, isThere, saveSnapshot } from '../node/snapshot-file.ts';

/** `snapshot …` and `recover`: copies of the whole state, and the ways back from them and from the loss of a majority. */
export function addSnapshotCommands(program: Command, context: Context): void {
  const snapshot = program.command('snapshot').description('copies of the whole state');

  snapshot
    .command('save')
    .description('save the state of a running cluster to a file')
    .argument('<file>')
    .action(async (file: string, _flags: unknown, command: Command) => {
      const { http, printer } = openSession(command, context);
      if (await isThere(file)) throw exists(file);
      const contents = await saveSnapshot(file, await http.download('/v1/snapshot'));
      const description = await describe(file, contents);
      printer.value(description, () => `saved ${file}\n${textOf(description)}`);
    });

  snapshot
    .command('inspect')
    .description('check a snapshot file and say what is in it')
    .argument('<file>')
    .action(async (file: string, _flags: unknown, command: Command) => {
      const { printer } = openSession(command, context);
      const description = await describe(file, await inspectFile(file));
      printer.value(description, () => textOf(description));
    });

  snapshot
    .command('restore')
    .description('make the data directory of a NEW cluster of one node from a snapshot file')
    .argument('<file>')
    .requiredOption('--data-dir <dir>', 'where; must be empty or absent')
    .option('--name <name>', "the node's name", 'node-1')
    .option('--http-host <host>', 'where clients connect', '127.0.0.1')
    .option('--http-port <port>', 'where clients connect', port, 7401)
    .option('--peer-host <host>', 'where other nodes connect', '127.0.0.1')
    .option('--peer-port <port>', 'where other nodes connect', port, 7501)
    .action(async (file: string, flags: Omit<RestorePlan, 'file'>, command: Command) => {
      const { printer } = openSession(command, context);
      const { clusterId } = await restoreCluster({ ...flags, file });
      printer.value({ clusterId, dataDir: flags.dataDir }, () => `cluster ${clusterId} is in ${flags.dataDir}`);
      if (printer.format === 'table') printer.note(`Next: quorate start --data-dir ${flags.dataDir}`);
    });

  addRecoverCommand(program, context);
}

const sentence = 'I accept that acknowledged work may be lost';

const warning = `This makes the stopped node in the given directory the only voter of a NEW cluster.

Use it only when a majority of the nodes is lost for good and there is nobody to wait for.
- Writes that the lost majority acknowledged and this node never received are lost.
- Writes that this node received and nobody acknowledged may take effect.
- The other nodes of the old cluster can't speak to the new one. Never start them again
  as they are: empty their directories and let them join anew.
Of several nodes that are left, take the one with the highest commit index.
`;

function addRecoverCommand(program: Command, context: Context): void {
  program
    .command('recover')
    .description('after the loss of a majority: make a stopped node the only voter of a new cluster')
    .requiredOption('--data-dir <dir>', "the stopped node's data directory")
    .option('--i-accept-that-acknowledged-work-may-be-lost', 'do not ask')
    .action(async (flags: RecoverFlags, command: Command) => {
      const { printer } = openSession(command, context);
      if (flags.iAcceptThatAcknowledgedWorkMayBeLost !== true) await agree(context);
      const { genesis, kept } = await recoverCluster(flags.dataDir);
      const [member] = genesis.members;
      const answer = { clusterId: genesis.clusterId, node: member?.name, dataDir: flags.dataDir, kept };
      printer.value(
        answer,
        () => `${member?.name} is the only voter of the new cluster ${genesis.clusterId}; the old store is kept in ${kept}`,
      );
      if (printer.format === 'table')
        printer.note(
          `Next: quorate start --data-dir ${flags.dataDir}\nOthers join with empty directories: quorate member token, quorate start --join`,
        );
    });
}

interface RecoverFlags {
  readonly dataDir: string;
  readonly iAcceptThatAcknowledgedWorkMayBeLost?: boolean;
}

/** @throws CliError unless the sentence comes, word for word. */
async function agree(context: Context): Promise<void> {
  context.err(`${warning}\nType this sentence to go on: ${sentence}\n> `);
  if ((await context.readLine()).trim() !== sentence)
    throw new CliError(exitCodes.denied, 'that is not the sentence; nothing was changed', 'start the command again when you are sure');
}

interface Description extends Pick<SnapshotContents['header'], 'clusterId' | 'index' | 'term'> {
  readonly file: string;
  readonly bytes: number;
  readonly version: string;
  readonly voters: readonly string[];
  readonly learners: readonly string[];
  readonly counts: SnapshotContents['counts'];
  readonly stateHash: string;
  readonly checksum: 'ok';
}

/** What people and scripts are told of a file whose checksum was found right. */
async function describe(file: string, { header, counts, stateHash }: SnapshotContents): Promise<Description> {
  const { clusterId, index, term, version, configuration } = header;
  const { size } = await stat(file);
  const { voters, learners } = configuration;
  return { file, bytes: size, clusterId, index, term, version, voters, learners, counts, stateHash, checksum: 'ok' };
}

const textOf = ({ bytes, clusterId, index, term, voters, learners, counts, stateHash, checksum }: Description): string =>
  [
    `cluster   ${clusterId}`,
    `index     ${index}`,
    `term      ${term}`,
    `voters    ${voters.join(', ')}`,
    ...(learners.length === 0 ? [] : [`learners  ${learners.join(', ')}`]),
    ...Object.entries(counts).map(([kind, count]) => `${`${kind}s`.padEnd(10)}${count}`),
    `bytes     ${bytes}`,
    `state     ${stateHash}`,
    `checksum  ${checksum}`,
  ].join('\n');
