import { failure, isDefinite, QuorateError, type Failure, type FailureCode } from '../core/errors.ts';
import type { Command, CommandResult } from '../tasks/commands.ts';
import { encodeSessionCommand, readResult } from '../wire/commands.ts';
import { readFailure, type StreamReply } from '../wire/stream.ts';
import { StreamConnection, valueOf } from './stream-connection.ts';

export type WriteDone = (result: CommandResult | { readonly ok: false; readonly failure: Failure }) => void;

interface PendingWrite {
  readonly seq: number;
  readonly command: Command;
  readonly idempotencyKey: string | undefined;
  readonly done: WriteDone;
  /** Set when the command was numbered: from then on the same bytes are sent each time. */
  bytes: Uint8Array | undefined;
  /** 0 as long as no node may have taken it: before it was sent, and once its node refused it for certain. */
  requestId: number;
  /** A node may have taken it and not said so: a later refusal is not the whole truth. */
  isUncertain: boolean;
}

interface PendingRequest {
  readonly kind: string;
  readonly args: readonly unknown[];
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Writes that wait for an answer; more are refused at once. */
const maxWrites = 16_384;
const reconnectMs = 100;
/** How often it is looked whether the node still answers. */
const lookMs = 500;
/** Looks in a row without any answer, while one is due, after which another node is asked: this one may stand still, or not be heard by the others. */
const maxSilentLooks = 4;
/** For so long a node that was left or lost is not preferred, even if others still call it the leader. */
const shunMs = 5000;
/** May wait at the node for as long as its caller wants. */
const patient: ReadonlySet<string> = new Set(['claim']);
/** After all nodes in turn could not serve, their refusals count for this long. */
const refusedMs = 1000;
/** What one node says and another may not: it is cut off from the others, was removed, or stops. The same write may be sent again, whatever became of it. */
const mayPass: ReadonlySet<FailureCode> = new Set(['no_quorum', 'no_leader', 'unavailable', 'outcome_unknown']);

/**
 * One stream to the cluster, through whichever node answers, preferably the leader. It opens a session and numbers every write; when the connection is
 * lost or says nothing it goes to another node and sends all unanswered ones again: each is carried out once (Raft thesis §6.3).
 */
export class Stream {
  readonly #endpoints: readonly string[];
  readonly #nonce: () => string;
  readonly #token: string | undefined;
  #connection: StreamConnection | undefined;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  /** Counted, not timed: a client that stood still itself has missed one look and not many. */
  #silentLooks = 0;
  /** Until when each is. */
  readonly #shunned = new Map<string, number>();
  #closed = false;
  /** Connections that ended, or never came. */
  #closes = 0;
  /** Nodes that could not serve, one after the other. */
  #refusals = 0;
  #refusedUntilMs = 0;
  #session = 0;
  #opening = false;
  #nextSeq = 1;
  #nextId = 1;
  readonly #writes = new Map<number, PendingWrite>();
  readonly #writesByRequest = new Map<number, PendingWrite>();
  readonly #requests = new Map<number, PendingRequest>();
  readonly onPush = new Set<(name: string, value: unknown) => void>();

  constructor(endpoints: readonly string[], nonce: () => string, token?: string) {
    this.#endpoints = endpoints;
    this.#nonce = nonce;
    this.#token = token;
  }

  /** The node that the stream is connected to right now. */
  get endpoint(): string | undefined {
    return this.#connection?.isOpen === true ? this.#connection.endpoint : undefined;
  }

