/**
 * Why a request did not succeed. The codes are those of the HTTP contract and of the CLI's exit codes.
 *
 * A failure is *definite* when the command did not and will not take effect; only then is a blind retry right.
 */
export const failureCodes = [
  'invalid_argument',
  'not_found',
  'unknown_agent',
  'unknown_task',
  'version_mismatch',
  'stale_generation',
  'stale_fence',
  'id_conflict',
  'already_completed',
  'wrong_state',
  'idempotency_conflict',
  'certificate_required',
  'bad_certificate',
  'locked',
  'change_pending',
  'not_caught_up',
  'would_lose_quorum',
  'token_refused',
  'session_expired',
  'byzantine_unavailable',
  'already_voted',
  'raft_divergence',
  'no_quorum',
  'no_leader',
  'outcome_unknown',
  'overloaded',
  'too_large',
  'unavailable',
  'timeout',
  'aborted',
  'internal',
] as const;
export type FailureCode = (typeof failureCodes)[number];

/** The code that another node or version sent; one that is not known here is `internal`. */
export const failureCode = (text: unknown): FailureCode => failureCodes.find((code) => code === text) ?? 'internal';

export interface Failure {
  readonly code: FailureCode;
  /** One sentence for a person. */
  readonly detail: string;
  /** Facts that help the caller, for example the current `version` of a key or the `leader`. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** True when the command surely did not and will not happen. */
export const isDefinite = (failure: Failure): boolean =>
  !['outcome_unknown', 'timeout', 'aborted', 'session_expired'].includes(failure.code);

/** An expected failure, thrown at the edges only. Cores return a `Failure` as a value. */
export class QuorateError extends Error {
  override readonly name = 'QuorateError';
  readonly failure: Failure;

  constructor(failure: Failure, options?: { cause?: unknown }) {
    super(`${failure.code}: ${failure.detail}`, options);
    this.failure = failure;
  }

  get code(): FailureCode {
    return this.failure.code;
  }

  get isDefinite(): boolean {
    return isDefinite(this.failure);
  }
}

export const failure = (code: FailureCode, detail: string, data?: Failure['data']): Failure =>
  data === undefined ? { code, detail } : { code, detail, data };
