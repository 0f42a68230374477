import { unreachable } from '../core/assert.ts';
import type { Agent } from '../registry/agent.ts';
import type { ClusterState } from '../tasks/state.ts';
import type { Question, Report } from '../wire/frames.ts';

/** An agent of which something was heard, and what it said of itself, if it did. */
export interface Heard {
  readonly agent: Agent;
  readonly report: Report | undefined;
}

/** The agent that a question of its node shows to be alive; undefined if none, or if the log here knows the agent, or its hold of the task, in another way. */
export function heardIn(question: Question, { registry, tasks }: ClusterState): Heard | undefined {
  const known = ({ agent: id, generation }: { agent: Agent['id']; generation: number }): Agent | undefined => {
    const agent = registry.get(id);
    return agent?.generation === generation && agent.state !== 'down' ? agent : undefined;
  };
  const heard = (agent: Agent | undefined, report?: Report): Heard | undefined => (agent === undefined ? undefined : { agent, report });
  switch (question.kind) {
    case 'beat':
      return heard(known(question), question.report);
    case 'claim':
      // A claim that ends may have ended with the agent.
      return question.slots === 0 ? undefined : heard(known(question));
    case 'taskBeat': {
      const task = tasks.get(question.task);
      if (task?.agent === undefined || task.fence !== question.fence) return undefined;
      return heard(known({ agent: task.agent, generation: task.generation }));
    }
    case 'members':
    case 'transfer':
    case 'enact':
      return undefined;
    default:
      return unreachable(question);
  }
}
