import { unreachable } from '../core/assert.ts';
import type { Command } from './commands.ts';

/**
 * A cheap 53-bit hash of text (xmur-style mixing of two 32-bit lanes): whole-number arithmetic, so equal on every machine. It tells honest mistakes
 * apart and spreads numbers; it is no defence against somebody who searches for collisions.
 */
export function textHash(text: string): number {
  let low = 0xdeadbeef | 0;
  let high = 0x41c6ce57 | 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 2654435761);
    high = Math.imul(high ^ unit, 1597334677);
  }
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0);
}

/**
 * What a command asks for, as far as a client can repeat it. Left out is what differs between two deliveries of one request: the id that a node invents
 * for a task (the digest speaks for the body), and the node that took a registration.
 */
export function fingerprint(command: Command): string {
  return `${command.op}:${textHash(JSON.stringify(essence(command)))}`;
}

function essence(command: Command): unknown {
  switch (command.op) {
    case 'SubmitTask':
      return command.digest;
    case 'RegisterAgent':
      return [
        command.agent,
        command.capabilities,
        command.swarms,
        command.concurrency,
        command.weight,
        Object.entries(command.labels).toSorted(([a], [b]) => (a < b ? -1 : 1)),
        command.ttlMs,
        command.role ?? null,
        command.group ?? null,
      ];
    case 'OpenSession':
      return command.nonce;
    case 'PutKey':
      return [command.key, command.value, command.ifVersion ?? null];
    case 'DeleteKey':
      return [command.key, command.ifVersion ?? null];
    case 'PutSecret':
      return [command.name, command.value];
    case 'DeleteSecret':
      return command.name;
    case 'PutJoinToken':
      return [command.hash, command.ttlMs];
    case 'JoinMember':
    case 'PutMember': {
      const { nodeId, name, http, peer, promote } = command.member;
      return [nodeId, name, http, peer, promote];
    }
    case 'ForgetMember':
      return command.node;
    case 'DrainAgent':
    case 'DeregisterAgent':
      return command.agent;
    case 'CancelTask':
    case 'RetryTask':
      return command.task;
    case 'StartTask':
    case 'ReleaseTask':
    case 'CancelAck':
      return [command.task, command.fence];
    case 'CheckpointTask':
      return [command.task, command.fence, command.seq, command.digest, command.ref];
    case 'CompleteTask':
      return [command.task, command.fence, command.result];
    case 'FailTask':
      return [command.task, command.fence, command.error, command.retryable];
    case 'AssignTasks':
    case 'ExpireLeases':
    case 'AgentsDown':
    case 'Tick':
      return null;
    default:
      return unreachable(command);
  }
}
