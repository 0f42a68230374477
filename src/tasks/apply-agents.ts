import type { AgentsDown, DeregisterAgent, DrainAgent, RegisterAgent } from './commands.ts';
import { accepted, done, emitAgent, type Machine, type Outcome, refused } from './machine.ts';
import { loseAllOf } from './transitions.ts';

/** Row 23. The generation is the entry's index: it rises without anybody remembering the agents that have gone. */
export function registerAgent(machine: Machine, command: RegisterAgent): Outcome {
  const { registry, limits, index } = machine;
  const before = registry.get(command.agent);
  if (before !== undefined) {
    // Whatever the older generation was doing, nobody can vouch for it any more.
    loseAllOf(machine, before.id, 'agent_replaced');
  } else if (registry.size >= limits.maxAgents) {
    const oldest = registry.oldestDown();
    if (oldest === undefined)
      return refused('overloaded', 'there are as many agents as this cluster keeps', { maxAgents: limits.maxAgents });
    registry.remove(oldest.id);
    emitAgent(machine, oldest, 'gone', 'forgotten');
  }
  const agent = registry.register(command, index);
  emitAgent(machine, agent, 'up', before === undefined ? undefined : 'replaced');
  return accepted({ kind: 'agent', generation: agent.generation });
}

/** Row 24. A repeat is welcome: it says what is already so. */
export function drainAgent(machine: Machine, command: DrainAgent): Outcome {
  const agent = machine.registry.get(command.agent);
  if (agent === undefined) return unknownAgent(command.agent);
  if (agent.state === 'down') return refused('wrong_state', 'the agent is down', { state: agent.state });
  if (agent.state === 'up') emitAgent(machine, machine.registry.setState(agent.id, 'draining'), 'draining', undefined);
  return accepted({ kind: 'agent', generation: agent.generation });
}

/** Row 24: its tasks go on elsewhere, as when it is lost. */
export function deregisterAgent(machine: Machine, command: DeregisterAgent): Outcome {
  const agent = machine.registry.get(command.agent);
  if (agent === undefined) return unknownAgent(command.agent);
  loseAllOf(machine, agent.id, 'agent_gone');
  machine.registry.remove(agent.id);
  emitAgent(machine, agent, 'gone', 'deregistered');
  return accepted({ kind: 'agent', generation: agent.generation });
}

/** Row 12. An agent that has registered anew meanwhile is not the one that was lost, and is left alone. */
export function agentsDown(machine: Machine, command: AgentsDown): Outcome {
  for (const { agent: id, generation } of command.agents) {
    const agent = machine.registry.get(id);
    if (agent === undefined || agent.generation !== generation || agent.state === 'down') continue;
    machine.registry.setState(id, 'down');
    emitAgent(machine, agent, 'down', 'lost');
    loseAllOf(machine, id, 'agent_down');
  }
  return done;
}

const unknownAgent = (id: string): Outcome => refused('unknown_agent', `no agent ${id} is registered`);
