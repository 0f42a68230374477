import { assert, defined } from '../core/assert.ts';
import { emptyBytes } from '../core/bytes.ts';
import { frameHeaderBytes, maxFrameBytes, writeFrame } from './framing.ts';

export interface TransportLimits {
  /** The largest frame sent or accepted, in bytes. */
  readonly maxFrameBytes: number;
  /** Frames waiting for one peer: what a busy leader sends in about a second. More only delays the newer frames behind stale ones. */
  readonly maxQueuedFrames: number;
  /** Bytes waiting for one peer, lengths included: four of the largest frames. A node's memory for all peers is this times their number. */
  readonly maxQueuedBytes: number;
  /** Bytes given to a stream at once: enough to keep a fast link busy, little enough that libp2p's own unbounded write buffer stays small. */
  readonly maxBatchBytes: number;
}

export const defaultTransportLimits: TransportLimits = {
  maxFrameBytes,
  maxQueuedFrames: 4096,
  maxQueuedBytes: 32 * 1024 * 1024,
  maxBatchBytes: 1024 * 1024,
};

/** Frames joined for one write. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly frames: number;
}

/**
 * The frames that wait for one peer. Bounded by number and by bytes; when full, the oldest go: the protocols repair what is lost, and the newest
 * message says most about the present. It keeps a reference to a frame until the frame is taken or dropped.
 */
export class SendQueue {
  readonly #limits: TransportLimits;
  /** Bounded by `maxQueuedFrames`, plus as many slots already emptied in front of `#head`. */
  #frames: Uint8Array[] = [];
  #head = 0;
  #bytes = 0;

  constructor(limits: TransportLimits) {
    assert(limits.maxFrameBytes + frameHeaderBytes <= limits.maxQueuedBytes, 'the largest frame fits into the queue');
    assert(limits.maxQueuedFrames >= 1, 'the queue holds a frame');
    this.#limits = limits;
  }

  get frames(): number {
    return this.#frames.length - this.#head;
  }

  /** Bytes waiting, lengths included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends a frame; how many older ones had to go for it. */
  push(frame: Uint8Array): number {
    const size = frameHeaderBytes + frame.length;
    let dropped = 0;
    while (this.frames >= this.#limits.maxQueuedFrames || this.#bytes + size > this.#limits.maxQueuedBytes) {
      this.#shift();
      dropped++;
    }
    this.#frames.push(frame);
    this.#bytes += size;
    return dropped;
  }

  /** The oldest frames as one piece of at most `maxBatchBytes`, or one larger frame alone; undefined when nothing waits. */
  takeBatch(): Batch | undefined {
    let size = 0;
    let end = this.#head;
    for (; end < this.#frames.length; end++) {
      const next = frameHeaderBytes + defined(this.#frames[end], 'a slot before the end holds a frame').length;
      if (end > this.#head && size + next > this.#limits.maxBatchBytes) break;
      size += next;
    }
    const frames = end - this.#head;
    if (frames === 0) return undefined;
    const bytes = Buffer.allocUnsafe(size);
    let offset = 0;
    for (let i = 0; i < frames; i++) offset = writeFrame(bytes, offset, this.#shift());
    return { bytes, frames };
  }

  clear(): void {
    this.#frames = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  #shift(): Uint8Array {
    const frame = defined(this.#frames[this.#head], 'the queue is not empty');
    this.#frames[this.#head] = emptyBytes;
    this.#head++;
    this.#bytes -= frameHeaderBytes + frame.length;
    if (this.#head === this.#frames.length) {
      this.#frames.length = 0;
      this.#head = 0;
    } else if (this.#head >= this.#limits.maxQueuedFrames) {
      this.#frames.splice(0, this.#head);
      this.#head = 0;
    }
    return frame;
  }
}
