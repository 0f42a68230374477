import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { pageOf } from '../answers.ts';
import { wholeNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import { jsonOf, readText, textOf } from '../payload.ts';
import { openSession } from '../session.ts';

const decisionSchema = z.object({
  proposal: z.string(),
  kind: z.string(),
  subject: z.string(),
  epoch: z.number(),
  index: z.number(),
  ts: z.number(),
});
const epochSchema = z.object({ epoch: z.number(), members: z.array(z.string()), guarded: z.boolean() });

/** The certificate in a file that a vote made. @throws CliError if there is none. */
export const readCertificate = async (path: string): Promise<unknown> => jsonOf(await readText(path), path);

/** `vote enact`, `vote decisions`, `vote epoch`: what becomes of a certificate. */
export function addDecisionCommands(vote: Command, context: Context): void {
  vote
    .command('enact')
    .description('have the cluster carry out what a certificate says was approved; a repeat changes nothing')
    .argument('<file>', 'the certificate')
    .option('--payload <text>', 'what was voted on: text, @file or - for stdin (default none)')
    .option('--subject <subject>', 'which item, where there are several')
    .action(async (file: string, flags: { readonly payload?: string; readonly subject?: string }, command: Command) => {
      const { http, printer } = openSession(command, context);
      const payload = flags.payload === undefined ? {} : { payload: await textOf(flags.payload, context) };
      const body = { ...flags, ...payload, certificate: await readCertificate(file) };
      const answer = await http.request('POST', '/v1/decisions', { body, isRepeatable: true });
      printer.value(answer, () => `carried out at index ${z.object({ index: z.number() }).parse(answer).index}`);
    });
  vote
    .command('decisions')
    .description('list the decisions that were carried out, newest first')
    .option('--kind <kind>', 'of this kind alone')
    .option('--subject <subject>', 'about this alone')
    .option('--limit <n>', 'at most', wholeNumber(1, 1000))
    .action(async (query: { readonly kind?: string; readonly subject?: string; readonly limit?: number }, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('GET', '/v1/decisions', { query });
      printer.rows(answer, pageOf(decisionSchema).parse(answer).items, ['INDEX', 'EPOCH', 'KIND', 'SUBJECT', 'PROPOSAL'], (one) => [
        String(one.index),
        String(one.epoch),
        one.kind,
        one.subject,
        one.proposal,
      ]);
    });
  vote
    .command('epoch')
    .description('show the members that vote; with a file: write the chain that proves them, for vote verify --chain')
    .argument('[file]')
    .action(async (file: string | undefined, _flags: unknown, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('GET', '/v1/epoch');
      if (file !== undefined) await writeFile(file, `${JSON.stringify(answer, undefined, 2)}\n`);
      const { epoch, members, guarded } = epochSchema.parse(answer);
      printer.value(answer, () =>
        [
          `epoch ${epoch}, ${members.length} members${guarded ? '; their changes need a certificate' : ''}`,
          ...members.map((id) => `  ${id}`),
        ].join('\n'),
      );
    });
}

/** `secret put`, `get`, `delete`. */
export function addSecretCommands(program: Command, context: Context): void {
  const secret = program.command('secret').description('values that are handed out only after a vote');
  const pathOf = (name: string): string => `/v1/secrets/${encodeURIComponent(name)}`;
  secret
    .command('put')
    .description('store a secret, locked; - reads it from stdin')
    .argument('<name>')
    .argument('<value>', 'text, @file or -')
    .action(async (name: string, value: string, _flags: unknown, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('PUT', pathOf(name), { body: { value: await textOf(value, context) }, isRepeatable: true });
      printer.value(answer, () => `${name} is stored, and locked`);
    });
  secret
    .command('get')
    .description('print a secret that is unlocked')
    .argument('<name>')
    .action(async (name: string, _flags: unknown, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('GET', pathOf(name));
      printer.value(answer, () => z.object({ value: z.string() }).parse(answer).value);
    });
  secret
    .command('delete')
    .description('delete a secret')
    .argument('<name>')
    .action(async (name: string, _flags: unknown, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('DELETE', pathOf(name));
      printer.value(answer, () => `${name} is deleted`);
    });
}
