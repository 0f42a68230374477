import type { Command } from 'commander';
import { z } from 'zod';
import { membersSchema } from '../answers.ts';
import { duration } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openSession, type Session } from '../session.ts';
import { readCertificate } from './decision.ts';

type Member = z.infer<typeof membersSchema>['items'][number];

interface CertificateFlags {
  readonly certificate?: string;
}

const certificateFlag = ['--certificate <file>', 'of the members, where a change of four and more voters takes one'] as const;

const certificateOf = async ({ certificate }: CertificateFlags): Promise<{ readonly certificate?: unknown }> =>
  certificate === undefined ? {} : { certificate: await readCertificate(certificate) };

/** `member …`: who is in the cluster, and with which part. Members are named by their name or id. */
export function addMemberCommands(program: Command, context: Context): void {
  const member = program.command('member').description('the members of the cluster');

  member
    .command('list')
    .description('the members of the cluster')
    .action(async (_flags: unknown, command: Command) => {
      const session = openSession(command, context);
      show(session, await session.http.request('GET', '/v1/members'));
    });

  member
    .command('add')
    .description('add a node; it becomes a voter when it has caught up')
    .argument('<nodeId>')
    .requiredOption('--name <name>', "the node's name")
    .requiredOption('--http <url>', 'its client port, http://host:port')
    .requiredOption('--peer <address>', 'its peer port, host:port')
    .option('--learner', 'it stays a learner')
    .action(
      async (
        nodeId: string,
        { learner, ...where }: { readonly name: string; readonly http: string; readonly peer: string; readonly learner?: boolean },
        command: Command,
      ) => {
        const session = openSession(command, context);
        const body = { nodeId, ...where, role: learner === true ? 'learner' : 'voter' };
        show(session, await session.http.request('POST', '/v1/members', { body }));
      },
    );

  member
    .command('token')
    .description('print a token with which one node may join')
    .option('--ttl <duration>', 'how long it is good', duration, 3_600_000)
    .action(async ({ ttl }: { readonly ttl: number }, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('POST', '/v1/members/tokens', { body: { ttlMs: ttl } });
      printer.value(answer, () => z.object({ token: z.string() }).parse(answer).token);
    });

  member
    .command('remove')
    .description('remove a member')
    .argument('<member>')
    .option(...certificateFlag)
    .action(async (name: string, flags: CertificateFlags, command: Command) => {
      const session = openSession(command, context);
      const { nodeId } = await find(session, name);
      const init = flags.certificate === undefined ? {} : { body: await certificateOf(flags) };
      show(session, await session.http.request('DELETE', `/v1/members/${encodeURIComponent(nodeId)}`, init));
    });

  addRoleCommands(member, context);
}

function addRoleCommands(member: Command, context: Context): void {
  for (const [name, role, description] of [
    ['promote', 'voter', 'make a learner a voter'],
    ['demote', 'learner', 'make a voter a learner'],
  ] as const) {
    member
      .command(name)
      .description(description)
      .argument('<member>')
      .option(...certificateFlag)
      .action(async (which: string, flags: CertificateFlags, command: Command) => {
        const session = openSession(command, context);
        const { nodeId } = await find(session, which);
        show(session, await session.http.request('POST', '/v1/members', { body: { nodeId, role, ...(await certificateOf(flags)) } }));
      });
  }

  member
    .command('replace')
    .description('a learner that has caught up takes the place of a voter, in one step')
    .argument('<old>')
    .argument('<new>')
    .option(...certificateFlag)
    .action(async (old: string, name: string, flags: CertificateFlags, command: Command) => {
      const session = openSession(command, context);
      const { nodeId: replaces } = await find(session, old);
      const { nodeId } = await find(session, name);
      const body = { nodeId, role: 'voter', replaces, ...(await certificateOf(flags)) };
      show(session, await session.http.request('POST', '/v1/members', { body }));
    });

  member
    .command('transfer-leader')
    .description('hand leadership to a member, by default to the voter that is furthest')
    .argument('[member]')
    .action(async (name: string | undefined, _flags: unknown, command: Command) => {
      const session = openSession(command, context);
      const body = name === undefined ? {} : { to: (await find(session, name)).nodeId };
      const answer = await session.http.request('POST', '/v1/leader/transfer', { body });
      session.printer.value(answer, () => `leader is ${z.object({ leader: z.string() }).parse(answer).leader}`);
    });
}

function show({ printer }: Session, answer: unknown): void {
  const { items } = membersSchema.parse(answer);
  printer.rows({ items }, items, ['NAME', 'HTTP', 'PEER', 'VOTER', 'ID'], (one) => [
    one.name,
    one.http,
    one.peer,
    one.voter ? 'yes' : 'no',
    one.nodeId,
  ]);
}

async function find({ http }: Session, name: string): Promise<Member> {
  const { items } = membersSchema.parse(await http.request('GET', '/v1/members'));
  const found = items.find((member) => member.nodeId === name) ?? items.find((member) => member.name === name);
  if (found === undefined) throw new CliError(exitCodes.notFound, `there is no member ${name}`, '`quorate member list` shows the members');
  return found;
}
