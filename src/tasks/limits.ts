/**
 * The bounds of the replicated state. They decide what `apply` refuses, so they are part of its meaning: every node of a cluster must run with the same
 * ones. Sizes of text count UTF-16 code units.
 */
export interface StateLimits {
  /** Tasks that have not ended. Beyond: `overloaded`. */
  readonly maxTasks: number;
  /** Payloads of tasks that have not ended, together. Beyond: `overloaded`. */
  readonly maxTaskText: number;
  /** Tasks that have ended and are kept to be asked for; the oldest go first. */
  readonly maxTerminal: number;
  /** Payloads and results of ended tasks, together; the oldest go first. */
  readonly maxTerminalText: number;
  /** How long an ended task is kept. */
  readonly retentionMs: number;
  /** Ids of purged tasks, remembered so that a late repeat of a submission is recognised. */
  readonly maxPurgedIds: number;
  readonly purgedIdsMs: number;
  /** Results that came too late, kept for inspection: how many and how much text. */
  readonly maxOrphans: number;
  readonly maxOrphanText: number;
  /** From a running task's deadline to its cancellation: its holder knows the deadline and may be about to answer. */
  readonly deadlineGraceMs: number;
  /** How long an agent that lost a task is passed over for it while others could take it. After that, waiting for them helps nobody. */
  readonly exclusionMs: number;
  readonly maxKeys: number;
  /** Keys and values, together. Beyond: `overloaded`. */
  readonly maxKeyText: number;
  /** Registered agents. Beyond, one that is down is forgotten; without one: `overloaded`. */
  readonly maxAgents: number;
  /** Sessions. Beyond, the least recently used expires. */
  readonly maxSessions: number;
  /** A session unused for this long expires. */
  readonly sessionTtlMs: number;
  /**
   * Results remembered for one session above its client's acknowledgement; beyond: `overloaded`. A node's session carries all its HTTP clients, and one
   * command that was lost on the way holds the acknowledgement back for a second or two, while tens of thousands of others go on.
   */
  readonly maxSessionResults: number;
  /** Results remembered for all sessions. Beyond, the least recently used session expires. */
  readonly maxResults: number;
  readonly maxIdempotencyKeys: number;
  /** Nodes that joined after the founding and were not removed. Beyond: `overloaded`. */
  readonly maxMembers: number;
  /** Tokens to join that are neither used nor expired. Beyond: `overloaded`. */
  readonly maxJoinTokens: number;
  /** Beyond: `overloaded`. */
  readonly maxSecrets: number;
  /** Decisions that were carried out and are kept to be asked for; the oldest go first. */
  readonly maxDecisions: number;
  readonly idempotencyMs: number;
  /** Moves of each kind in one Tick: it must not keep the log waiting. */
  readonly maxMovesPerTick: number;
}

export const defaultLimits: StateLimits = {
  maxTasks: 1_000_000,
  maxTaskText: 2 ** 29,
  maxTerminal: 100_000,
  maxTerminalText: 2 ** 28,
  retentionMs: 3_600_000,
  maxPurgedIds: 100_000,
  purgedIdsMs: 7 * 86_400_000,
  maxOrphans: 1_000,
  maxOrphanText: 2 ** 23,
  deadlineGraceMs: 1_000,
  exclusionMs: 30_000,
  maxKeys: 1_000_000,
  maxKeyText: 2 ** 29,
  maxAgents: 100_000,
  maxSessions: 10_000,
  sessionTtlMs: 3_600_000,
  maxSessionResults: 65_536,
  maxResults: 1_000_000,
  maxIdempotencyKeys: 100_000,
  maxMembers: 256,
  maxJoinTokens: 64,
  maxSecrets: 1_000,
  maxDecisions: 10_000,
  idempotencyMs: 86_400_000,
  maxMovesPerTick: 1_000,
};

/** The last steps of a task's life that are kept. */
export const maxHistory = 32;
/** Agents that lost a task and are passed over for it. */
export const maxExcluded = 3;
/** Times an agent may give one task back without it counting as an attempt. */
export const maxReleases = 3;
/** 0..9: an index into a task queue's lanes. */
export const maxPriority = 9;

/** Bounds of single commands. */
export const commandBounds = {
  maxKey: 1_024,
  maxValue: 2 ** 20,
  maxPayload: 2 ** 18,
  maxSecret: 2 ** 16,
  maxResult: 2 ** 16,
  maxError: 2 ** 13,
  maxName: 256,
  maxIdempotencyKey: 512,
  maxNames: 256,
  maxConcurrency: 10_000,
  maxWeight: 1_000_000,
  maxTtlMs: 300_000,
  maxAttempts: 1_000_000,
  /** 400 days: beyond it a time is a mistake, and sums of times stay exact. */
  maxTimeMs: 400 * 86_400_000,
  maxFactor: 1_000,
  /** Items of one ExpireLeases or AgentsDown. */
  maxItems: 10_000,
} as const;
