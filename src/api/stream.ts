import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { failure, QuorateError, type Failure } from '../core/errors.ts';
import { type AgentId, agentId, type NodeId, taskId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { ToldEvent } from '../node/event-log.ts';
import type { AgentReport, NodeService } from '../node/service.ts';
import { decodeSessionCommand, encodeSessionCommand, resultFields } from '../wire/commands.ts';
import { maxNameLength, maxTags } from '../wire/limits.ts';
import { FieldReader } from '../wire/reader.ts';
import {
  decodeRequests,
  encodeStreamMessage,
  failureReply,
  maxStreamMessageBytes,
  type StreamReply,
  type StreamRequest,
} from '../wire/stream.ts';

/** Requests of one connection without a reply: what one session may have in flight. */
const maxInFlight = 16_384;
/** Agents that one connection is known to speak for: as many as may wait for work at a node. */
const maxAgents = 10_000;
/** The client has closed its stream because it needs it no more. */
const goodbye = 1000;
/** Bytes that a client has not taken yet; one that is so far behind is cut off and may come back. */
const maxUnsentBytes = 16 * 1024 * 1024;

/**
 * The fast front door (WebSocket `/v1/stream`): many requests in one message, many replies in one message. Serves the client library, workers and the benchmark.
 * Returns what closes every connection.
 */
export function attachStream(server: Server, node: NodeService, logger: Logger): () => void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxStreamMessageBytes, perMessageDeflate: false });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (new URL(request.url ?? '/', 'http://node').pathname !== '/v1/stream') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    if (node.isRemoved) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => new Connection(client, node, logger));
  });
  const letGo = (why: string): void => {
    for (const client of sockets.clients) client.close(1001, why);
    for (const client of sockets.clients) client.terminate();
  };
  // Its clients go on at another node, with all that they wait for.
  node.onRemoved(() => letGo('the node was removed from the cluster'));
  return () => {
    letGo('the node is stopping');
    sockets.close();
  };
}

/** One client's stream. */
class Connection {
  readonly #socket: WebSocket;
  readonly #node: NodeService;
  readonly #closed = new AbortController();
  #replies: StreamReply[] = [];
  #flushing = false;
  #inFlight = 0;
  /** Who spoke over it, by which generation. */
  readonly #agents = new Map<AgentId, number>();
  #unsubscribe: (() => void) | undefined;
  /** Of whom the client was last told that it leads; null: nobody does. */
  #leader: NodeId | null | undefined;

