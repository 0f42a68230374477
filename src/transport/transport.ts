import type { NodeId } from '../core/ids.ts';

/** What the transport tells its owner. Called from the event loop, never from inside `send`. */
export interface TransportHandlers {
  /** One whole frame from a member. The bytes are only lent: copy what is kept. */
  onFrame(from: NodeId, frame: Uint8Array): void;
  /** A link to a member came up (frames can flow both ways) or was lost (closed, reset or timed out). */
  onLink(peer: NodeId, up: boolean): void;
}

export interface TransportStats {
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Frames dropped because a peer's queue was full. */
  readonly framesDropped: number;
  /** Connections refused because the peer id is not a member's. */
  readonly strangersRefused: number;
  /** Streams closed because of bytes that are not frames. */
  readonly badStreams: number;
}

/**
 * Frames between members. Best effort: a frame may be lost (queue full, link down) but is never altered, and frames of one link arrive in order.
 * `send` never blocks; what one turn of the event loop sends to a peer leaves as one write. It keeps the frame until then: its bytes must not change.
 */
export interface Transport {
  send(to: NodeId, frame: Uint8Array): void;
  readonly stats: TransportStats;
  stop(): Promise<void>;
}
