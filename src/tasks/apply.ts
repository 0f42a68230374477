import { unreachable } from '../core/assert.ts';
import { agentsDown, deregisterAgent, drainAgent, registerAgent } from './apply-agents.ts';
import { cancelTask, retryTask, submitTask } from './apply-client.ts';
import { cancelAck, checkpointTask, completeTask, failTask, releaseTask, startTask } from './apply-holder.ts';
import { deleteKey, putKey } from './apply-keys.ts';
import { assignTasks, expireLeases, tick } from './apply-leader.ts';
import { deleteSecret, putSecret } from './apply-secrets.ts';
import { forgetMember, joinMember, putJoinToken, putMember } from './apply-members.ts';
import { checkCommand } from './checks.ts';
import type { Command } from './commands.ts';
import { accepted, type Machine, type Outcome } from './machine.ts';

/** True for the leader's own decisions, which no client may make. */
export function isLeadersCommand(command: Command): boolean {
  return command.op === 'AssignTasks' || command.op === 'ExpireLeases' || command.op === 'AgentsDown' || command.op === 'Tick';
}

/** Executes one command. Total: every command, however wrong, has an outcome, and a refused one has changed nothing but the orphan ring. */
export function execute(machine: Machine, command: Command): Outcome {
  const wrong = checkCommand(command);
  if (wrong !== undefined) return { ok: false, failure: wrong };
  switch (command.op) {
    case 'OpenSession':
      return accepted({ kind: 'session', session: machine.sessions.open(command.nonce, machine.index, machine.ts) });
    case 'PutKey':
      return putKey(machine, command);
    case 'DeleteKey':
      return deleteKey(machine, command);
    case 'PutSecret':
      return putSecret(machine, command);
    case 'DeleteSecret':
      return deleteSecret(machine, command);
    case 'RegisterAgent':
      return registerAgent(machine, command);
    case 'DrainAgent':
      return drainAgent(machine, command);
    case 'DeregisterAgent':
      return deregisterAgent(machine, command);
    case 'SubmitTask':
      return submitTask(machine, command);
    case 'CancelTask':
      return cancelTask(machine, command);
    case 'RetryTask':
      return retryTask(machine, command);
    case 'PutMember':
      return putMember(machine, command);
    case 'ForgetMember':
      return forgetMember(machine, command);
    case 'PutJoinToken':
      return putJoinToken(machine, command);
    case 'JoinMember':
      return joinMember(machine, command);
    case 'StartTask':
      return startTask(machine, command);
    case 'CheckpointTask':
      return checkpointTask(machine, command);
    case 'CompleteTask':
      return completeTask(machine, command);
    case 'FailTask':
      return failTask(machine, command);
    case 'ReleaseTask':
      return releaseTask(machine, command);
    case 'CancelAck':
      return cancelAck(machine, command);
    case 'AssignTasks':
      return assignTasks(machine, command);
    case 'ExpireLeases':
      return expireLeases(machine, command);
    case 'AgentsDown':
      return agentsDown(machine, command);
    case 'Tick':
      return tick(machine);
    default:
      return unreachable(command);
  }
}
