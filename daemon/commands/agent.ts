import type { Command } from 'commander';
import { agentSchema, pageOf, registeredSchema } from '../answers.ts';
import { duration, list, wholeNumber } from '../arguments.ts';
import { interrupted, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { Judge } from '../agent/judge.ts';
import { openSession, type Session } from '../session.ts';
import { runCommands } from '../agent/worker.ts';

const pathOf = (id: string): string => `/v1/agents/${encodeURIComponent(id)}`;

interface RegisterFlags {
  readonly capabilities: readonly string[];
  readonly swarms?: readonly string[];
  readonly concurrency?: number;
  readonly ttlMs?: number;
}

interface QueryFlags {
  readonly all?: string;
  readonly any?: string;
  readonly none?: string;
  readonly swarm?: string;
  readonly status?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

/** `agent register`, `list`, `get`, `query`, `heartbeat`, `drain`, `deregister`, `watch`, `run`. */
export function addAgentCommands(program: Command, context: Context): void {
  const agent = program.command('agent').description('workers');
  addRegistration(agent, context);
  addQueries(agent, context);
  addRun(agent, context);
}

function addRegistration(agent: Command, context: Context): void {
  agent
    .command('register')
    .description('register an agent')
    .argument('<id>')
    .requiredOption('--capabilities <names>', 'what it can do, divided by commas', list)
    .option('--swarms <names>', 'swarms it belongs to', list)
    .option('--concurrency <n>', 'tasks at once', wholeNumber(1, 10_000))
    .option('--ttl-ms <duration>', 'silence after which it counts as down', duration)
    .action(async (id: string, { capabilities, swarms, concurrency, ttlMs }: RegisterFlags, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('PUT', pathOf(id), { body: { capabilities, swarms, concurrency, ttlMs } });
      const { generation, heartbeatMs } = registeredSchema.parse(answer);
      printer.value(answer, () => `agent ${id} registered, generation ${generation}; it must be heard every ${heartbeatMs} ms`);
    });

  const beat = (name: string, description: string, status: string | undefined): void => {
    agent
      .command(name)
      .description(description)
      .argument('<id>')
      .option('--generation <n>', 'of its registration; the newest when absent', wholeNumber(0, Number.MAX_SAFE_INTEGER))
      .action(async (id: string, flags: { readonly generation?: number }, command: Command) => {
        const { http, printer } = openSession(command, context);
        const generation = flags.generation ?? agentSchema.parse(await http.request('GET', pathOf(id))).generation;
        const answer = await http.request('POST', `${pathOf(id)}/heartbeat`, {
          body: { generation, ...(status === undefined ? {} : { status }) },
          isRepeatable: true,
        });
        printer.value(answer, () => `agent ${id} ${status ?? 'heard'}`);
      });
  };
  beat('heartbeat', 'say that an agent lives', undefined);
  beat('drain', 'give an agent no more tasks', 'draining');

  agent
    .command('deregister')
    .description('remove an agent; its running tasks go to others')
    .argument('<id>')
    .action(async (id: string, _flags: unknown, command: Command) => {
      const { http, printer } = openSession(command, context);
      const answer = await http.request('DELETE', pathOf(id));
      printer.value(answer ?? {}, () => `agent ${id} deregistered`);
    });
}

function addQueries(agent: Command, context: Context): void {
  agent
    .command('get')
    .description('show an agent')
    .argument('<id>')
    .action(async (id: string, _flags: unknown, command: Command) => {
      const session = openSession(command, context);
      const answer = await session.http.request('GET', pathOf(id), { query: { consistency: session.settings.consistency } });
      showAgents(session, answer, [answer]);
    });
  for (const [name, description] of [
    ['list', 'list agents'],
    ['query', 'find agents by what they can do'],
  ] as const) {
    agent
      .command(name)
      .description(description)
      .option('--all <names>', 'capabilities it must all have')
      .option('--any <names>', 'capabilities of which it must have one')
      .option('--none <names>', 'capabilities it must not have')
      .option('--swarm <swarm>', 'of this swarm')
      .option('--status <status>', 'available, busy, draining, suspect or down')
      .option('--limit <n>', 'of one page', wholeNumber(1, 1000))
      .option('--cursor <cursor>', 'where the page before ended')
      .action(async ({ all, any, none, swarm, status, limit, cursor }: QueryFlags, command: Command) => {
        const session = openSession(command, context);
        const query = { all, any, none, swarm, status, limit, cursor, consistency: session.settings.consistency };
        const answer = await session.http.request('GET', '/v1/agents', { query });
        showAgents(session, answer, pageOf(agentSchema).parse(answer).items);
      });
  }
  agent
    .command('watch')
    .description('print what happens to agents')
    .option('--from <index>', 'begin after this log index', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .action(async ({ from }: { readonly from?: number }, command: Command) => {
      const { http, printer } = openSession(command, context);
      for await (const { data } of http.events('/v1/events', { kinds: 'agent', from })) printer.event(data, () => JSON.stringify(data));
    });
}

function showAgents({ printer }: Session, whole: unknown, items: readonly unknown[]): void {
  printer.rows(whole, items, ['AGENT', 'STATUS', 'NODE', 'LOAD', 'CAPABILITIES', 'SWARMS', 'SEEN'], (item) => {
    const one = agentSchema.parse(item);
    const where = typeof one.heardBy === 'string' ? ` at ${one.heardBy}` : '';
    const seen = typeof one.lastSeenMs === 'number' ? `${(one.lastSeenMs / 1000).toFixed(1)}s ago${where}` : '-';
    return [one.id, one.status, one.node ?? '-', String(one.load ?? '-'), one.capabilities.join(','), one.swarms.join(',') || '-', seen];
  });
}

interface RunFlags extends RegisterFlags {
  readonly id: string;
  readonly concurrency: number;
  readonly exec?: string;
  readonly judge?: string;
}

function addRun(agent: Command, context: Context): void {
  agent
    .command('run')
    .description("a worker: claims tasks and runs a command for each, or gives a node's opinion on votes")
    .requiredOption('--id <id>', 'name of the agent')
    .requiredOption('--capabilities <names>', 'what it can do, divided by commas', list)
    .option('--exec <command>', 'shell command for a task; gets the payload on stdin, its stdout is the result')
    .option('--judge <command>', 'shell command for a vote of a capability opinion:KIND; gets the vote on stdin, its stdout is the choice')
    .option('--concurrency <n>', 'tasks at once', wholeNumber(1, 256), 4)
    .option('--swarms <names>', 'swarms it belongs to', list)
    .option('--ttl-ms <duration>', 'silence after which it counts as down', duration)
    .action(async ({ id, exec, judge: opinion, ...registration }: RunFlags, command: Command) => {
      const { settings, http, printer } = openSession(command, context);
      if (exec === undefined && opinion === undefined) throw usageError('there is nothing to run', 'give --exec or --judge a command');
      if (opinion !== undefined && settings.endpoints.length > 1) throw usageError('an opinion is that of one node', 'name one endpoint');
      const log = (text: string): void => printer.note(text);
      const judge = opinion === undefined ? undefined : new Judge({ exec: opinion, http, log, env: context.env });
      await runCommands({ settings, agent: { id, ...registration }, exec, judge, env: context.env, log }, context.interrupt);
      if (context.interrupt.reason === 'SIGINT') throw interrupted();
    });
}
