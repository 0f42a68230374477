import type { Command } from 'commander';
import { statusSchema, type Status } from '../answers.ts';
import type { Context } from '../context.ts';
import { Http } from '../http.ts';
import { openSession, type Session } from '../session.ts';

/** `status`. */
export function addStatusCommands(program: Command, context: Context): void {
  program
    .command('status')
    .description('members, roles, leader, term, commit index and health')
    .action(async (_flags: unknown, command: Command) => showStatus(openSession(command, context)));
}

async function showStatus({ http, printer, context }: Session): Promise<void> {
  const answer = await http.request('GET', '/v1/status');
  if (printer.format !== 'table') {
    printer.value(answer, () => '');
    return;
  }
  const status = statusSchema.parse(answer);
  const seen = await Promise.all(
    status.members.map(async (member) => (member.nodeId === status.nodeId ? status : await ask(member.http, context.interrupt))),
  );
  const leader = status.members.find(({ nodeId }) => nodeId === status.leader?.nodeId);
  printer.line(
    `cluster ${status.clusterId}   leader ${leader?.name ?? 'none'}   term ${status.term}   commit ${status.commitIndex}   ${status.partition.state}   (as ${status.name} sees it)`,
  );
  if (status.removed) printer.line(printer.colors.red(`${status.name} was removed from the cluster: stop it`));
  for (const own of seen) {
    const divergence = own?.logChain.divergence ?? undefined;
    if (own !== undefined && divergence !== undefined)
      printer.line(printer.colors.red(`${own.name}: RAFT_DIVERGENCE: ${divergence.detail}`));
  }
  const rows = status.members.map((member, at) => ({ member, own: seen[at] }));
  printer.rows(answer, rows, ['NODE', 'HTTP', 'ROLE', 'TERM', 'COMMIT', 'APPLIED', 'HEALTH'], ({ member, own }) =>
    own === undefined
      ? [member.name, member.http, member.voter ? 'voter' : 'learner', '-', '-', '-', printer.colors.red('no answer')]
      : [member.name, member.http, own.role, String(own.term), String(own.commitIndex), String(own.appliedIndex), own.partition.state],
  );
}

/** What a member says of itself, if it answers soon. */
async function ask(endpoint: string, signal: AbortSignal): Promise<Status | undefined> {
  try {
    return statusSchema.parse(await new Http({ endpoints: [endpoint], timeoutMs: 1_000, signal }).request('GET', '/v1/status'));
  } catch {
    return undefined;
  }
}
