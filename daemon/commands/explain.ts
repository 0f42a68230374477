import type { Command } from 'commander';
import { agentSchema, type AgentAnswer, membersSchema, pageOf, statusSchema, taskSchema } from '../answers.ts';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { explainAgent } from '../explain/agent.ts';
import { explainLeader } from '../explain/leader.ts';
import { explainPartition, explainSplit } from '../explain/partition.ts';
import { explainTask } from '../explain/task.ts';
import { type Explanation, explanationText } from '../explain/explanation.ts';
import { Http } from '../http.ts';
import { historySchema, partitionSchema } from '../partition/answers.ts';
import { openSession, type Session } from '../session.ts';
import { mendedText } from './partition.ts';

const heldStates: readonly string[] = ['assigned', 'running', 'cancelling'];
/** Of one page: more are not looked at. */
const limit = 1000;

/** `explain …`: why something is as it is, and how the node that was asked knows. */
export function addExplainCommands(program: Command, context: Context): void {
  const explain = program.command('explain').description('why an agent, a task, the leader or a partition is as it is');
  const session = (command: Command): Session => openSession(command, context);

  explain
    .command('agent')
    .description('why an agent has its status, who noticed it and by which measure, and what it holds')
    .argument('<id>')
    .action(async (id: string, _flags: unknown, command: Command) => showAgent(session(command), id));
  explain
    .command('task')
    .description('why a task is where it is: who holds it, or what it waits for')
    .argument('<id>')
    .action(async (id: string, _flags: unknown, command: Command) => showTask(session(command), id));
  explain
    .command('leader')
    .description('who leads and who follows, or why nobody does')
    .action(async (_flags: unknown, command: Command) => showLeader(session(command)));
  explain
    .command('partition')
    .description("who doesn't hear whom, by which measure, and what the node may do; or what a past split was")
    .argument('[id]', 'of a split, as in `partition history`')
    .action(async (id: string | undefined, _flags: unknown, command: Command) => showPartition(session(command), id));
}

/** As JSON, with the answers of the API that it was made from. */
function show({ printer }: Session, explanation: Explanation, from: Readonly<Record<string, unknown>>): void {
  printer.value({ ...explanation, ...from }, () => explanationText(explanation));
}

async function showAgent(session: Session, id: string): Promise<void> {
  const { http, settings } = session;
  const { consistency } = settings;
  const answer = await http.request('GET', `/v1/agents/${encodeURIComponent(id)}`, { query: { consistency } });
  const agent = await witnessed(agentSchema.parse(answer), session);
  const { items } = pageOf(taskSchema).parse(await http.request('GET', '/v1/tasks', { query: { agent: id, limit, consistency } }));
  const held = items.filter(({ state }) => heldStates.includes(state));
  show(session, explainAgent(agent, held), { agent, holds: held });
}

/** A node that was merely told by the log knows who noticed it: what that one measured says more, if it still knows. */
async function witnessed(agent: AgentAnswer, { http, context }: Session): Promise<AgentAnswer> {
  if (agent.evidence?.measure !== 'log') return agent;
  const { items } = membersSchema.parse(await http.request('GET', '/v1/members'));
  const witness = items.find(({ name }) => name === agent.evidence?.noticedBy);
  if (witness === undefined) return agent;
  try {
    const asked = new Http({ endpoints: [witness.http], timeoutMs: 1_000, signal: context.interrupt });
    const path = `/v1/agents/${encodeURIComponent(agent.id)}`;
    const { generation, evidence } = agentSchema.parse(await asked.request('GET', path, { query: { consistency: 'local' } }));
    return generation === agent.generation && evidence?.measure === 'silence' ? { ...agent, evidence } : agent;
  } catch {
    return agent;
  }
}

async function showTask(session: Session, id: string): Promise<void> {
  const { http, settings } = session;
  const { consistency } = settings;
  const answer = await http.request('GET', `/v1/tasks/${encodeURIComponent(id)}`, { query: { consistency } });
  const task = taskSchema.parse(answer);
  const query = { all: task.requires.join(',') || undefined, swarm: task.swarm ?? undefined, limit, consistency };
  const able = task.state === 'pending' ? pageOf(agentSchema).parse(await http.request('GET', '/v1/agents', { query })).items : [];
  show(session, explainTask(task, able), { task: answer, able });
}

async function showLeader(session: Session): Promise<void> {
  const status = await session.http.request('GET', '/v1/status');
  const partition = await session.http.request('GET', '/v1/partition');
  show(session, explainLeader(statusSchema.parse(status), partitionSchema.parse(partition)), { status, partition });
}

async function showPartition(session: Session, id: string | undefined): Promise<void> {
  const { items } = historySchema.parse(await session.http.request('GET', '/v1/partition/history'));
  if (id === undefined) {
    const partition = await session.http.request('GET', '/v1/partition');
    return show(session, explainPartition(partitionSchema.parse(partition), items), { partition });
  }
  const split = items.find((one) => one.id === id);
  if (split === undefined) throw new CliError(exitCodes.notFound, `this node knows no split ${id}`, 'see `quorate partition history`');
  return show(session, explainSplit(split, mendedText), { split });
}
