import type { NodeId } from '../../core/ids.ts';
import type { HealPart, HealReport } from './heal-report.ts';
import type { Summary } from './summary.ts';

export type HealMessage =
  | { readonly type: 'Echo'; readonly nonce: number }
  | { readonly type: 'EchoReply'; readonly nonce: number; readonly boot: number }
  /** H2. Answered with the receiver's own, unless it is an answer. */
  | { readonly type: 'Summary'; readonly summary: Summary; readonly isAnswer: boolean }
  /**
   * To the leader, again and again until it answers: "I have what was committed when we met, and this is what I did for it." `heal` counts the sender's heals;
   * `forMs`: how long ago this one began.
   */
  | { readonly type: 'Mended'; readonly heal: number; readonly forMs: number; readonly part: HealPart }
  /** From the leader, for the receiver's heal of that number: all is whole. */
  | { readonly type: 'Settled'; readonly heal: number; readonly report: HealReport };

export interface OutgoingHeal {
  readonly to: NodeId;
  readonly message: HealMessage;
}
