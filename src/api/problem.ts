import { STATUS_CODES } from 'node:http';
import type { Failure, FailureCode } from '../core/errors.ts';

/** The HTTP status of each failure: the one place where codes and statuses meet. */
const statuses: Readonly<Record<FailureCode, number>> = {
  invalid_argument: 400,
  not_found: 404,
  unknown_agent: 404,
  unknown_task: 404,
  version_mismatch: 409,
  stale_generation: 409,
  stale_fence: 409,
  id_conflict: 409,
  already_completed: 409,
  wrong_state: 409,
  idempotency_conflict: 409,
  certificate_required: 409,
  bad_certificate: 400,
  locked: 423,
  change_pending: 409,
  not_caught_up: 409,
  would_lose_quorum: 409,
  token_refused: 403,
  session_expired: 409,
  byzantine_unavailable: 409,
  already_voted: 409,
  raft_divergence: 503,
  no_quorum: 503,
  no_leader: 503,
  unavailable: 503,
  outcome_unknown: 504,
  timeout: 504,
  aborted: 499,
  overloaded: 429,
  too_large: 413,
  internal: 500,
};

/** Problem details (RFC 9457). */
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly [field: string]: unknown;
}

export function problem(status: number, code: string, detail: string, data: Readonly<Record<string, unknown>> = {}): Problem {
  return { ...data, type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, code, detail };
}

export const problemOf = (failure: Failure): Problem => problem(statuses[failure.code], failure.code, failure.detail, failure.data);
