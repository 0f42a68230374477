/** What the process's exit code says; part of the contract with scripts. */
export const exitCodes = {
  ok: 0,
  error: 1,
  usage: 2,
  notFound: 3,
  unavailable: 4,
  conflict: 5,
  timeout: 6,
  denied: 7,
  /** Also: a simulated run broke an invariant. */
  unhealthy: 8,
  /** A simulated run was safe but did not become whole. */
  stuck: 9,
  /** A simulated run stopped by an error of the program. */
  crashed: 10,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byFailure: Readonly<Record<string, ExitCode>> = {
  invalid_argument: exitCodes.usage,
  too_large: exitCodes.usage,
  not_found: exitCodes.notFound,
  unknown_agent: exitCodes.notFound,
  unknown_task: exitCodes.notFound,
  no_leader: exitCodes.unavailable,
  no_quorum: exitCodes.unavailable,
  unavailable: exitCodes.unavailable,
  overloaded: exitCodes.unavailable,
  version_mismatch: exitCodes.conflict,
  stale_generation: exitCodes.conflict,
  stale_fence: exitCodes.conflict,
  id_conflict: exitCodes.conflict,
  already_completed: exitCodes.conflict,
  wrong_state: exitCodes.conflict,
  idempotency_conflict: exitCodes.conflict,
  certificate_required: exitCodes.denied,
  bad_certificate: exitCodes.denied,
  locked: exitCodes.denied,
  change_pending: exitCodes.conflict,
  not_caught_up: exitCodes.conflict,
  would_lose_quorum: exitCodes.conflict,
  token_refused: exitCodes.denied,
  byzantine_unavailable: exitCodes.conflict,
  already_voted: exitCodes.conflict,
  session_expired: exitCodes.conflict,
  raft_divergence: exitCodes.unhealthy,
  timeout: exitCodes.timeout,
  outcome_unknown: exitCodes.timeout,
  aborted: exitCodes.interrupted,
  internal: exitCodes.error,
};

const byStatus: Readonly<Record<number, ExitCode>> = {
  400: exitCodes.usage,
  401: exitCodes.denied,
  403: exitCodes.denied,
  404: exitCodes.notFound,
  409: exitCodes.conflict,
  413: exitCodes.usage,
  429: exitCodes.unavailable,
  503: exitCodes.unavailable,
  504: exitCodes.timeout,
};

/** The exit code for a failure's code; an unknown one is judged by its HTTP status. */
export const exitCodeOf = (code: string, status?: number): ExitCode => byFailure[code] ?? byStatus[status ?? 0] ?? exitCodes.error;

const advice: Readonly<Record<string, string>> = {
  no_leader: 'wait for an election, then see `quorate status`',
  no_quorum: 'bring back a majority of the nodes; `quorate status` names those that can be reached',
  unavailable: 'see `quorate status`, and name more nodes with --endpoints',
  overloaded: 'wait a moment and try again',
  version_mismatch: 'read the key again and repeat with its version',
  stale_generation: 'the agent was registered again elsewhere; use the newest generation',
  stale_fence: 'another worker holds the task now; drop the result',
  id_conflict: 'choose another --id, or submit the very same body',
  timeout: 'try again, or allow more with --timeout',
  outcome_unknown: 'read the state before repeating: the write may have taken effect',
  bad_certificate: 'check it with `quorate vote verify`',
  change_pending: 'wait until the change before is done, then try again',
  not_caught_up: 'wait a moment and try again; `quorate member list` shows the members',
  token_refused: 'ask for a new one with `quorate member token`',
  would_lose_quorum: 'bring back the nodes that are named, or remove them first',
  byzantine_unavailable: 'found a cluster of at least 4 nodes; `quorate status` shows the members',
  already_voted: 'nothing can be done: a ballot is cast once, for ever',
  raft_divergence: 'see `quorate status`; the node whose log differs must be repaired',
  unknown_agent: '`quorate agent list` shows the agents',
  unknown_task: '`quorate task list` shows the tasks',
};

/** What a person can do about a failure, in a few words. */
export const adviceOf = (code: string): string | undefined => advice[code];
