import type { Command } from 'commander';
import { port, wholeNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import { openSession } from '../session.ts';

interface InitFlags {
  readonly nodes: number;
  readonly dir: string;
  readonly httpPort: number;
  readonly peerPort: number;
  readonly guardMembership?: boolean;
}

/** `cluster init`. */
export function addClusterCommands(program: Command, context: Context): void {
  const cluster = program.command('cluster').description('make clusters');
  cluster
    .command('init')
    .description('write the data directories of a new cluster and its genesis')
    .requiredOption('--nodes <n>', 'how many nodes', wholeNumber(1, 99))
    .requiredOption('--dir <dir>', 'where; must be empty or absent')
    .option('--http-port <port>', 'client port of the first node; the others follow', port, 7401)
    .option('--peer-port <port>', 'peer port of the first node; the others follow', port, 7501)
    .option(
      '--guard-membership',
      'where there are 4 voters and more, they come and go only by a certificate (default if founded with 4 and more)',
    )
    .option('--no-guard-membership', 'voters come and go without a certificate (default if founded with fewer than 4)')
    .action(async ({ nodes, dir, httpPort, peerPort, guardMembership }: InitFlags, command: Command) => {
      const { printer } = openSession(command, context);
      const { initCluster } = await import('../node/init-cluster.ts');
      const genesis = await initCluster({ nodes, directory: dir, httpPort, peerPort, guardMembership });
      printer.rows(genesis, genesis.members, ['NODE', 'HTTP', 'PEER', 'ID'], ({ name, http, peer, nodeId }) => [name, http, peer, nodeId]);
      if (printer.format === 'table') printer.note(`Next: quorate start --data-dir ${dir}/node-1`);
    });
}
