import type { NodeId } from '../core/ids.ts';

interface Arrived {
  readonly from: NodeId;
  readonly frame: Uint8Array;
}

/** Frames that wait while the disk works; the oldest are dropped when there are more (the protocol repairs that). */
const maxInbox = 16_384;

/** Bytes of frames taken in by one turn, the last frame's rest aside: tens of milliseconds even when they are full of tiny entries. */
const bytesPerTurn = 1024 * 1024;

/** What has arrived and was not taken in. */
export class Inbox {
  #frames: Arrived[] = [];

  /** False when an older one was dropped for it. The bytes are only lent. */
  put(from: NodeId, frame: Uint8Array): boolean {
    const hasRoom = this.#frames.length < maxInbox;
    if (!hasRoom) this.#frames.shift();
    // While the disk works the frame has to wait, longer than its buffer is ours.
    this.#frames.push({ from, frame: new Uint8Array(frame) });
    return hasRoom;
  }

  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  /** The oldest, as many as one turn has time for. */
  takeSome(): readonly Arrived[] {
    let count = 0;
    for (let bytes = 0; count < this.#frames.length && bytes < bytesPerTurn; count++) bytes += this.#frames[count]?.frame.length ?? 0;
    return this.#frames.splice(0, count);
  }
}
