import type { NodeId } from '../core/ids.ts';

/** What is said of a node. Of two sayings the one with the higher incarnation holds; of the same, the worse. Only the node itself raises its incarnation. */
export interface Update {
  readonly node: NodeId;
  readonly status: 'alive' | 'suspect' | 'dead';
  readonly incarnation: number;
  /** Who says it first. */
  readonly by: NodeId;
}

/** Far above any clock's milliseconds, where incarnations begin, and still a whole number when it is refuted. */
export const maxIncarnation = 2 ** 52;

/** Updates that one message may carry. */
export const maxUpdates = 16;

/** SWIM's messages (Das et al. 2002, section 3), with Lifeguard's negative answer. `nonce` is chosen by the asker and comes back. */
export type DetectorMessage =
  | { readonly type: 'Probe'; readonly nonce: number; readonly updates: readonly Update[] }
  | { readonly type: 'Ack'; readonly nonce: number; readonly updates: readonly Update[] }
  /** "Probe `target` for me." */
  | { readonly type: 'ProbeRequest'; readonly nonce: number; readonly target: NodeId; readonly updates: readonly Update[] }
  /** "I probed it for you and heard nothing yet": the asker's own links are well. */
  | { readonly type: 'Nack'; readonly nonce: number; readonly updates: readonly Update[] };

export interface OutgoingProbe {
  readonly to: NodeId;
  readonly message: DetectorMessage;
}