  constructor(socket: WebSocket, node: NodeService, logger: Logger) {
    this.#socket = socket;
    this.#node = node;
    socket.on('message', (data: RawData) => this.#onMessage(data));
    socket.on('error', (error) => logger.debug({ error: error.message }, 'stream failed'));
    socket.on('close', (code) => {
      this.#closed.abort();
      this.#unsubscribe?.();
      if (code !== goodbye) for (const [agent, generation] of this.#agents) node.onConnectionLost(agent, generation);
    });
    this.#sayHello();
  }

  /** Tells the client who leads: with the first message, and again whenever a reply finds that it has changed. */
  #sayHello(): void {
    // A whole status for every batch of replies took a third of a busy node's time.
    if ((this.#node.leader ?? null) === this.#leader) return;
    const { nodeId, name, version, leader } = this.#node.status();
    if (leader === null && this.#leader === null) return;
    this.#leader = leader?.nodeId ?? null;
    this.#reply([0, 'hello', { nodeId, name, version, leader: leader?.http ?? null }]);
  }

  #onMessage(data: RawData): void {
    const requests = data instanceof Buffer ? decodeRequests(data) : undefined;
    if (requests === undefined) {
      this.#socket.close(1007, 'a message is a msgpack array of [id, kind, ...]');
      return;
    }
    for (const request of requests) this.#onRequest(request);
  }

  #onRequest(request: StreamRequest): void {
    const [id, kind, ...args] = request;
    if (this.#inFlight >= maxInFlight) {
      this.#reply(failureReply(id, failure('overloaded', `at most ${maxInFlight} requests may be in flight on a stream`)));
      return;
    }
    this.#inFlight++;
    if (kind === 'w') {
      this.#write(id, args[0]);
      return;
    }
    this.#serve(kind, new FieldReader(args)).then(
      (value) => this.#end([id, 0, value]),
      (error: unknown) => this.#end(failureReply(id, asFailure(error))),
    );
  }

  /** The hot path: a command as the log will hold it. No promise, no schema, no second encoding. */
  #write(id: number, bytes: unknown): void {
    const command = bytes instanceof Uint8Array ? decodeSessionCommand(bytes) : undefined;
    if (command === undefined || !(bytes instanceof Uint8Array) || command.session === 0) {
      this.#end(failureReply(id, failure('invalid_argument', 'not a command of a session, or out of bounds')));
      return;
    }
    // A copy: the message's buffer goes when all of it is handled, the log keeps the command.
    this.#node.submitEncoded(command, new Uint8Array(bytes), (answer) => {
      this.#end(answer.ok ? [id, 0, resultFields(answer.value)] : failureReply(id, answer.failure));
    });
  }

  async #serve(kind: string, r: FieldReader): Promise<unknown> {
    const node = this.#node;
    const { signal } = this.#closed;
    switch (kind) {
      case 'open': {
        const nonce = r.text(maxNameLength);
        check(r);
        const bytes = { session: 0, seq: 0, acked: 0, idempotencyKey: undefined, command: { op: 'OpenSession', nonce } } as const;
        return new Promise((resolve, reject) => {
          node.submitEncoded(bytes, encodeSessionCommand(bytes), (answer) => {
            if (!answer.ok) reject(new QuorateError(answer.failure));
            else if (!answer.value.ok) reject(new QuorateError(answer.value.failure));
            else resolve(answer.value.value.kind === 'session' ? answer.value.value.session : 0);
          });
        });
      }
      case 'get': {
        const key = r.text(1024);
        const consistency = r.oneOf(['linearizable', 'leader', 'local']) ?? 'linearizable';
        check(r);
        await node.readPoint(consistency, { signal });
        const record = node.state().keys.get(key);
        return record === undefined ? null : { value: record.value, version: record.version };
      }
      case 'beat': {
        const agent = r.name(agentId);
        const generation = r.int();
        const report = readReport(r.any());
        check(r);
        if (agent === undefined) return null;
        this.#speaksFor(agent, generation);
        return node.heartbeat(agent, generation, report, { signal });
      }
      case 'tbeat': {
        const task = r.name(taskId);
        const fence = r.int();
        const progress = r.optional(() => r.number(-1e9, 1e9));
        check(r);
        return task === undefined ? null : node.taskHeartbeat(task, fence, progress, { signal });
      }
      case 'claim': {
        const agent = r.name(agentId);
        const [generation, max, waitMs] = [r.int(), r.int(1, 256), r.int(0, 30_000)];
        const types = r.optional(() => r.texts(maxTags, maxNameLength));
        check(r);
        if (agent === undefined) return [];
        this.#speaksFor(agent, generation);
        return node.claim({ agent, generation, max, waitMs, types }, { signal });
      }
      case 'sub': {
        const from = r.int();
        const kinds = r.texts(8, 16);
        check(r);
        this.#subscribe(from, kinds);
        return null;
      }
      case 'status':
        check(r);
        return node.status();
      default:
        throw new QuorateError(failure('invalid_argument', `there is no request of kind ${JSON.stringify(kind.slice(0, 32))}`));
    }
  }

  #speaksFor(agent: AgentId, generation: number): void {
    if (this.#agents.size < maxAgents || this.#agents.has(agent)) this.#agents.set(agent, generation);
  }

  #subscribe(from: number, kinds: readonly string[]): void {
    const push = (events: readonly ToldEvent[]): void => {
      const wanted = kinds.length === 0 ? events : events.filter((event) => kinds.includes(event.kind));
      if (wanted.length > 0) this.#reply([0, 'events', wanted]);
    };
    this.#unsubscribe?.();
    const { events, complete } = this.#node.eventsAfter(from);
    if (!complete) this.#reply([0, 'gap', from]);
    push(events);
    this.#unsubscribe = this.#node.subscribe(push);
  }

  #end(reply: StreamReply): void {
    this.#inFlight--;
    this.#reply(reply);
  }

  #reply(reply: StreamReply): void {
    this.#replies.push(reply);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > maxUnsentBytes) {
      this.#socket.close(1013, 'the client does not keep up');
      return;
    }
    const replies = this.#replies;
    this.#replies = [];
    this.#socket.send(encodeStreamMessage(replies));
    this.#sayHello();
  }
}

function check(reader: FieldReader): void {
  if (!reader.ok)
    throw new QuorateError(failure('invalid_argument', 'a field of the request is missing, of another type or out of bounds'));
}

function readReport(value: unknown): AgentReport {
  const fields = new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
  const number = (name: string): number | undefined => {
    const field: unknown = fields.get(name);
    return typeof field === 'number' && Number.isFinite(field) ? field : undefined;
  };
  const status: unknown = fields.get('status');
  return {
    status: status === 'available' || status === 'busy' || status === 'draining' ? status : undefined,
    load: number('load'),
    latencyMs: number('latencyMs'),
    successRate: number('successRate'),
  };
}

const asFailure = (error: unknown): Failure =>
  error instanceof QuorateError ? error.failure : failure('internal', error instanceof Error ? error.message : String(error));
