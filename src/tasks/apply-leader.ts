import { assert } from '../core/assert.ts';
import type { AssignTasks, ExpireLeases } from './commands.ts';
import { mayAssign } from './eligibility.ts';
import { done, type Machine, type Outcome } from './machine.ts';
import { fenceOf } from './task.ts';
import { isHeld, type TaskRecord } from './task-record.ts';
import { become, end, lose, purgeOldest } from './transitions.ts';

// Commands of the leader. It decided on volatile knowledge, perhaps a while ago, perhaps as a leader no more: every pair is judged anew, and a bad one is
// skipped alone.

/** Row 3. */
export function assignTasks(machine: Machine, command: AssignTasks): Outcome {
  const { tasks, registry, index, ts } = machine;
  for (const [k, pair] of command.assignments.entries()) {
    const task = tasks.record(pair.task);
    const agent = registry.get(pair.agent);
    if (task === undefined || agent === undefined || !mayAssign(registry, task, agent, pair.generation, ts)) continue;
    const changes = { agent: agent.id, generation: agent.generation, fence: fenceOf(index, k), attempt: task.attempt + 1 };
    become(machine, task, 'assigned', changes, undefined);
  }
  return done;
}

/** Rows 11 and 18. */
export function expireLeases(machine: Machine, command: ExpireLeases): Outcome {
  for (const lease of command.leases) {
    const task = machine.tasks.record(lease.task);
    if (task !== undefined && task.fence === lease.fence && isHeld(task.state)) lose(machine, task, 'lease_expired');
  }
  return done;
}

/**
 * Rows 14, 19, 20 and 22, and the end of what is remembered for a time. The command carries no decision: everything that is due at the entry's time is
 * moved, in the order it became due, but boundedly much of each kind at once. Whatever is left is due still, so the leader ticks again.
 */
export function tick(machine: Machine): Outcome {
  const { tasks, sessions, idempotency, secrets, limits, ts } = machine;
  for (let moved = 0; moved < limits.maxMovesPerTick; moved++) {
    const task = tasks.nextTimer(ts);
    if (task === undefined) break;
    moveDue(machine, task);
  }
  for (let purged = 0; purged < limits.maxMovesPerTick; purged++) {
    const endedTs = tasks.oldestEnded()?.endedTs;
    if (endedTs === undefined || endedTs + limits.retentionMs > ts) break;
    purgeOldest(machine);
  }
  let forgotten = 0;
  for (const [id, purged] of tasks.purgedIds()) {
    if (forgotten >= limits.maxMovesPerTick || purged.ts + limits.purgedIdsMs > ts) break;
    tasks.forgetPurged(id);
    forgotten += 1;
  }
  secrets.lockDue(ts);
  sessions.expire(ts, limits.maxMovesPerTick);
  idempotency.expire(ts, limits.maxMovesPerTick);
  return done;
}

function moveDue(machine: Machine, task: TaskRecord): void {
  switch (task.state) {
    case 'pending':
      end(machine, task, 'expired', {}, 'deadline');
      break;
    case 'retry_wait':
      // A retry that comes due after the deadline would only be started to be cancelled.
      if (task.deadlineTs !== undefined && task.deadlineTs <= machine.ts) end(machine, task, 'expired', {}, 'deadline');
      else become(machine, task, 'pending', {}, 'retry_due');
      break;
    case 'assigned':
    case 'running':
      become(machine, task, 'cancelling', { cancelReason: 'deadline' }, 'deadline');
      break;
    case 'cancelling':
    case 'succeeded':
    case 'dead':
    case 'cancelled':
    case 'expired':
      assert(false, `time does not move a task that is ${task.state}`);
  }
}
