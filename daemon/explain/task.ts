import type { AgentAnswer, TaskAnswer } from '../answers.ts';
import { count, type Explanation } from './explanation.ts';

/** Why a task is where it is: who holds it and by which fence, or what it waits for. `able`: agents that have what it requires. */
export function explainTask(task: TaskAnswer, able: readonly AgentAnswer[]): Explanation {
  const { id, type, state, attempt, maxAttempts, history = [] } = task;
  return {
    verdict: `task ${id} (${type}) is ${state}`,
    reasons: [
      ...because(task, able),
      `attempt ${attempt}${maxAttempts === undefined ? '' : ` of ${maxAttempts}`}, priority ${task.priority}`,
      ...history.map(({ index, state: was, agent, reason }) =>
        [
          `  at index ${index} ${was}`,
          typeof agent === 'string' ? ` (${agent})` : '',
          typeof reason === 'string' ? `: ${reason}` : '',
        ].join(''),
      ),
    ],
  };
}

function because(task: TaskAnswer, able: readonly AgentAnswer[]): string[] {
  const { state, agent, fence, error } = task;
  const holder = `${agent ?? 'nobody'} holds it by fence ${fence ?? '-'}`;
  switch (state) {
    case 'pending':
      return [waiting(task, able)];
    case 'assigned':
      return [`${holder}, and has not said yet that it began`];
    case 'running':
      return [`${holder}: a result under any other fence is refused`];
    case 'cancelling':
      return [`${holder}, and is told to stop`];
    case 'retry_wait':
      return ['it failed and waits for its next attempt', ...lastError(error)];
    case 'dead':
      return ['all its attempts failed, or it must not be tried again: `quorate task retry` revives it', ...lastError(error)];
    case 'expired':
      return ['its deadline has passed'];
    default:
      return lastError(error);
  }
}

const lastError = (error: unknown): string[] => (typeof error === 'string' ? [`the last error: ${error}`] : []);

function waiting({ requires, swarm }: TaskAnswer, able: readonly AgentAnswer[]): string {
  const what = `${requires.join(', ') || 'nothing'}${typeof swarm === 'string' ? ` in the swarm ${swarm}` : ''}`;
  if (able.length === 0) return `it requires ${what}, and no registered agent can do that`;
  const statuses = [...new Set(able.map(({ status }) => status))].toSorted();
  const counts = statuses.map((status) => `${able.filter((agent) => agent.status === status).length} ${status}`).join(', ');
  const next = statuses.includes('available') ? 'it goes to the first that asks for work' : 'it waits until one of them is free';
  return `it requires ${what}: ${count(able.length, 'agent')} can do that (${counts}); ${next}`;
}
