import type { NodeId } from '../core/ids.ts';
import type { RaftMessage } from '../raft/messages.ts';
import { encodeFrame, type Frame } from '../wire/frames.ts';

/** Bytes of entries after which a frame of Raft messages is closed: half of what a frame may hold. */
const frameBytes = 4 * 1024 * 1024;

/** What one turn sends, gathered so that each peer gets few frames. */
export class Outbox {
  readonly #clusterTag: number;
  readonly #send: (to: NodeId, frame: Uint8Array) => void;
  readonly #messages = new Map<NodeId, RaftMessage[]>();
  readonly #bytes = new Map<NodeId, number>();
  #ticks = 0;
  /** The tick in which something last went to each peer. */
  readonly #spokeAt = new Map<NodeId, number>();

  constructor(clusterTag: number, send: (to: NodeId, frame: Uint8Array) => void) {
    this.#clusterTag = clusterTag;
    this.#send = send;
  }

  raft(to: NodeId, message: RaftMessage): void {
    const messages = this.#messages.get(to);
    if (messages === undefined) this.#messages.set(to, [message]);
    else messages.push(message);
    const bytes = (this.#bytes.get(to) ?? 0) + sizeOf(message);
    this.#bytes.set(to, bytes);
    if (bytes >= frameBytes) this.#flushTo(to);
  }

  frame(to: NodeId, frame: Frame): void {
    this.spoke(to);
    this.#send(to, encodeFrame(this.#clusterTag, frame));
  }

  /** A frame went to the peer, of whatever part of the node: a sign of life. */
  spoke(to: NodeId): void {
    this.#spokeAt.set(to, this.#ticks);
  }

  tick(): void {
    this.#ticks++;
  }

  /** Whoever heard nothing of this node for so many ticks gets a ping. */
  ping(peers: readonly NodeId[], silentTicks: number): void {
    for (const peer of peers) {
      if (this.#ticks - (this.#spokeAt.get(peer) ?? Number.NEGATIVE_INFINITY) >= silentTicks) this.frame(peer, { kind: 'ping' });
    }
  }

  flush(): void {
    for (const to of this.#messages.keys()) this.#flushTo(to);
  }

  #flushTo(to: NodeId): void {
    const messages = this.#messages.get(to);
    this.#messages.delete(to);
    this.#bytes.delete(to);
    if (messages !== undefined) this.frame(to, { kind: 'raft', messages });
  }
}

function sizeOf(message: RaftMessage): number {
  if (message.type === 'InstallSnapshot') return message.data.length;
  if (message.type !== 'AppendEntries') return 64;
  let bytes = 64;
  for (const entry of message.entries) bytes += entry.data.length + 32;
  return bytes;
}
