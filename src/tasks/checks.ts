import { type Failure, failure } from '../core/errors.ts';
import { isName } from '../core/ids.ts';
import type { Command, JoinMember, PutMember, RegisterAgent, SubmitTask } from './commands.ts';
import { commandBounds as bounds, maxPriority } from './limits.ts';
import { maxAssignmentsPerCommand } from './task.ts';

/**
 * What is wrong with a command's fields, if anything. The front doors check the same and more; this is the last line: a value out of bounds in the log
 * must be refused alike by all nodes and must never stop them.
 */
export function checkCommand(command: Command): Failure | undefined {
  switch (command.op) {
    case 'PutKey':
      return checkKey(command.key) ?? checkVersion(command.ifVersion) ?? within(command.value, bounds.maxValue, 'value');
    case 'DeleteKey':
      return checkKey(command.key) ?? checkVersion(command.ifVersion);
    case 'PutSecret':
      return checkSecret(command.name) ?? within(command.value, bounds.maxSecret, 'value');
    case 'DeleteSecret':
      return checkSecret(command.name);
    case 'OpenSession':
      return named(command.nonce, 'nonce');
    case 'RegisterAgent':
      return checkAgent(command);
    case 'SubmitTask':
      return checkTask(command);
    case 'CheckpointTask':
      return (
        whole(command.seq, 0, Number.MAX_SAFE_INTEGER, 'seq') ??
        within(command.digest, bounds.maxName, 'digest') ??
        within(command.ref, bounds.maxKey, 'ref')
      );
    case 'CompleteTask':
      return within(command.result, bounds.maxResult, 'result');
    case 'FailTask':
      return within(command.error, bounds.maxError, 'error');
    case 'AssignTasks':
      return whole(command.assignments.length, 0, maxAssignmentsPerCommand, 'number of assignments');
    case 'ExpireLeases':
      return whole(command.leases.length, 0, bounds.maxItems, 'number of leases');
    case 'AgentsDown':
      return whole(command.agents.length, 0, bounds.maxItems, 'number of agents');
    case 'PutMember':
      return checkMember(command);
    case 'JoinMember':
      return checkMember(command) ?? named(command.tokenHash, 'hash of the token');
    case 'PutJoinToken':
      return named(command.hash, 'hash of the token') ?? whole(command.ttlMs, 1, bounds.maxTimeMs, 'ttlMs');
    case 'ForgetMember':
    case 'DrainAgent':
    case 'DeregisterAgent':
    case 'CancelTask':
    case 'RetryTask':
    case 'StartTask':
    case 'ReleaseTask':
    case 'CancelAck':
    case 'Tick':
      return undefined;
  }
}

function checkKey(key: string): Failure | undefined {
  return key.length > 0 ? within(key, bounds.maxKey, 'key') : failure('invalid_argument', 'the key must not be empty');
}

const checkSecret = (name: string): Failure | undefined =>
  isName(name) ? undefined : failure('invalid_argument', 'the name of the secret is not a name');

function checkVersion(version: number | undefined): Failure | undefined {
  return version === undefined ? undefined : whole(version, 0, Number.MAX_SAFE_INTEGER, 'ifVersion');
}

function checkMember({ member: { nodeId, name, http, peer } }: PutMember | JoinMember): Failure | undefined {
  if (!isName(nodeId) || !isName(name)) return failure('invalid_argument', 'the member has no proper id or name');
  return within(http, bounds.maxKey, 'http address') ?? within(peer, bounds.maxKey, 'peer address');
}

function checkAgent(command: RegisterAgent): Failure | undefined {
  if (!isName(command.agent)) return failure('invalid_argument', 'the agent id is not a name');
  if (!(command.weight > 0 && command.weight <= bounds.maxWeight)) return failure('invalid_argument', 'weight is out of bounds');
  const labels = Object.entries(command.labels);
  if (labels.length > bounds.maxNames) return failure('invalid_argument', 'too many labels');
  for (const [label, value] of labels) {
    const wrong = named(label, 'label') ?? within(value, bounds.maxKey, 'label value');
    if (wrong !== undefined) return wrong;
  }
  return (
    allNamed(command.capabilities, 'capability') ??
    allNamed(command.swarms, 'swarm') ??
    whole(command.concurrency, 1, bounds.maxConcurrency, 'concurrency') ??
    whole(command.ttlMs, 1, bounds.maxTtlMs, 'ttlMs') ??
    (command.group === undefined ? undefined : named(command.group, 'group')) ??
    within(command.node, bounds.maxName, 'node')
  );
}

function checkTask(command: SubmitTask): Failure | undefined {
  if (!isName(command.task)) return failure('invalid_argument', 'the task id is not a name');
  const { baseMs, factor, maxMs } = command.backoff;
  if (!(factor >= 1 && factor <= bounds.maxFactor)) return failure('invalid_argument', 'backoff.factor is out of bounds');
  return (
    named(command.type, 'type') ??
    within(command.payload, bounds.maxPayload, 'payload') ??
    within(command.digest, bounds.maxName, 'digest') ??
    allNamed(command.requires, 'required capability') ??
    (command.swarm === undefined ? undefined : named(command.swarm, 'swarm')) ??
    whole(command.priority, 0, maxPriority, 'priority') ??
    whole(command.maxAttempts, 1, bounds.maxAttempts, 'maxAttempts') ??
    whole(command.leaseMs, 1, bounds.maxTimeMs, 'leaseMs') ??
    (command.deadlineMs === undefined ? undefined : whole(command.deadlineMs, 0, bounds.maxTimeMs, 'deadlineMs')) ??
    whole(command.delayMs, 0, bounds.maxTimeMs, 'delayMs') ??
    whole(baseMs, 0, bounds.maxTimeMs, 'backoff.baseMs') ??
    whole(maxMs, 0, bounds.maxTimeMs, 'backoff.maxMs')
  );
}

function whole(value: number, low: number, high: number, what: string): Failure | undefined {
  if (Number.isSafeInteger(value) && value >= low && value <= high) return undefined;
  return failure('invalid_argument', `${what} must be a whole number from ${low} to ${high}`);
}

function within(text: string, most: number, what: string): Failure | undefined {
  return text.length <= most ? undefined : failure('too_large', `${what} is longer than ${most} characters`, { max: most });
}

function named(text: string, what: string): Failure | undefined {
  return text.length > 0 && text.length <= bounds.maxName
    ? undefined
    : failure('invalid_argument', `${what} must have 1 to ${bounds.maxName} characters`);
}

function allNamed(names: readonly string[], what: string): Failure | undefined {
  if (names.length > bounds.maxNames) return failure('invalid_argument', `more than ${bounds.maxNames} of ${what}`);
  for (const name of names) {
    const wrong = named(name, what);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
