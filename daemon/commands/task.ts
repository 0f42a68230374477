import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { pageOf, submittedSchema, taskSchema, type TaskAnswer } from '../answers.ts';
import { duration, list, wholeNumber } from '../arguments.ts';
import { CliError, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Http } from '../http.ts';
import { jsonOf, readText, textOf } from '../payload.ts';
import { openSession, type Session } from '../session.ts';
import { submitMany } from '../submit-many.ts';

const pathOf = (id: string): string => `/v1/tasks/${encodeURIComponent(id)}`;

interface SubmitFlags {
  readonly from?: string;
  readonly id?: string;
  readonly requires?: readonly string[];
  readonly swarm?: string;
  readonly payload?: string;
  readonly priority?: number;
  readonly maxAttempts?: number;
  readonly leaseMs?: number;
  readonly deadlineMs?: number;
  readonly delayMs?: number;
  readonly wait?: boolean;
}

/** `task submit`, `get`, `list`, `wait`, `cancel`, `retry`, `watch`; `dlq list`, `retry`. */
export function addTaskCommands(program: Command, context: Context): void {
  const task = program.command('task').description('work for agents');
  addSubmit(task, context);
  addReads(task, context);
  task
    .command('cancel')
    .description('cancel a task')
    .argument('<id>')
    .action(async (id: string, _flags: unknown, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('DELETE', pathOf(id), { isRepeatable: true });
      printer.value(answer, () => `task ${id} is cancelled`);
    });
  const retryCommand = (parent: Command): void => {
    parent
      .command('retry')
      .description('revive a dead task')
      .argument('<id>')
      .action(async (id: string, _flags: unknown, command: Command) => {
        const { http, printer } = openSession(command, context);
        const answer = await http.request('POST', `${pathOf(id)}/retry`);
        printer.value(answer, () => `task ${id} is tried again`);
      });
  };
  retryCommand(task);
  const dlq = program.command('dlq').description('tasks that died');
  addList(dlq, context, 'tasks that died', 'dead');
  retryCommand(dlq);
}

function addSubmit(task: Command, context: Context): void {
  task
    .command('submit')
    .description('submit a task, or many with --from')
    .argument('[type]')
    .option('--from <file>', 'one task of JSON a line; - reads stdin')
    .option('--id <id>', 'name of the task; a repeat with the same body changes nothing')
    .option('--requires <capabilities>', 'what an agent must be able to do, divided by commas', list)
    .option('--swarm <swarm>', 'only agents of this swarm')
    .option('--payload <json>', 'JSON, @file or - for stdin')
    .option('--priority <n>', '0 to 9; higher goes first', wholeNumber(0, 9))
    .option('--max-attempts <n>', 'before it is dead', wholeNumber(1, 1_000_000))
    .option('--lease-ms <duration>', 'how long an agent may be silent', duration)
    .option('--deadline-ms <duration>', 'when it is of no use any more', duration)
    .option('--delay-ms <duration>', 'when it may begin', duration)
    .option('--wait', 'wait until it has ended; fails if the task fails')
    .action(async (type: string | undefined, flags: SubmitFlags, command: Command) => {
      const session = openSession(command, context);
      if (flags.from !== undefined) {
        await submitMany(flags.from === '-' ? await context.readStdin() : await readText(flags.from), session);
        return;
      }
      if (type === undefined) throw usageError('a task needs a type', 'write `quorate task submit TYPE`, or name a file with --from');
      const { from: _from, wait = false, payload, ...rest } = flags;
      const body = { type, ...rest, ...(payload === undefined ? {} : { payload: jsonOf(await textOf(payload, context), '--payload') }) };
      const answer = await session.http.request('POST', '/v1/tasks', { body, isRepeatable: true, idempotencyKey: randomUUID() });
      const { id, state } = submittedSchema.parse(answer);
      if (wait) await waitFor(id, session);
      else session.printer.value(answer, () => `task ${id} ${state}`);
    });
}

