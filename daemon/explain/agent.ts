import type { AgentAnswer, TaskAnswer } from '../answers.ts';
import { count, type Explanation, ms } from './explanation.ts';

/** Why an agent has its status, by which evidence, and what it holds. */
export function explainAgent(agent: AgentAnswer, held: readonly TaskAnswer[]): Explanation {
  const { id, status, node, capabilities } = agent;
  return {
    verdict: `agent ${id} is ${status}`,
    reasons: [
      ...(status === 'suspect' || status === 'down' ? [accusation(agent)] : []),
      lastHeard(agent),
      meaning(status),
      `registered at ${node ?? 'no node'}, generation ${agent.generation}, for ${capabilities.join(', ') || 'tasks that require nothing'}`,
      held.length === 0 ? 'it holds no task' : `it holds ${count(held.length, 'task')}:`,
      ...held.map((task) => `  ${task.id}, ${task.state}, attempt ${task.attempt}, fence ${task.fence ?? '-'}`),
    ],
  };
}

function accusation({ status, evidence }: AgentAnswer): string {
  if (evidence === undefined)
    return 'the log says that it was given up; this node has not seen why: it started later, or took over a snapshot';
  const { noticedBy, measure, silenceMs, boundMs, patience, ageMs } = evidence;
  const who = noticedBy ?? 'a leader';
  if (measure === 'log') {
    const own = silenceMs === null ? 'this node never heard it' : `this node had not heard it for ${ms(silenceMs)} then`;
    return `${who} gave it up as the leader, ${ms(ageMs)} ago; ${own}; it must be heard every ${ms(boundMs)}`;
  }
  if (measure === 'socket_closed') return `${who} lost its connection ${ms(ageMs)} ago, without a goodbye, and has not heard of it since`;
  const bound = `more than ${ms(boundMs)}${status === 'suspect' ? ', 1.25 of its heartbeats' : ', two of its heartbeats'}`;
  const stretched = patience === null || patience === 1 ? '' : `, times ${patience} since ${who} is slow itself`;
  const when = status === 'down' ? `; that was ${ms(ageMs)} ago` : '';
  return `${who} ${silenceMs === null ? 'never heard it' : `had not heard it for ${ms(silenceMs)} in which it listened`}: ${bound}${stretched}${when}`;
}

function lastHeard({ lastSeenMs, heardBy }: AgentAnswer): string {
  if (typeof lastSeenMs !== 'number') return 'it was never heard';
  // Without a node it is the log that spoke of it: it registered, or a new leader gave it its full time.
  return `last sign ${ms(lastSeenMs)} ago, ${typeof heardBy === 'string' ? `heard by ${heardBy}` : 'by the log alone'}`;
}

function meaning(status: string): string {
  switch (status) {
    case 'suspect':
      return 'it keeps its tasks: only the leader gives agents up, after two heartbeats, and by the log';
    case 'down':
      return 'its tasks went to others; it must register again';
    case 'draining':
      return 'it is given no more tasks';
    case 'busy':
      return 'it says so, or holds as many tasks as it takes at once';
    default:
      return 'it takes tasks when it asks for them';
  }
}
