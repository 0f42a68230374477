import type { LogIndex, NodeId, Term } from '../core/ids.ts';
import type { Configuration } from './messages.ts';
import type { ProgressState } from './progress.ts';

export type Role = 'follower' | 'precandidate' | 'candidate' | 'leader';

export type ProposeResult =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | {
      readonly ok: false;
      readonly refused: 'not-leader' | 'busy' | 'transferring' | 'change-pending' | 'invalid-change';
      readonly reason?: string;
    };

/** One member as its leader sees it. */
export interface MemberStatus {
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly state: ProgressState;
  readonly inflight: number;
  readonly pendingSnapshot: LogIndex;
  /** It lost its disk and has not been taken in again: it neither votes nor counts. */
  readonly isRejoining: boolean;
}

export interface RaftStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly votedFor: NodeId | undefined;
  readonly leader: NodeId | undefined;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly configuration: Configuration;
  /** As in the hard state: 0 on a node that has kept its disk. */
  readonly rejoining: number;
  /** On a leader: each member. */
  readonly progress: ReadonlyMap<NodeId, MemberStatus>;
}
