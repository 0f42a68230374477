import type { GuardedAction } from '../byzantine/guard.ts';
import type { Clock } from '../core/clock.ts';
import { failure, type Failure } from '../core/errors.ts';
import type { LogIndex, NodeId } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import type { ConfigurationChange } from '../raft/configuration-change.ts';
import type { Configuration } from '../raft/messages.ts';
import type { Command, CommandResult, SessionCommand } from '../tasks/commands.ts';
import type { Question, Reply } from '../wire/frames.ts';
import type { Claims } from './claims.ts';
import { NodeSession } from './node-session.ts';
import type { Proposals } from './proposals.ts';
import type { Questions } from './questions.ts';
import type { Reads } from './reads.ts';
import type { Answer, ClaimedTask, ClaimRequest, Consistency, ReadPoint } from './service.ts';

export interface RequestPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** How long a request waits when it doesn't say. */
  readonly requestTimeoutMs: number;
  readonly proposals: Proposals;
  readonly questions: Questions;
  readonly reads: Reads;
  readonly claims: Claims;
  readonly isStopped: () => boolean;
  readonly isServing: () => boolean;
  /** Only a minority of the voters can be reached. */
  readonly isMinority: (nowMs: number) => boolean;
  readonly leader: () => NodeId | undefined;
  /** What an answer of this moment speaks of. */
  readonly readPoint: (nowMs: number) => ReadPoint;
  /** What an agent asks this node for shows that it lives, whether or not there is a leader to ask. */
  readonly hear: (question: Question, nowMs: number) => void;
  /** Something waits to be sent. */
  readonly onWaiting: () => void;
}

const minorityDetail = 'this node can reach only a minority of the cluster; ask another node, or read with consistency=local';

const removedDetail = 'this node was removed from the cluster; ask another';

const stoppingDetail = 'this node is stopping';

type Done<T> = (answer: Answer<T>) => void;
export type ReplyOf<K extends Reply['kind']> = Extract<Reply, { readonly kind: K }>;

/**
 * What is asked of a node. A request that can't be decided here is refused at once, if that is known; every other one waits with a deadline among its like:
 * commands, reads, questions to the leader, claims. Each is answered once.
 */
export class Requests {
  readonly #ports: RequestPorts;
  readonly #session: NodeSession;
  #isRemoved = false;

  constructor(ports: RequestPorts) {
    this.#ports = ports;
    this.#session = new NodeSession(ports.proposals, ports.random);
  }

  /** Proposes under this node's own session. */
  submit(command: Command, idempotencyKey: string | undefined, timeoutMs: number | undefined, done: Done<CommandResult>): void {
    const refused = this.#refusal();
    if (refused !== undefined) return done({ ok: false, failure: refused });
    this.#session.submit(command, idempotencyKey, this.#deadline(timeoutMs), done);
    this.#ports.onWaiting();
  }

  /** Proposes a command of a client's own session, already encoded. */
  submitEncoded(command: SessionCommand, bytes: Uint8Array, done: Done<CommandResult>): void {
    const refused = this.#refusal();
    if (refused !== undefined) return done({ ok: false, failure: refused });
    this.#ports.proposals.add(command, bytes, this.#deadline(undefined), done);
    this.#ports.onWaiting();
  }

