import type { AgentView, EvidenceView } from '../node/service.ts';
import type { Task } from '../tasks/task.ts';

/** A task as the contract shows it; absent fields are left out. */
export function taskView(task: Task): Record<string, unknown> {
  const {
    id,
    type,
    state,
    attempt,
    fence,
    agent,
    error,
    requires,
    swarm,
    priority,
    maxAttempts,
    leaseMs,
    backoff,
    createdIndex,
    checkpoint,
    history,
  } = task;
  return {
    id,
    type,
    state,
    attempt,
    fence: fence === 0 ? undefined : fence,
    agent,
    result: task.result === undefined ? undefined : JSON.parse(task.result),
    error,
    requires,
    swarm,
    priority,
    maxAttempts,
    leaseMs,
    backoff,
    payload: JSON.parse(task.payload),
    createdIndex,
    createdAt: new Date(task.createdTs).toISOString(),
    deadlineAt: task.deadlineTs === undefined ? undefined : new Date(task.deadlineTs).toISOString(),
    checkpoint,
    history,
  };
}

export function agentView({ agent, status, lastSeenMs, heardBy, report, reportedMs, evidence }: AgentView): Record<string, unknown> {
  const { id, generation, capabilities, swarms, node, load, role, group, concurrency, weight, labels, ttlMs } = agent;
  return {
    id,
    generation,
    capabilities,
    swarms,
    status,
    node,
    load,
    lastSeenMs: lastSeenMs ?? null,
    heardBy: heardBy ?? null,
    role,
    group,
    concurrency,
    weight,
    labels,
    ttlMs,
    reported: report,
    reportedMs: reportedMs ?? null,
    evidence: evidence && evidenceView(evidence),
  };
}

function evidenceView({ noticedBy, measure, silenceMs, boundMs, patience, ageMs }: EvidenceView): Record<string, unknown> {
  return {
    noticedBy: noticedBy ?? null,
    measure,
    silenceMs: silenceMs === undefined ? null : Math.round(silenceMs),
    boundMs,
    patience: patience ?? null,
    ageMs,
  };
}
