import type { GuardedAction } from '../byzantine/guard.ts';
import { failure } from '../core/errors.ts';
import type { LogIndex, NodeId } from '../core/ids.ts';
import type { ConfigurationChange } from '../raft/configuration-change.ts';
import type { Configuration } from '../raft/messages.ts';
import type { Question, Reply } from '../wire/frames.ts';
import type { Answer } from './service.ts';

export interface LeaderRequestPorts {
  readonly ask: (question: Question, timeoutMs: number | undefined, done: (reply: Reply) => void) => void;
  readonly leader: () => NodeId | undefined;
}

/** What is asked of whoever leads, on any node. */
export class LeaderRequests {
  readonly #ports: LeaderRequestPorts;

  constructor(ports: LeaderRequestPorts) {
    this.#ports = ports;
  }

  /** Changes the members; answers with the configuration once the change is applied and a joint one that leaves itself is left. */
  changeMembers(change: ConfigurationChange, timeoutMs: number | undefined, done: (answer: Answer<Configuration>) => void): void {
    this.#ports.ask({ kind: 'members', change }, timeoutMs, (reply) =>
      done(reply.kind === 'members' ? { ok: true, value: reply.configuration } : failed(reply)),
    );
  }

  /** Hands leadership to a voter, by default to the one that is furthest; answers with the new leader. */
  transferLeadership(to: NodeId | undefined, timeoutMs: number | undefined, done: (answer: Answer<NodeId>) => void): void {
    const from = this.#ports.leader();
    if (from === undefined) return done({ ok: false, failure: failure('no_leader', 'there is no leader to hand over') });
    return this.#ports.ask({ kind: 'transfer', from, to }, timeoutMs, (reply) =>
      done(reply.kind === 'transfer' ? { ok: true, value: reply.leader } : failed(reply)),
    );
  }

  /** Has an approved action carried out by the log; answers with the index of the entry that did. */
  enact(action: GuardedAction, certificate: Uint8Array, timeoutMs: number | undefined, done: (answer: Answer<LogIndex>) => void): void {
    this.#ports.ask({ kind: 'enact', action, certificate }, timeoutMs, (reply) =>
      done(reply.kind === 'enacted' ? { ok: true, value: reply.index } : failed(reply)),
    );
  }
}

const failed = (reply: Reply): Answer<never> => ({
  ok: false,
  failure: reply.kind === 'failure' ? reply.failure : failure('internal', 'the leader answered another question'),
});
