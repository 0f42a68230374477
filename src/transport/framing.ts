/**
 * The largest frame, in bytes: a batch of log entries or a piece of a snapshot fits with room to spare, and a liar who announces one makes a node
 * reserve no more than this per member.
 */
export const maxFrameBytes = 8 * 1024 * 1024;

/** A frame on a stream is its length in bytes as a little-endian u32, then its bytes. */
export const frameHeaderBytes = 4;

/**
 * Cuts the bytes of one stream back into frames, wherever the chunks were split. Every byte is copied at most once: a frame that lies whole in a
 * chunk is a view of that chunk, only one that is split is put together in a buffer of its own. It never throws on what a peer sent.
 */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #header = new Uint8Array(frameHeaderBytes);
  #headerFilled = 0;
  #body: Uint8Array | undefined;
  #bodyFilled = 0;

  /** `onFrame` gets bytes that are only lent. */
  constructor(maxBytes: number, onFrame: (frame: Uint8Array) => void) {
    this.#maxBytes = maxBytes;
    this.#onFrame = onFrame;
  }

  /** False when the bytes are no frames: a length of zero or above the limit. Nothing after such a length can be understood. */
  push(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body !== undefined) {
        at += this.#fillBody(this.#body, chunk, at);
        continue;
      }
      this.#header[this.#headerFilled++] = chunk[at++] ?? 0;
      if (this.#headerFilled < frameHeaderBytes) continue;
      this.#headerFilled = 0;
      const length = readLength(this.#header);
      if (length === 0 || length > this.#maxBytes) return false;
      if (length <= chunk.length - at) {
        this.#onFrame(chunk.subarray(at, at + length));
        at += length;
      } else {
        this.#body = new Uint8Array(length);
        this.#bodyFilled = 0;
      }
    }
    return true;
  }

  #fillBody(body: Uint8Array, chunk: Uint8Array, at: number): number {
    const taken = Math.min(body.length - this.#bodyFilled, chunk.length - at);
    body.set(chunk.subarray(at, at + taken), this.#bodyFilled);
    this.#bodyFilled += taken;
    if (this.#bodyFilled === body.length) {
      this.#body = undefined;
      this.#onFrame(body);
    }
    return taken;
  }
}

const readLength = (header: Uint8Array): number =>
  ((header[0] ?? 0) | ((header[1] ?? 0) << 8) | ((header[2] ?? 0) << 16) | ((header[3] ?? 0) << 24)) >>> 0;

/** Writes a frame with its length in front into `target` at `offset`; the offset behind it. */
export function writeFrame(target: Uint8Array, offset: number, frame: Uint8Array): number {
  const length = frame.length;
  target[offset] = length & 0xff;
  target[offset + 1] = (length >>> 8) & 0xff;
  target[offset + 2] = (length >>> 16) & 0xff;
  target[offset + 3] = length >>> 24;
  target.set(frame, offset + frameHeaderBytes);
  return offset + frameHeaderBytes + length;
}
