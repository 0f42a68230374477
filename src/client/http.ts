import { failure, failureCode, QuorateError } from '../core/errors.ts';

export interface HttpOptions {
  readonly endpoints: readonly string[];
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

/** JSON over HTTP to the first endpoint that answers. Only what surely was not carried out goes to the next one. */
export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    options: { readonly signal?: AbortSignal | undefined; readonly headers?: Record<string, string> } = {},
  ): Promise<unknown> {
    let last = new QuorateError(failure('unavailable', 'no endpoint is configured'));
    for (const endpoint of this.#options.endpoints) {
      try {
        return await this.#once(endpoint, method, path, body, options);
      } catch (error) {
        if (!(error instanceof QuorateError) || !(error.code === 'unavailable' || error.code === 'no_quorum' || error.code === 'no_leader'))
          throw error;
        last = error;
      }
    }
    throw last;
  }

  async #once(
    endpoint: string,
    method: string,
    path: string,
    body: unknown,
    { signal, headers = {} }: { readonly signal?: AbortSignal | undefined; readonly headers?: Record<string, string> },
  ): Promise<unknown> {
    const { token, timeoutMs } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(new URL(path, endpoint), {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      const text = await response.text();
      const value: unknown = text === '' ? null : JSON.parse(text);
      if (response.ok) return value;
      throw new QuorateError(problemOf(value, response.status));
    } catch (error) {
      if (error instanceof QuorateError) throw error;
      if (signal?.aborted === true) throw new QuorateError(failure('aborted', 'the request was given up'), { cause: error });
      if (timeout.aborted) throw new QuorateError(failure('timeout', `${endpoint} did not answer in ${timeoutMs} ms`), { cause: error });
      // A refused connection took nothing; a broken one may have taken a write.
      const isDefinite = method === 'GET' || isRefused(error);
      const detail = `${endpoint} can't be reached`;
      throw new QuorateError(failure(isDefinite ? 'unavailable' : 'outcome_unknown', detail), { cause: error });
    }
  }
}

function problemOf(value: unknown, status: number) {
  if (typeof value !== 'object' || value === null || !('code' in value) || typeof value.code !== 'string') {
    return failure('internal', `the node answered ${status} without saying why`);
  }
  const { code, detail, ...data }: Record<string, unknown> & { code: string } = { ...value, code: value.code };
  return failure(failureCode(code), typeof detail === 'string' ? detail : `status ${status}`, data);
}

const isRefused = (error: unknown): boolean => {
  const cause = error instanceof Error ? error.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'code' in cause && (cause.code === 'ECONNREFUSED' || cause.code === 'ENOTFOUND');
};
