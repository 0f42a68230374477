import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { membersSchema, pageOf } from '../answers.ts';
import { duration, list, wholeNumber } from '../arguments.ts';
import { CliError, messageOf, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { textOf } from '../payload.ts';
import { openSession, type Session } from '../session.ts';
import { voteSchema, voteText } from '../vote-text.ts';
import { addDecisionCommands } from './decision.ts';
import { addEvidence } from './vote-evidence.ts';
import { addVerify } from './vote-verify.ts';

/** `vote …`: decisions that stay right when members lie. */
export function addVoteCommands(program: Command, context: Context): void {
  const vote = program.command('vote').description('decisions that stay right when members lie');

  addOpening(vote, context);
  addReading(vote, context);
  addDecisionCommands(vote, context);
  addVerify(vote, context);
  addEvidence(vote, context);
}

interface OpenFlags {
  readonly kind?: string;
  readonly payload?: string;
  readonly options?: readonly string[];
  readonly minSupport?: number;
  readonly timeoutMs?: number;
  readonly wait?: boolean;
  readonly cert?: string;
  readonly expect?: string;
}

/** The longest that the node is asked to wait at once. */
const maxWaitMs = 30_000;
const pathOf = (id: string): string => `/v1/votes/${encodeURIComponent(id)}`;

function addOpening(vote: Command, context: Context): void {
  vote
    .command('open')
    .description('put something to the vote of the members')
    .argument('<subject>')
    .option('--kind <kind>', 'which policy of the nodes applies (default decision)')
    .option('--payload <text>', 'what is voted on, at most 64 KiB: text, @file or - for stdin')
    .option('--options <list>', 'divided by commas (default approve,reject)', list)
    .option('--min-support <n>', 'ballots that an option needs (default the quorum)', wholeNumber(1, 128))
    .option('--timeout-ms <duration>', 'how long members wait for ballots', duration)
    .option('--wait', 'wait for the certificate and write it to --cert')
    .option('--cert <file>', 'where --wait writes the certificate (default cert-<first digits of the id>.json)')
    .option('--expect <option>', 'with --wait: end with 7 unless this option was decided, for example --expect approve')
    .action(async (subject: string, { wait = false, cert, payload, expect, ...flags }: OpenFlags, command: Command) => {
      const session = openSession(command, context);
      if (expect !== undefined && !wait) throw usageError('--expect needs the outcome', 'add --wait');
      const body = { subject, ...flags, ...(payload === undefined ? {} : { payload: await textOf(payload, context) }) };
      const opened = await session.http.request('POST', '/v1/votes', { body });
      if (!wait) return print(opened, session);
      const answer = await decided(opened, session);
      const file = cert ?? `cert-${voteSchema.parse(answer).id.slice(0, 8)}.json`;
      await writeCertificate(answer, file);
      await print(answer, session);
      session.printer.note(`The certificate is in ${file}; check it with: quorate vote verify ${file} --genesis FILE`);
      judge(answer, expect);
    });
  vote
    .command('cast')
    .description("give your opinion to the node you ask, for its one ballot; it can't be changed")
    .argument('<id>')
    .argument('<choice>')
    .action(async (id: string, choice: string, _flags: unknown, command: Command) => {
      const session = openSession(command, context);
      // Going on to another endpoint would cast another node's ballot.
      if (session.settings.endpoints.length > 1) throw usageError('a ballot is given to one node', 'name one endpoint');
      await print(await session.http.request('POST', `${pathOf(id)}/ballots`, { body: { choice } }), session);
    });
}

function addReading(vote: Command, context: Context): void {
  vote
    .command('get')
    .description('show a vote: who voted what, and what came of it')
    .argument('<id>')
    .option('--wait', 'wait for the certificate')
    .action(async (id: string, { wait = false }: { readonly wait?: boolean }, command: Command) => {
      const session = openSession(command, context);
      const answer = await session.http.request('GET', pathOf(id));
      await print(wait ? await decided(answer, session) : answer, session);
    });
  vote
    .command('list')
    .description('list votes, open ones first')
    .option('--limit <n>', 'at most', wholeNumber(1, 1000))
    .action(async ({ limit }: { readonly limit?: number }, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('GET', '/v1/votes', { query: { limit } });
      const { items } = pageOf(voteSchema).parse(answer);
      printer.rows(answer, items, ['ID', 'STATE', 'OUTCOME', 'KIND', 'SUBJECT'], (one) => [
        one.id,
        one.state,
        one.outcome ?? '',
        one.kind,
        one.subject,
      ]);
    });
  vote
    .command('cert')
    .description("write a vote's certificate to a file, or to stdout")
    .argument('<id>')
    .argument('[file]')
    .action(async (id: string, file: string | undefined, _flags: unknown, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('GET', pathOf(id));
      if (file === undefined) printer.line(certificateText(answer));
      else await writeCertificate(answer, file);
    });
}

/** Waits until the vote has a certificate, as long as it takes or --timeout allows. */
async function decided(answer: unknown, { http, settings, printer }: Session): Promise<unknown> {
  const endMs = performance.now() + (settings.givenTimeoutMs ?? Number.POSITIVE_INFINITY);
  let latest = answer;
  for (let vote = voteSchema.parse(latest); vote.state === 'open'; vote = voteSchema.parse(latest)) {
    const leftMs = Math.min(maxWaitMs, Math.ceil(endMs - performance.now()));
    if (leftMs <= 0)
      throw new CliError(
        exitCodes.timeout,
        `the vote ${vote.id} is still open`,
        `see \`quorate vote get ${vote.id}\`; it may still be decided`,
      );
    latest = await http.request('GET', pathOf(vote.id), { query: { wait: `${leftMs}ms` }, waitMs: leftMs });
    const { id } = voteSchema.parse(latest);
    if (id !== vote.id)
      printer.note(`The members have changed before ${vote.id} was decided: it goes on as ${id}, with ballots of its own`);
  }
  return latest;
}

/** @throws CliError when the vote ended without an option, or with another than was expected: a script must not go on. */
function judge(answer: unknown, expected: string | undefined): void {
  const { id, state, outcome } = voteSchema.parse(answer);
  const advice = `see who voted what with \`quorate vote get ${id}\``;
  if (state === 'no_consensus') throw new CliError(exitCodes.denied, `no option won (${outcome ?? ''})`, advice);
  if (expected !== undefined && outcome !== expected)
    throw new CliError(exitCodes.denied, `${outcome ?? ''} was decided, not ${expected}`, advice);
}

async function print(answer: unknown, { http, printer }: Session): Promise<void> {
  const vote = voteSchema.parse(answer);
  const names = new Map<string, string>();
  if (printer.format === 'table')
    for (const { nodeId, name } of membersSchema.parse(await http.request('GET', '/v1/members')).items) names.set(nodeId, name);
  printer.value(answer, () => voteText(vote, (node) => names.get(node) ?? node));
}

function certificateText(answer: unknown): string {
  const { id, certificate } = voteSchema.parse(answer);
  if (certificate === undefined)
    throw new CliError(exitCodes.notFound, `the vote ${id} has no certificate yet`, `wait for it with \`quorate vote get ${id} --wait\``);
  return `${JSON.stringify(certificate, undefined, 2)}\n`;
}

async function writeCertificate(answer: unknown, file: string): Promise<void> {
  try {
    await writeFile(file, certificateText(answer));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(exitCodes.error, `${file} can't be written: ${messageOf(error)}`, 'name another file with --cert', { cause: error });
  }
}
