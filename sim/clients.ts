import { type Failure, failure } from '../src/core/errors.ts';
import type { LogIndex } from '../src/core/ids.ts';
import type { Random } from '../src/core/random.ts';
import type { Replica } from '../src/node/replica.ts';
import type { Answer } from '../src/node/service.ts';
import type { Command, CommandResult } from '../src/tasks/commands.ts';
import type { ClientHistory, Open } from './client-history.ts';
import type { EventQueue } from './event-queue.ts';
import type { Observer } from './invariants/observer.ts';

export interface ClientPorts {
  readonly queue: EventQueue;
  readonly random: Random;
  /** A node that is up, or undefined when that one is down: clients notice and try another later. */
  replica(node: number): Replica | undefined;
  readonly nodes: number;
  readonly history: ClientHistory;
  readonly observer: Observer;
}

/** Longer than any node takes to answer. */
const clientTimeoutUs = 8_000_000;

/** What all clients of a world do alike: choose a node, wait for so long and no longer, ask again under the same name. */
export class Connection {
  readonly #ports: ClientPorts;
  #acknowledged: LogIndex = 0;
  #requests = 0;

  constructor(ports: ClientPorts) {
    this.#ports = ports;
  }

  /** The newest index that any client was told. */
  get acknowledged(): LogIndex {
    return this.#acknowledged;
  }

  after(delayUs: number, job: () => void): void {
    this.#ports.queue.after(delayUs, job);
  }

  below(bound: number): number {
    return this.#ports.random.below(bound);
  }

  /** Half of the time the one that has answered before, as long as it is up; else any, mostly one that knows of a leader: clients go away from others. */
  anyReplica(before?: Replica): Replica | undefined {
    const { nodes } = this.#ports;
    if (before !== undefined && this.below(2) === 0) {
      for (let node = 0; node < nodes; node++) if (this.#ports.replica(node) === before) return before;
    }
    let chosen = this.#ports.replica(this.below(nodes));
    for (let tries = 0; tries < 3 && chosen?.raft.leader === undefined; tries++) chosen = this.#ports.replica(this.below(nodes));
    return chosen;
  }

  /** A new idempotency key. */
  newRequest(): string {
    return `request-${this.#requests++}`;
  }

  /** A command's answer takes a moment to its client: by then its whole entry is applied. */
  #ask(replica: Replica, command: Command, idempotencyKey: string | undefined, done: (answer: Answer<CommandResult>) => void): void {
    this.ask<CommandResult>(
      (once) => replica.requests.submit(command, idempotencyKey, 2000, (answer) => this.after(1, () => once(answer))),
      done,
    );
  }

  /** A client's request: answered once, and given up when its node died with it or has nothing to say. */
  ask<T>(begin: (done: (answer: Answer<T>) => void) => void, done: (answer: Answer<T>) => void): void {
    let isOpen = true;
    const once = (answer: Answer<T>): void => {
      if (!isOpen) return;
      isOpen = false;
      done(answer);
    };
    this.after(clientTimeoutUs, () => once({ ok: false, failure: failure('timeout', 'the client gave up') }));
    begin(once);
  }

  /**
   * Sends a command, and again while nobody answers, up to so many times: by any node, after a pause. `done` is called with the last answer; `outputOf` says what it
   * tells for the history.
   */
  send<Input, Output>(
    command: Command,
    {
      open,
      idempotencyKey,
      attempts,
    }: { readonly open: Open<Input, Output>; readonly idempotencyKey: string | undefined; readonly attempts: number },
    outputOf: (result: CommandResult, input: Input) => Output | undefined,
    done: (result: CommandResult | undefined) => void,
  ): void {
    const again = (): void => {
      if (open.attempts >= attempts) done(undefined);
      else this.after(100_000 + this.below(300_000), attempt);
    };
    const attempt = (): void => {
      open.attempts++;
      const replica = this.anyReplica();
      if (replica === undefined) return again();
      open.sent++;
      this.#ask(replica, command, idempotencyKey, (answer) => {
        const failed = answer.ok ? sessionFailure(answer.value) : answer.failure;
        if (!answer.ok || failed !== undefined) {
          if (failed !== undefined) open.failed(failed);
          return again();
        }
        open.answered(outputOf(answer.value, open.input));
        if (answer.value.ok) this.#acknowledge(answer.value.index);
        return done(answer.value);
      });
      return undefined;
    };
    attempt();
  }

  /** Sends a command that is no part of a history, once. */
  submit(replica: Replica, command: Command, done: (result: CommandResult | undefined) => void): void {
    this.#ask(replica, command, undefined, (answer) => {
      if (answer.ok && answer.value.ok) this.#acknowledge(answer.value.index);
      done(answer.ok ? answer.value : undefined);
    });
  }

  #acknowledge(index: LogIndex): void {
    this.#acknowledged = Math.max(this.#acknowledged, index);
    this.#ports.observer.acknowledged(index);
  }
}

/** Not the command's answer, but its session's: what the command came to is not known. */
const sessionFailure = (result: CommandResult): Failure | undefined =>
  result.ok || result.failure.code !== 'session_expired' ? undefined : result.failure;
