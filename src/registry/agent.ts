import type { AgentId, LogIndex } from '../core/ids.ts';

/** What the log knows of an agent: `up` until drained, lost or deregistered. What it is doing right now is volatile and not in the log. */
export type AgentState = 'up' | 'draining' | 'down';

/** What a registration says of an agent. */
export interface Registration {
  readonly agent: AgentId;
  readonly capabilities: readonly string[];
  readonly swarms: readonly string[];
  readonly concurrency: number;
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly ttlMs: number;
  readonly role: 'primary' | 'backup' | undefined;
  readonly group: string | undefined;
  /** Name of the node that took the registration. */
  readonly node: string;
}

export interface Agent extends Omit<Registration, 'agent'> {
  readonly id: AgentId;
  /** Rises with every registration; a holder of an older one is refused. */
  readonly generation: number;
  readonly state: AgentState;
  /** Tasks assigned, running or cancelling at it. */
  readonly load: number;
  readonly registeredIndex: LogIndex;
}