  read(consistency: Consistency, timeoutMs: number | undefined, done: Done<ReadPoint>): void {
    const answer = (): void => done({ ok: true, value: this.#ports.readPoint(this.#ports.clock.monotonicMs()) });
    if (consistency === 'local' || (consistency === 'leader' && this.#ports.isServing())) return answer();
    const refused = this.#refusal();
    if (refused !== undefined) return done({ ok: false, failure: refused });
    this.#ports.reads.add(this.#deadline(timeoutMs), (confirmed) => (confirmed.ok ? answer() : done(confirmed)));
    this.#ports.onWaiting();
  }

  /** Asks the leader what only its memory knows; answers with a reply of this kind. */
  ask<K extends Reply['kind']>(question: Question, kind: K, timeoutMs: number | undefined, done: Done<ReplyOf<K>>): void {
    this.#ports.hear(question, this.#ports.clock.monotonicMs());
    const refused = this.#refusal();
    if (refused !== undefined) return done({ ok: false, failure: refused });
    this.#ports.questions.ask(question, this.#deadline(timeoutMs), (reply) => done(answerOf(reply, kind)));
    this.#ports.onWaiting();
  }

  /** Asks even when nobody is known who could answer: somebody may be in time. */
  askAnyway(question: Question, done: (reply: Reply) => void): void {
    this.#ports.hear(question, this.#ports.clock.monotonicMs());
    this.#ports.questions.ask(question, this.#deadline(undefined), done);
    this.#ports.onWaiting();
  }

  /** Returns a function that gives up the claim. */
  claim(request: ClaimRequest, done: Done<readonly ClaimedTask[]>): () => void {
    const refused = this.#refusal();
    if (refused !== undefined) {
      done({ ok: false, failure: refused });
      return () => {};
    }
    return this.#ports.claims.open(request, this.#ports.clock.monotonicMs(), done);
  }

  /** Changes the members; answers with the configuration once the change is applied and a joint one that leaves itself is left. */
  changeMembers(change: ConfigurationChange, timeoutMs: number | undefined, done: Done<Configuration>): void {
    this.ask({ kind: 'members', change }, 'members', timeoutMs, (answer) =>
      done(answer.ok ? { ok: true, value: answer.value.configuration } : answer),
    );
  }

  /** Hands leadership to a voter, by default to the one that is furthest; answers with the new leader. */
  transferLeadership(to: NodeId | undefined, timeoutMs: number | undefined, done: Done<NodeId>): void {
    const from = this.#ports.leader();
    if (from === undefined) return done({ ok: false, failure: failure('no_leader', 'there is no leader to hand over') });
    return this.ask({ kind: 'transfer', from, to }, 'transfer', timeoutMs, (answer) =>
      done(answer.ok ? { ok: true, value: answer.value.leader } : answer),
    );
  }

  /** Has an approved action carried out by the log; answers with the index of the entry that did. */
  enact(action: GuardedAction, certificate: Uint8Array, timeoutMs: number | undefined, done: Done<LogIndex>): void {
    this.ask({ kind: 'enact', action, certificate }, 'enacted', timeoutMs, (answer) =>
      done(answer.ok ? { ok: true, value: answer.value.index } : answer),
    );
  }

  /** Commands without an outcome. */
  get pendingCommands(): number {
    return this.#ports.proposals.size;
  }

  /** Whether this node is known to be no member any more: it refuses what it can't decide, and lets go who waits for it. */
  setRemoved(isRemoved: boolean): void {
    this.#isRemoved = isRemoved;
    if (isRemoved) this.#failAll('unavailable', removedDetail);
  }

  /** The node stops. */
  stop(): void {
    this.#failAll('unavailable', stoppingDetail);
  }

  /** Fails what is out of time. */
  expire(nowMs: number): void {
    this.#ports.proposals.expire(nowMs);
    this.#ports.questions.expire(nowMs);
  }

  /** Fails everything that waits, if nothing can be decided here. */
  failMinority(nowMs: number): void {
    if (this.#ports.isMinority(nowMs)) this.#failAll('no_quorum', minorityDetail);
  }

  /** To a new leader, or because a frame may have been lost. */
  resend(): void {
    this.#ports.proposals.resend();
    this.#ports.questions.resend();
  }

  #failAll(code: 'no_quorum' | 'unavailable', detail: string): void {
    this.#ports.proposals.failAll(code, detail);
    this.#ports.questions.failAll(code, detail);
    this.#ports.reads.failAll(code, detail);
  }

  /** Why nothing can be decided here right now, if that is known. */
  #refusal(): Failure | undefined {
    if (this.#ports.isStopped()) return failure('unavailable', stoppingDetail);
    if (this.#isRemoved) return failure('unavailable', removedDetail);
    return this.#ports.isMinority(this.#ports.clock.monotonicMs()) ? failure('no_quorum', minorityDetail) : undefined;
  }

  #deadline(timeoutMs: number | undefined): number {
    return this.#ports.clock.monotonicMs() + (timeoutMs ?? this.#ports.requestTimeoutMs);
  }
}

function answerOf<K extends Reply['kind']>(reply: Reply, kind: K): Answer<ReplyOf<K>> {
  if (isOf(reply, kind)) return { ok: true, value: reply };
  return {
    ok: false,
    failure: reply.kind === 'failure' ? reply.failure : failure('internal', 'the leader answered another question'),
  };
}

const isOf = <K extends Reply['kind']>(reply: Reply, kind: K): reply is ReplyOf<K> => reply.kind === kind;