function addReads(task: Command, context: Context): void {
  task
    .command('get')
    .description('show a task')
    .argument('<id>')
    .action(async (id: string, _flags: unknown, command: Command) => {
      const { http, printer, settings } = openSession(command, context);
      const answer = await http.request('GET', pathOf(id), { query: { consistency: settings.consistency } });
      printer.value(answer, () => describe(taskSchema.parse(answer)));
    });
  addList(task, context, 'list tasks', undefined);
  task
    .command('wait')
    .description('wait until a task has ended; fails if the task failed')
    .argument('<id>')
    .action(async (id: string, _flags: unknown, command: Command) => waitFor(id, openSession(command, context)));
  task
    .command('watch')
    .description('print what happens to tasks')
    .option('--from <index>', 'begin after this log index', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .action(async ({ from }: { readonly from?: number }, command: Command) => {
      const { http, printer } = openSession(command, context);
      for await (const { data } of http.events('/v1/events', { kinds: 'task', from })) printer.event(data, () => JSON.stringify(data));
    });
}

interface ListFlags {
  readonly state?: string;
  readonly type?: string;
  readonly agent?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

function addList(parent: Command, context: Context, description: string, onlyState: string | undefined): void {
  const command = parent.command('list').description(description);
  if (onlyState === undefined) command.option('--state <state>', 'pending, assigned, running, succeeded, dead, …');
  command
    .option('--type <type>', 'of this type')
    .option('--agent <id>', 'held by this agent')
    .option('--limit <n>', 'of one page', wholeNumber(1, 1000))
    .option('--cursor <cursor>', 'where the page before ended')
    .action(async ({ state, type, agent, limit, cursor }: ListFlags, self: Command) => {
      const { http, printer, settings } = openSession(self, context);
      const query = { state: onlyState ?? state, type, agent, limit, cursor, consistency: settings.consistency };
      const answer = await http.request('GET', '/v1/tasks', { query });
      const page = pageOf(taskSchema).parse(answer);
      printer.rows(answer, page.items, ['TASK', 'TYPE', 'STATE', 'ATTEMPT', 'AGENT', 'REQUIRES'], (item) => [
        item.id,
        item.type,
        item.state,
        String(item.attempt),
        item.agent ?? '-',
        item.requires.join(',') || '-',
      ]);
      if (printer.format === 'table' && typeof page.cursor === 'string') printer.note(`Next: the same with --cursor ${page.cursor}`);
    });
}

const terminal: ReadonlySet<string> = new Set(['succeeded', 'dead', 'cancelled', 'expired']);

/** Shows the task once it has ended. Without --timeout there is no bound. */
async function waitFor(id: string, { http, printer, settings }: Session): Promise<void> {
  const answer = await ended(id, http, performance.now() + (settings.givenTimeoutMs ?? Infinity));
  const task = taskSchema.parse(answer);
  printer.value(answer, () => describe(task));
  if (task.state !== 'succeeded') throw new CliError(exitCodes.error, `task ${id} is ${task.state}`, `see \`quorate task get ${id}\``);
}

async function ended(id: string, http: Http, endMs: number): Promise<unknown> {
  for (;;) {
    const waitMs = Math.max(1, Math.min(30_000, Math.ceil(endMs - performance.now())));
    const answer = await http.request('GET', pathOf(id), {
      query: { wait: `${Math.ceil(waitMs / 1000)}s` },
      waitMs: Math.ceil(waitMs / 1000) * 1000,
    });
    const { state } = taskSchema.parse(answer);
    if (terminal.has(state)) return answer;
    if (performance.now() >= endMs)
      throw new CliError(exitCodes.timeout, `task ${id} is still ${state}`, `go on with \`quorate task wait ${id}\``);
  }
}

function describe({ id, type, state, attempt, agent, result, error, history = [] }: TaskAnswer): string {
  const facts = [
    `task ${id}  ${type}  ${state}  attempt ${attempt}${typeof agent === 'string' ? `  agent ${agent}` : ''}`,
    ...(result === undefined || result === null ? [] : [`result  ${JSON.stringify(result)}`]),
    ...(error === undefined || error === null ? [] : [`error   ${typeof error === 'string' ? error : JSON.stringify(error)}`]),
    ...history.map((step) => `  ${step.index}  ${step.state}  ${step.agent ?? ''}  ${step.reason ?? ''}`.trimEnd()),
  ];
  return facts.join('\n');
}
