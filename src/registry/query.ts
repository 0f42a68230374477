import type { AgentState } from './agent.ts';

/** Which agents are meant. Empty lists and `undefined` ask for nothing. */
export interface RegistryQuery {
  /** Has every one of these capabilities. */
  readonly all: readonly string[];
  /** Has at least one of these. */
  readonly any: readonly string[];
  /** Has none of these. */
  readonly none: readonly string[];
  readonly swarm: string | undefined;
  readonly state?: AgentState | undefined;
}

/** A query that every agent satisfies, to be narrowed. */
export const everyAgent: RegistryQuery = { all: [], any: [], none: [], swarm: undefined };
