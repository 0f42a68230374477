import type { Command } from 'commander';
import { keySchema, pageOf, writtenSchema } from '../answers.ts';
import { wholeNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import { ApiError, pause } from '../http.ts';
import { openSession, type Session } from '../session.ts';

const pathOf = (key: string): string => `/v1/kv/${encodeURIComponent(key)}`;
const version = wholeNumber(0, Number.MAX_SAFE_INTEGER);

/** `kv get`, `put`, `delete`, `list`, `watch`. */
export function addKvCommands(program: Command, context: Context): void {
  const kv = program.command('kv').description('keys and values');

  kv.command('get')
    .description('print the value of a key')
    .argument('<key>')
    .action(async (key: string, _flags: unknown, command: Command) => {
      const { http, printer, settings } = openSession(command, context);
      const answer = await http.request('GET', pathOf(key), { query: { consistency: settings.consistency } });
      printer.value(answer, () => keySchema.parse(answer).value);
    });

  kv.command('put')
    .description('set the value of a key; - reads it from stdin')
    .argument('<key>')
    .argument('<value>')
    .option('--if-version <version>', 'only if the key has this version; 0: only if it does not exist', version)
    .action(async (key: string, value: string, { ifVersion }: { readonly ifVersion?: number }, command: Command) => {
      const { http, printer } = openSession(command, context);
      const body = { value: value === '-' ? await context.readStdin() : value, ...(ifVersion === undefined ? {} : { ifVersion }) };
      const answer = await http.request('PUT', pathOf(key), { body });
      printer.value(answer, () => `${key} at version ${writtenSchema.parse(answer).version ?? ''}`);
    });

  kv.command('delete')
    .description('delete a key')
    .argument('<key>')
    .option('--if-version <version>', 'only if the key has this version', version)
    .action(async (key: string, { ifVersion }: { readonly ifVersion?: number }, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('DELETE', pathOf(key), { query: { ifVersion } });
      printer.value(answer, () => `${key} deleted at index ${writtenSchema.parse(answer).index}`);
    });

  kv.command('list')
    .description('list keys')
    .option('--prefix <prefix>', 'keys that begin so', '')
    .option('--limit <n>', 'of one page', wholeNumber(1, 1000))
    .option('--cursor <cursor>', 'where the page before ended')
    .action(
      async (
        { prefix, limit, cursor }: { readonly prefix: string; readonly limit?: number; readonly cursor?: string },
        command: Command,
      ) => {
        const { http, printer, settings } = openSession(command, context);
        const answer = await http.request('GET', '/v1/kv', { query: { prefix, limit, cursor, consistency: settings.consistency } });
        const page = pageOf(keySchema).parse(answer);
        printer.rows(answer, page.items, ['KEY', 'VERSION', 'VALUE'], (item) => [item.key, String(item.version), item.value]);
        if (printer.format === 'table' && typeof page.cursor === 'string') printer.note(`Next: the same with --cursor ${page.cursor}`);
      },
    );

  kv.command('watch')
    .description('print a key now and at every change')
    .argument('<key>')
    .action(async (key: string, _flags: unknown, command: Command) => watch(key, openSession(command, context)));
}

async function watch(key: string, { http, printer, context }: Session): Promise<void> {
  let index = 0;
  let isMissing = false;
  while (!context.interrupt.aborted) {
    try {
      const query = index === 0 ? {} : { index, wait: '30s' };
      const item = keySchema.parse(await http.request('GET', pathOf(key), { query, waitMs: 30_000 }));
      if (item.version > index) printer.event(item, () => `${item.key}  version ${item.version}  ${item.value}`);
      index = item.version;
      isMissing = false;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'not_found') throw error;
      if (!isMissing) printer.event({ key, deleted: true }, () => `${key}  does not exist`);
      isMissing = true;
      // A missing key is answered at once.
      await pause(500, context.interrupt);
    }
  }
}
