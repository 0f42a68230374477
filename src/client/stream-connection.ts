import { WebSocket } from 'ws';
import { failure, QuorateError } from '../core/errors.ts';
import { decodeReplies, encodeStreamMessage, readFailure, type StreamReply, type StreamRequest } from '../wire/stream.ts';

export interface StreamHandlers {
  /** A reply to a request of ours. */
  onReply(reply: StreamReply): void;
  /** Something the node says unasked. */
  onPush(name: string, value: unknown): void;
  onOpen(): void;
  /** The connection is gone, or never came; the next one is not opened by itself. */
  onClose(): void;
}

/** So long a node may take to say goodbye too. */
const goodbyeMs = 500;

/** One WebSocket to one node. What one turn of the event loop sends leaves as one message. */
export class StreamConnection {
  readonly endpoint: string;
  readonly #socket: WebSocket;
  #requests: StreamRequest[] = [];
  #flushing = false;

  constructor(endpoint: string, token: string | undefined, handlers: StreamHandlers) {
    this.endpoint = endpoint;
    this.#socket = new WebSocket(`${endpoint.replace(/^http/, 'ws')}/v1/stream`, {
      perMessageDeflate: false,
      handshakeTimeout: 3000,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    this.#socket.on('open', () => handlers.onOpen());
    this.#socket.on('message', (data) => {
      const replies = data instanceof Buffer ? decodeReplies(data) : undefined;
      if (replies === undefined) {
        this.#socket.close(1007, 'a message is a msgpack array of replies');
        return;
      }
      for (const reply of replies) {
        if (reply[0] === 0 && typeof reply[1] === 'string') handlers.onPush(reply[1], reply[2]);
        else handlers.onReply(reply);
      }
    });
    // A failure to connect, or a reset: the close event that follows says all there is to do.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => handlers.onClose());
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  send(request: StreamRequest): void {
    this.#requests.push(request);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      const requests = this.#requests;
      this.#requests = [];
      if (this.isOpen) this.#socket.send(encodeStreamMessage(requests));
    });
  }

  /** Gives up a node that does not answer. */
  drop(): void {
    this.#socket.terminate();
  }

  /** Says goodbye: the node need not ask itself what became of the agents that spoke over it. */
  close(): void {
    this.#socket.close(1000);
    setTimeout(() => this.#socket.terminate(), goodbyeMs).unref();
  }
}

/** The value of a reply, or its failure thrown. */
export function valueOf(reply: StreamReply): unknown {
  if (reply[1] === 0) return reply[2];
  if (reply[1] === 1) throw new QuorateError(readFailure(reply));
  throw new QuorateError(failure('internal', 'the node sent a reply of no known form'));
}
