import { failure } from '../core/errors.ts';
import type { AgentId, LogIndex } from '../core/ids.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { ClusterState } from '../tasks/state.ts';
import type { Task } from '../tasks/task.ts';
import type { Question, Reply } from '../wire/frames.ts';
import type { Answer, ClaimedTask, ClaimRequest } from './service.ts';

interface Claim {
  readonly request: ClaimRequest;
  readonly done: (answer: Answer<readonly ClaimedTask[]>) => void;
  readonly waitUntilMs: number;
  /** Without a word of a leader until then the claim fails. */
  readonly deadlineMs: number;
  /** Set by the leader's reply: what it assigned to this claim is known once this index is applied. */
  afterIndex: LogIndex | undefined;
}

export interface ClaimPorts {
  ask(question: Question, done: (reply: Reply) => void): void;
  /** The agent has the task in hand: say so in the log. */
  started(task: Task): void;
}

/** A client that asks for work and the leader's answer travel apart from the log: this long may that take. */
const graceMs = 5000;
/** Claims of one node; each holds a connection. */
const maxClaims = 10_000;

/**
 * Open claims of agents at this node. A claim tells the leader that the agent has free slots; the leader's assignments come through the log, and the node
 * hands over what its own log says is the agent's. A task is handed over once by a node; one that was not handed over when its claim ended goes to the next claim.
 */
export class Claims {
  readonly #ports: ClaimPorts;
  readonly #claims = new Map<AgentId, Claim[]>();
  readonly #handedOver = new Set<number>();
  #size = 0;

  constructor(ports: ClaimPorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#size;
  }

  /** Returns a function that gives up the claim's place. */
  open(request: ClaimRequest, nowMs: number, done: Claim['done']): () => void {
    if (this.#size >= maxClaims) {
      done({ ok: false, failure: failure('overloaded', 'too many claims are open at this node; use another or try again later') });
      return () => {};
    }
    const waitUntilMs = nowMs + request.waitMs;
    const claim: Claim = { request, done, waitUntilMs, deadlineMs: waitUntilMs + graceMs, afterIndex: undefined };
    this.#claims.set(request.agent, [...(this.#claims.get(request.agent) ?? []), claim]);
    this.#size++;
    this.#tellLeader(claim);
    return () => {
      if (this.#remove(claim)) this.#withdraw(request);
    };
  }

  /** A new leader knows no claims: tell it all. */
  resend(): void {
    for (const claims of this.#claims.values()) for (const claim of claims) this.#tellLeader(claim);
  }

  onEvents(events: readonly StateEvent[], state: ClusterState, applied: LogIndex, nowMs: number): void {
    if (this.#size === 0 && this.#handedOver.size === 0) return;
    for (const event of events) {
      if (event.kind !== 'task') continue;
      if (event.state === 'assigned') {
        if (event.agent !== undefined) this.#deliver(event.agent, state);
      } else {
        this.#handedOver.delete(event.fence);
      }
    }
    this.#finish(state, applied, nowMs);
  }

  /** Time passed, or the log moved: ends the claims whose wait is over. */
  onTick(state: ClusterState, applied: LogIndex, nowMs: number): void {
    if (this.#size > 0) this.#finish(state, applied, nowMs);
  }

  #tellLeader(claim: Claim): void {
    const { agent, generation } = claim.request;
    this.#ports.ask({ kind: 'claim', agent, generation, slots: this.#slots(agent), types: this.#types(agent) }, (reply) => {
      if (reply.kind === 'claim') claim.afterIndex = reply.index;
      else if (reply.kind === 'failure' && this.#remove(claim)) claim.done({ ok: false, failure: reply.failure });
    });
  }

  #finish(state: ClusterState, applied: LogIndex, nowMs: number): void {
    for (const claims of this.#claims.values()) {
      for (const claim of claims) {
        if (claim.afterIndex !== undefined && applied >= claim.afterIndex) this.#deliver(claim.request.agent, state);
        const heard = claim.afterIndex !== undefined && applied >= claim.afterIndex;
        if ((heard && nowMs >= claim.waitUntilMs) || nowMs >= claim.deadlineMs) {
          if (!this.#remove(claim)) continue;
          this.#withdraw(claim.request);
          claim.done(
            heard ? { ok: true, value: [] } : { ok: false, failure: failure('no_leader', 'no leader answered the claim in time') },
          );
        }
      }
    }
  }

  #deliver(agent: AgentId, state: ClusterState): void {
    for (const claim of this.#claims.get(agent) ?? []) {
      const { generation, max, types } = claim.request;
      const tasks: Task[] = [];
      for (const task of state.tasks.assignedTo(agent)) {
        if (tasks.length >= max) break;
        if (task.state !== 'assigned' || task.generation !== generation || this.#handedOver.has(task.fence)) continue;
        if (types === undefined || types.includes(task.type)) tasks.push(task);
      }
      if (tasks.length === 0 || !this.#remove(claim)) continue;
      for (const task of tasks) {
        this.#handedOver.add(task.fence);
        this.#ports.started(task);
      }
      claim.done({ ok: true, value: tasks.map((task) => claimed(task, state.ts)) });
    }
  }

  #remove(claim: Claim): boolean {
    const { agent } = claim.request;
    const claims = this.#claims.get(agent) ?? [];
    const rest = claims.filter((other) => other !== claim);
    if (rest.length === claims.length) return false;
    if (rest.length === 0) this.#claims.delete(agent);
    else this.#claims.set(agent, rest);
    this.#size--;
    return true;
  }

  #withdraw({ agent, generation }: ClaimRequest): void {
    this.#ports.ask({ kind: 'claim', agent, generation, slots: this.#slots(agent), types: this.#types(agent) }, () => {});
  }

  #slots(agent: AgentId): number {
    return (this.#claims.get(agent) ?? []).reduce((sum, claim) => sum + claim.request.max, 0);
  }

  #types(agent: AgentId): readonly string[] | undefined {
    const all: string[] = [];
    for (const { request } of this.#claims.get(agent) ?? []) {
      if (request.types === undefined) return undefined;
      all.push(...request.types);
    }
    return [...new Set(all)].slice(0, 64);
  }
}

const claimed = (task: Task, ts: number): ClaimedTask => ({
  taskId: task.id,
  type: task.type,
  payload: task.payload,
  attempt: task.attempt,
  fence: task.fence,
  leaseMs: task.leaseMs,
  deadlineMs: task.deadlineTs === undefined ? undefined : Math.max(0, task.deadlineTs - ts),
});