  /** Sends a write until it is answered. `done` is called once; the returned function gives up the wait, not the write. */
  write(command: Command, idempotencyKey: string | undefined, done: WriteDone): () => void {
    if (this.#closed) {
      done({ ok: false, failure: failure('unavailable', 'the client is closed') });
      return () => {};
    }
    if (this.#writes.size >= maxWrites) {
      done({ ok: false, failure: failure('overloaded', 'too many writes are in flight') });
      return () => {};
    }
    const write: PendingWrite = { seq: this.#nextSeq++, command, idempotencyKey, done, bytes: undefined, requestId: 0, isUncertain: false };
    this.#writes.set(write.seq, write);
    this.#connect();
    if (this.#session !== 0 && this.endpoint !== undefined) this.#send(write);
    return () => {
      if (this.#writes.get(write.seq) === write) this.#endWrite(write, { ok: false, failure: givenUp });
    };
  }

  /** Asks something that may be asked again: on a lost connection it is. */
  request(kind: string, args: readonly unknown[], signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new QuorateError(failure('unavailable', 'the client is closed')));
        return;
      }
      const id = this.#nextId++;
      const onAbort = (): void => {
        this.#requests.delete(id);
        reject(new QuorateError(givenUp));
      };
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      const end = (): void => signal?.removeEventListener('abort', onAbort);
      this.#requests.set(id, {
        kind,
        args,
        resolve: (value) => {
          end();
          resolve(value);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      });
      this.#connect();
      if (this.endpoint !== undefined) this.#connection?.send([id, kind, ...args]);
    });
  }

  /** Goes to another node: this one is silent. */
  reconnect(): void {
    this.#connection?.drop();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#connection?.close();
    const closed = failure('unavailable', 'the client was closed');
    for (const { reject } of this.#requests.values()) reject(new QuorateError(closed));
    this.#requests.clear();
    for (const write of this.#writes.values()) {
      this.#endWrite(write, {
        ok: false,
        failure: write.bytes === undefined ? closed : failure('outcome_unknown', 'the client was closed before the answer came'),
      });
    }
  }

  #connect(): void {
    if (this.#connection !== undefined || this.#closed || this.#timer !== undefined) return;
    const endpoint = this.#endpoints[this.#next % this.#endpoints.length] ?? '';
    this.#open(endpoint);
  }

  #open(endpoint: string): void {
    const connection: StreamConnection = new StreamConnection(endpoint, this.#token, {
      onOpen: () => this.#onOpen(connection),
      onReply: (reply) => this.#onReply(reply),
      onPush: (name, value) => this.#onPush(connection, name, value),
      onClose: () => {
        if (this.#connection !== connection) return;
        this.#connection = undefined;
        clearInterval(this.#watch);
        this.#shunned.set(endpoint, performance.now() + shunMs);
        this.#next++;
        this.#writesByRequest.clear();
        if (this.#closed || (this.#writes.size === 0 && this.#requests.size === 0 && this.onPush.size === 0)) return;
        // Each node once, then a pause: nodes that refuse would be asked in a tight loop.
        const isRoundOver = ++this.#closes % this.#endpoints.length === 0;
        this.#timer = setTimeout(
          () => {
            this.#timer = undefined;
            this.#connect();
          },
          isRoundOver ? reconnectMs : 0,
        );
      },
    });
    this.#connection = connection;
    this.#silentLooks = 0;
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#look(), lookMs);
  }

  /** Writes may be sent again elsewhere, since each is carried out once, and requests have no effect that a second would add to. */
  #look(): void {
    const isDue = this.#writes.size > 0 || [...this.#requests.values()].some(({ kind }) => !patient.has(kind));
    this.#silentLooks = isDue ? this.#silentLooks + 1 : 0;
    if (this.#silentLooks > maxSilentLooks) this.reconnect();
  }

  #onOpen(connection: StreamConnection): void {
    if (this.#connection !== connection) return;
    for (const [id, { kind, args }] of this.#requests) connection.send([id, kind, ...args]);
    if (this.#session === 0) this.#openSession();
    else for (const write of this.#writes.values()) this.#send(write);
  }

  /** One at a time: the request is sent again by itself when the connection changes, and names the same session by its nonce. */
  #openSession(): void {
    if (this.#opening) return;
    this.#opening = true;
    const onOpened = (session: unknown): undefined => {
      this.#opening = false;
      this.#session = Number(session);
      for (const write of this.#writes.values()) this.#send(write);
    };
    this.request('open', [this.#nonce()], undefined).then(onOpened, (error: unknown) => {
      this.#opening = false;
      const why = error instanceof QuorateError ? error.failure : failure('internal', String(error));
      for (const write of this.#writes.values()) this.#endWrite(write, { ok: false, failure: why });
    });
  }

  #send(write: PendingWrite): void {
    const [lowest = write.seq] = this.#writes.keys();
    write.bytes ??= encodeSessionCommand({
      session: this.#session,
      seq: write.seq,
      acked: lowest - 1,
      idempotencyKey: write.idempotencyKey,
      command: write.command,
    });
    write.isUncertain ||= write.requestId !== 0;
    write.requestId = this.#nextId++;
    this.#writesByRequest.set(write.requestId, write);
    this.#connection?.send([write.requestId, 'w', write.bytes]);
  }

  #onReply(reply: StreamReply): void {
    this.#silentLooks = 0;
    const id = Number(reply[0]);
    const write = this.#writesByRequest.get(id);
    if (write !== undefined) {
      this.#writesByRequest.delete(id);
      this.#onWriteReply(write, reply);
      return;
    }
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    try {
      request.resolve(valueOf(reply));
    } catch (error) {
      request.reject(error);
    }
  }

  #onWriteReply(write: PendingWrite, reply: StreamReply): void {
    if (this.#writes.get(write.seq) !== write) return;
    if (reply[1] === 1) {
      const why = readFailure(reply);
      if (isDefinite(why)) write.requestId = 0;
      if (mayPass.has(why.code) && this.#moveOn()) return;
      const isHalfTrue = write.isUncertain && isDefinite(why);
      const whole = isHalfTrue ? failure('outcome_unknown', `${why.detail}; the write was sent before and may have taken effect`) : why;
      this.#endWrite(write, { ok: false, failure: whole });
      return;
    }
    this.#refusals = 0;
    const result = readResult(reply[2]);
    this.#endWrite(write, result ?? { ok: false, failure: failure('internal', 'the node sent an answer of no known form') });
    // Idle for too long: the next writes begin a new session.
    if (result?.ok !== false || result.failure.code !== 'session_expired') return;
    this.#session = 0;
    this.#openSession();
  }

  /** Another node may serve where this one can't: goes there with all that waits. False when every node was asked in turn. */
  #moveOn(): boolean {
    const nowMs = performance.now();
    if (nowMs < this.#refusedUntilMs) return false;
    if (++this.#refusals >= this.#endpoints.length) {
      this.#refusals = 0;
      this.#refusedUntilMs = nowMs + refusedMs;
      return false;
    }
    this.reconnect();
    return true;
  }

  #endWrite(write: PendingWrite, result: Parameters<WriteDone>[0]): void {
    this.#writes.delete(write.seq);
    this.#writesByRequest.delete(write.requestId);
    write.done(result);
  }

  #onPush(connection: StreamConnection, name: string, value: unknown): void {
    for (const listener of this.onPush) listener(name, value);
    if (name !== 'hello' || typeof value !== 'object' || value === null || !('leader' in value)) return;
    const { leader } = value;
    // Straight to the leader, when it is one of the nodes we were told of: one hop less for every write.
    if (typeof leader !== 'string' || leader === connection.endpoint || !this.#endpoints.includes(leader)) return;
    if (performance.now() < (this.#shunned.get(leader) ?? 0)) return;
    this.#next = this.#endpoints.indexOf(leader);
    this.#connection = undefined;
    this.#writesByRequest.clear();
    connection.close();
    this.#open(leader);
  }
}

const givenUp = failure('aborted', 'the request was given up; a write may still take effect');
