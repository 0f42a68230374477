import type { NodeId } from '../core/ids.ts';

interface Arrived {
  readonly from: NodeId;
  readonly frame: Uint8Array;
}

/** Frames that wait while the disk works; the oldest are dropped when there are more (the protocol repairs that). */
const maxInbox = 16_384;

/** What has arrived since the last turn. */
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

  takeAll(): readonly Arrived[] {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }
}
