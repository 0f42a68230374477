import { assert } from '../core/assert.ts';
import type { NodeId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { FrameReader } from './framing.ts';
import type { Connection, Stream } from './libp2p-types.ts';
import { Redial } from './redial.ts';
import type { TransportLimits } from './send-queue.ts';
import { SendQueue } from './send-queue.ts';
import type { TransportHandlers, TransportStats } from './transport.ts';

/** The numbers behind `TransportStats`, shared by all links of a transport. */
export type TransportCounters = { -readonly [Name in keyof TransportStats]: number };

export interface LinkParts {
  readonly peer: NodeId;
  readonly limits: TransportLimits;
  readonly handlers: TransportHandlers;
  readonly counters: TransportCounters;
  readonly logger: Logger;
  /** Opens a new stream to the peer, on a connection that is there or a fresh one; rejects when it cannot or the signal is aborted. */
  readonly open: (signal: AbortSignal) => Promise<Stream>;
  /** Closes every connection to the peer at once. */
  readonly disconnect: (reason: string) => void;
}

/**
 * Everything between this node and one member: the stream we opened and send on, the stream the peer opened and we read from, the queue of what waits
 * and the redial loop. Each side sends on its own one-way stream, so two nodes that dial at once have nothing to settle between them.
 *
 * *Up* means that our own stream is open, which the peer has confirmed by choosing the protocol: frames can leave. Frames arrive as soon as the peer's
 * stream is open, which may be a moment earlier or later. Frames for a peer without a link are dropped at once.
 */
export class PeerLink {
  readonly #parts: LinkParts;
  readonly #queue: SendQueue;
  readonly #redial: Redial;
  #outgoing: { readonly stream: Stream; readonly sinceMs: number } | undefined;
  #incoming: Stream | undefined;
  #flushScheduled = false;
  #framesReceived = 0;
  #silent = false;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#queue = new SendQueue(parts.limits);
    this.#redial = new Redial((signal) => this.#openOutgoing(signal));
  }

  get up(): boolean {
    return this.#outgoing !== undefined;
  }

  /** To be compared with what it was: whether the peer's frames arrive. */
  get framesReceived(): number {
    return this.#framesReceived;
  }

  /** Dial until the link is up, now and whenever it is lost. */
  start(): void {
    if (!this.up) this.#redial.start();
  }

  /** The peer is likely to be there: a connection from it has just come in, or whoever asks knows better than past failures. */
  hurry(): void {
    this.#redial.hurry();
  }

  /** Queues a frame; it leaves at the end of this turn of the event loop, with all others of the turn in one write. */
  send(frame: Uint8Array): void {
    assert(frame.length > 0 && frame.length <= this.#parts.limits.maxFrameBytes, 'a frame has 1 to maxFrameBytes bytes');
    if (this.#outgoing === undefined) return;
    this.#parts.counters.framesDropped += this.#queue.push(frame);
    this.#scheduleFlush();
  }

  /** Writes what waits, as far as the stream takes it. */
  flush(): void {
    // While the stream is full the queue keeps the newest frames; its 'drain' event continues here.
    for (;;) {
      const stream = this.#outgoing?.stream;
      if (stream === undefined || stream.writableNeedsDrain) return;
      const batch = this.#queue.takeBatch();
      if (batch === undefined) return;
      try {
        stream.send(batch.bytes);
      } catch (error) {
        // The stream closed under our hands. Its frames are lost, as they would be on the way.
        this.#loseOutgoing(stream, messageOf(error));
        return;
      }
      this.#parts.counters.framesSent += batch.frames;
      this.#parts.counters.bytesSent += batch.bytes.length;
    }
  }

  /** Reads frames from a stream the peer has just opened. It replaces the one before, whose end the peer must have seen before we did. */
  accept(stream: Stream, connection: Connection): void {
    const replaced = this.#incoming;
    this.#incoming = stream;
    replaced?.abort(new Error('the peer opened a newer stream'));
    const reader = new FrameReader(this.#parts.limits.maxFrameBytes, (frame) => {
      // A handler may have dropped the link in the middle of a chunk.
      if (this.#incoming !== stream) return;
      this.#framesReceived++;
      this.#parts.counters.framesReceived++;
      this.#parts.handlers.onFrame(this.#parts.peer, frame);
    });
    stream.addEventListener('message', ({ data }) => {
      if (this.#incoming !== stream) return;
      this.#parts.counters.bytesReceived += data.byteLength;
      for (const chunk of data instanceof Uint8Array ? [data] : data) {
        if (reader.push(chunk)) continue;
        this.#refuse(connection, 'the peer sent bytes that are not frames');
        return;
      }
    });
    // The peer writes no more on it; without this the other half of the stream would stay open for ever.
    stream.addEventListener('remoteCloseWrite', () => stream.abort(new Error('the peer closed its stream')));
    stream.addEventListener('close', () => {
      if (this.#incoming === stream) this.#incoming = undefined;
    });
  }

  /** Gives the link up at once. The redial loop opens a new one if the link is still wanted. */
  drop(reason: string): void {
    this.#incoming = undefined;
    if (this.#outgoing !== undefined) this.#loseOutgoing(this.#outgoing.stream, reason);
    this.#parts.disconnect(reason);
  }

  /** No link is wanted until the next `start`. Resolves when nothing is under way any more. */
  async suspend(reason: string): Promise<void> {
    const idle = this.#redial.stop();
    this.drop(reason);
    await idle;
  }

  /** From now on the handlers hear nothing more of this link. What waits is written as far as possible, nothing is dialled any more. */
  async retire(): Promise<void> {
    this.#silent = true;
    this.#incoming = undefined;
    this.flush();
    await this.#redial.stop();
  }

  async #openOutgoing(signal: AbortSignal): Promise<boolean> {
    let stream: Stream;
    try {
      stream = await this.#parts.open(signal);
    } catch (error) {
      this.#parts.logger.debug({ peer: this.#parts.peer, reason: messageOf(error) }, 'could not open a link');
      return false;
    }
    if (signal.aborted || stream.status !== 'open') {
      stream.abort(new Error('the link is not wanted any more'));
      return false;
    }
    assert(this.#outgoing === undefined, 'there is one outgoing stream at a time');
    this.#outgoing = { stream, sinceMs: performance.now() };
    stream.addEventListener('close', (event) => this.#loseOutgoing(stream, event.error === undefined ? 'closed' : messageOf(event.error)));
    stream.addEventListener('drain', () => this.#scheduleFlush());
    // Our stream is one-way: the peer has nothing to say on it.
    stream.addEventListener('message', () => {
      if (this.#outgoing?.stream !== stream) return;
      this.#parts.counters.badStreams++;
      this.drop('the peer wrote on a stream it only reads');
    });
    this.#parts.logger.info({ peer: this.#parts.peer }, 'link up');
    this.#tell(true);
    return true;
  }

  #loseOutgoing(stream: Stream, reason: string): void {
    const outgoing = this.#outgoing;
    if (outgoing?.stream !== stream) return;
    this.#outgoing = undefined;
    this.#queue.clear();
    stream.abort(new Error(reason));
    this.#parts.logger.info({ peer: this.#parts.peer, reason }, 'link down');
    this.#tell(false);
    this.#redial.lost(performance.now() - outgoing.sinceMs);
  }

  #refuse(connection: Connection, reason: string): void {
    this.#parts.counters.badStreams++;
    this.#parts.logger.warn({ peer: this.#parts.peer, reason }, 'connection closed');
    this.#incoming = undefined;
    connection.abort(new Error(reason));
  }

  // As a microtask, because a link may go down inside a call of the owner, who doesn't expect an event there.
  #tell(up: boolean): void {
    queueMicrotask(() => {
      if (!this.#silent) this.#parts.handlers.onLink(this.#parts.peer, up);
    });
  }

  // setImmediate runs after everything this turn of the event loop still has to do, microtasks included, and before the loop waits for I/O again.
  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.flush();
    });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
