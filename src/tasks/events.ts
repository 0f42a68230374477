import type { AgentId, LogIndex, TaskId } from '../core/ids.ts';
import type { AgentState } from '../registry/agent.ts';
import type { TaskState } from './task.ts';

/** What a command changed, for watchers. Every node derives the same events from the log. */
export type StateEvent =
  | {
      readonly kind: 'task';
      readonly index: LogIndex;
      readonly ts: number;
      readonly task: TaskId;
      readonly type: string;
      readonly state: TaskState;
      readonly attempt: number;
      readonly fence: number;
      readonly agent: AgentId | undefined;
      readonly reason: string | undefined;
    }
  | {
      readonly kind: 'agent';
      readonly index: LogIndex;
      readonly ts: number;
      readonly agent: AgentId;
      readonly generation: number;
      readonly state: AgentState | 'gone';
      readonly reason: string | undefined;
    }
  /** A decision of the members was carried out. */
  | {
      readonly kind: 'decision';
      readonly index: LogIndex;
      readonly ts: number;
      readonly proposal: string;
      /** The proposal's kind. */
      readonly decided: string;
      readonly subject: string;
      readonly epoch: number;
    }
  | { readonly kind: 'key'; readonly index: LogIndex; readonly ts: number; readonly key: string; readonly version: LogIndex | undefined };
