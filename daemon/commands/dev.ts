import type { Command } from 'commander';
import { duration, port, wholeNumber } from '../arguments.ts';
import { interrupted } from '../cli-error.ts';
import type { Context } from '../context.ts';
import type { DevCluster } from '../dev-cluster.ts';
import { openSession } from '../session.ts';

interface DirFlags {
  readonly dir: string;
}

interface UpFlags extends DirFlags {
  readonly nodes: number;
  readonly httpPort?: number;
  readonly peerPort?: number;
  readonly heartbeatMs?: number;
  readonly electionTimeoutMs?: number;
  readonly votesAutoApprove?: string;
  readonly detach?: boolean;
  readonly guardMembership?: boolean;
}

/** `dev up`, `down`, `kill`, `restart`, `pause`, `resume`. */
export function addDevCommands(program: Command, context: Context): void {
  const dev = program.command('dev').description('a cluster on this machine, to develop and to play with');
  const open = async (dir: string): Promise<DevCluster> => {
    const { DevCluster: Cluster } = await import('../dev-cluster.ts');
    return new Cluster(dir, context.executable, context.interrupt);
  };
  const devCommand = (name: string, description: string): Command =>
    dev.command(name).description(description).option('--dir <dir>', 'where the cluster lives', '.quorate/dev');

  devCommand('up', 'start a cluster; Ctrl-C stops it')
    .option('--nodes <n>', 'how many nodes', wholeNumber(1, 99), 3)
    .option('--http-port <port>', 'client port of the first node (default 7401)', port)
    .option('--peer-port <port>', 'peer port of the first node (default 7501)', port)
    .option('--heartbeat-ms <duration>', 'how often a leader speaks', duration)
    .option('--election-timeout-ms <duration>', 'silence after which a new leader is elected', duration)
    .option('--votes-auto-approve <kinds>', 'kinds of votes that the nodes approve without asking anyone, divided by commas; * is all')
    .option(
      '--guard-membership',
      'where there are 4 voters and more, they come and go only by a certificate (default if founded with 4 and more)',
    )
    .option('--no-guard-membership', 'voters come and go without a certificate (default if founded with fewer than 4)')
    .option('--detach', 'return and leave the cluster running')
    .action(async (flags: UpFlags, command: Command) => up(await open(flags.dir), flags, command, context));

  devCommand('down', 'stop all nodes').action(async ({ dir }: DirFlags, command: Command) => {
    const stopped = await (await open(dir)).down();
    openSession(command, context).printer.value({ stopped }, () => (stopped === 0 ? 'no node was running' : `stopped ${stopped} nodes`));
  });

  const nodeCommand = (
    name: string,
    description: string,
    done: string,
    act: (cluster: DevCluster, number: number) => Promise<string>,
  ): void => {
    devCommand(name, description)
      .argument('<k>', 'number of the node, from 1', wholeNumber(1, 99))
      .action(async (number: number, { dir }: DirFlags, command: Command) => {
        const node = await act(await open(dir), number);
        openSession(command, context).printer.value({ node, done }, () => `${node} ${done}`);
      });
  };
  nodeCommand('kill', 'kill a node at once (SIGKILL)', 'killed', (cluster, number) => cluster.kill(number));
  nodeCommand('restart', 'stop a node if it runs, and start it', 'started', (cluster, number) => cluster.restart(number));
  nodeCommand('pause', 'stop the time of a node (SIGSTOP)', 'paused', (cluster, number) => cluster.signal(number, 'SIGSTOP'));
  nodeCommand('resume', 'let a paused node go on (SIGCONT)', 'resumed', (cluster, number) => cluster.signal(number, 'SIGCONT'));
}

async function up(cluster: DevCluster, flags: UpFlags, command: Command, context: Context): Promise<void> {
  const { printer } = openSession(command, context);
  const { nodes, httpPort, peerPort, heartbeatMs, electionTimeoutMs, votesAutoApprove, guardMembership, detach = false } = flags;
  const startFlags = [
    ...(heartbeatMs === undefined ? [] : ['--heartbeat-ms', String(heartbeatMs)]),
    ...(electionTimeoutMs === undefined ? [] : ['--election-timeout-ms', String(electionTimeoutMs)]),
    ...(votesAutoApprove === undefined ? [] : ['--votes-auto-approve', votesAutoApprove]),
  ];
  const statuses = await cluster.up({ nodes, httpPort, peerPort, guardMembership, startFlags, detach });
  const rows = statuses.map(({ name, nodeId, role, term, members }) => ({
    name,
    url: members.find((member) => member.nodeId === nodeId)?.http ?? '',
    role,
    term,
  }));
  printer.rows({ nodes: rows }, rows, ['NODE', 'URL', 'ROLE', 'TERM'], ({ name, url, role, term }) => [name, url, role, String(term)]);
  const first = rows[0]?.url ?? '';
  if (printer.format === 'table') printer.note(`Next: quorate status${first === 'http://127.0.0.1:7401' ? '' : ` --endpoints ${first}`}`);
  if (detach) return;
  if (printer.format === 'table') printer.note('Ctrl-C stops the cluster.');
  await cluster.untilDown();
  await cluster.down();
  if (context.interrupt.aborted && context.interrupt.reason === 'SIGINT') throw interrupted();
}
