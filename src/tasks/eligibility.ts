import type { Agent } from '../registry/agent.ts';
import type { Registry } from '../registry/registry.ts';
import type { TaskRecord } from './task-record.ts';

/**
 * True if the task passes over this agent, which lost it before: for a while, and only while another that is up could take it. Without the time bound a
 * task would wait for ever for an agent that never asks.
 */
export function isPassedOver(registry: Registry, task: TaskRecord, agent: Agent, ts: number): boolean {
  if (ts >= task.exclusionEndsTs || !task.excluded.includes(agent.id)) return false;
  return registry.hasOther(task.requires, task.swarm, task.excluded);
}

/** The guard of row 3: what makes an assignment right at the moment it is applied, whatever the leader believed when it proposed it. */
export function mayAssign(registry: Registry, task: TaskRecord, agent: Agent, generation: number, ts: number): boolean {
  return (
    task.state === 'pending' &&
    ts >= task.notBeforeTs &&
    (task.deadlineTs === undefined || task.deadlineTs > ts) &&
    task.attempt < task.maxAttempts &&
    agent.state === 'up' &&
    agent.generation === generation &&
    agent.load < agent.concurrency &&
    registry.satisfies(agent.id, task.requires, task.swarm) &&
    !isPassedOver(registry, task, agent, ts)
  );
}
