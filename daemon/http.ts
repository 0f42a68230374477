import { z } from 'zod';
import { CliError, interrupted, messageOf } from './cli-error.ts';
import { adviceOf, exitCodeOf, exitCodes } from './exit-codes.ts';

/** An answer other than 2xx, or none at all. */
export class ApiError extends CliError {
  /** As in the problem details; `unavailable` when no node could be reached, `outcome_unknown` when a write's answer was lost. */
  readonly code: string;
  /** The HTTP status; 0 without an answer. */
  readonly status: number;

  constructor(code: string, detail: string, status: number, options?: { readonly cause?: unknown; readonly next?: string | undefined }) {
    super(exitCodeOf(code, status), detail.replace(/\.$/, ''), options?.next ?? adviceOf(code), options);
    this.code = code;
    this.status = status;
  }
}

const problemSchema = z.object({
  code: z.string().optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
  /** What has to be voted on first. */
  kind: z.string().optional(),
  subject: z.string().optional(),
  payload: z.string().optional(),
});

export interface HttpSettings {
  readonly endpoints: readonly string[];
  readonly token?: string | undefined;
  /** Bound on one request, without the time it asks the node to wait. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface RequestInit {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  /** How long the node was asked to wait before it answers. */
  readonly waitMs?: number;
  /** True when sending it twice does no more than sending it once. Reads always are. */
  readonly isRepeatable?: boolean;
  readonly idempotencyKey?: string | undefined;
  /** Ends this request alone. */
  readonly signal?: AbortSignal | undefined;
}

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** Requests to a cluster over its endpoints, in order, going on to the next when one can't serve; it stays with the one that answered last. */
export class Http {
  readonly #settings: HttpSettings;
  #current = 0;

  constructor(settings: HttpSettings) {
    this.#settings = settings;
  }

  /**
   * The answer's JSON.
   *
   * @throws ApiError when the answer is a failure or no node answers; CliError when interrupted.
   */
  async request(method: Method, path: string, init: RequestInit = {}): Promise<unknown> {
    const { endpoints } = this.#settings;
    let last: ApiError | undefined;
    for (let tried = 0; tried < endpoints.length; tried++) {
      const endpoint = endpoints[this.#current % endpoints.length] ?? '';
      const outcome = await this.#attempt(endpoint, method, path, init);
      if (!(outcome instanceof ApiError)) return outcome.body;
      last = outcome;
      if (!mayGoOn(last, method === 'GET' || init.isRepeatable === true)) throw last;
      this.#current++;
    }
    throw last ?? new ApiError('unavailable', 'no endpoint is known', 0);
  }

  /**
   * The answer's body as it comes: any length, at any pace. From the first endpoint that gives one.
   *
   * @throws ApiError when no node does.
   */
  async download(path: string): Promise<AsyncIterable<Uint8Array>> {
    const { endpoints, signal } = this.#settings;
    let last = new ApiError('unavailable', 'no endpoint is known', 0);
    for (const endpoint of endpoints) {
      try {
        const response = await fetch(urlOf(endpoint, path, undefined), { headers: this.#headers({}), signal });
        if (response.ok && response.body !== null) return response.body;
        last = problemOf(response.status, await response.text());
      } catch (error) {
        if (signal.aborted) throw interrupted();
        last = failureOf(error, endpoint, 'GET', false);
      }
    }
    throw last;
  }

  async #attempt(endpoint: string, method: Method, path: string, init: RequestInit): Promise<ApiError | { readonly body: unknown }> {
    const { timeoutMs, endpoints, signal } = this.#settings;
    // A repeatable request leaves time for the other endpoints: a paused node takes connections and never answers.
    const isShared = method === 'GET' || init.isRepeatable === true;
    const deadline = AbortSignal.timeout((init.waitMs ?? 0) + Math.ceil(timeoutMs / (isShared ? endpoints.length : 1)));
    const signals = [signal, deadline, ...(init.signal === undefined ? [] : [init.signal])];
    try {
      const response = await fetch(urlOf(endpoint, path, init.query), {
        method,
        headers: this.#headers(init),
        signal: AbortSignal.any(signals),
        ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
      });
      const text = await response.text();
      return response.ok ? { body: text === '' ? undefined : parseJson(text) } : problemOf(response.status, text);
    } catch (error) {
      if (signal.aborted || init.signal?.aborted === true) throw interrupted();
      return failureOf(error, endpoint, method, deadline.aborted);
    }
  }

  #headers({ body, idempotencyKey }: RequestInit): Record<string, string> {
    const { token } = this.#settings;
    return {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
  }

  /**
   * Server-sent events from now on, in order and without gaps: a broken stream goes on at the next endpoint after the last event seen. Never ends by
   * itself.
   */
  async *events(
    path: string,
    query: RequestInit['query'],
  ): AsyncGenerator<{ readonly id: string; readonly event: string; readonly data: unknown }> {
    const { endpoints, signal } = this.#settings;
    let lastId: string | undefined;
    let failures = 0;
    while (!signal.aborted) {
      const endpoint = endpoints[this.#current % endpoints.length] ?? '';
      try {
        const headers = { ...this.#headers({}), accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) };
        const response = await fetch(urlOf(endpoint, path, query), { headers, signal });
        if (!response.ok) throw problemOf(response.status, await response.text());
        for await (const event of parseEvents(response.body ?? [])) {
          failures = 0;
          lastId = event.id === '' ? lastId : event.id;
          yield event;
        }
      } catch (error) {
        if (signal.aborted) throw interrupted();
        const failure = error instanceof ApiError ? error : failureOf(error, endpoint, 'GET', false);
        if (!mayGoOn(failure, true) || ++failures >= 3 * endpoints.length) throw failure;
      }
      this.#current++;
      await pause(250, signal);
    }
    throw interrupted();
  }
}

/** Definite failures of one node that another may not share; and any loss of an answer, if the request may be repeated. */
function mayGoOn({ code, status }: ApiError, isRepeatable: boolean): boolean {
  if (code === 'no_leader' || code === 'no_quorum' || code === 'unavailable') return true;
  return isRepeatable && (status === 0 || status === 503 || status === 504);
}

function problemOf(status: number, text: string): ApiError {
  const problem = problemSchema.safeParse(parseJson(text));
  const { code, title, detail, kind, subject, payload } = problem.success ? problem.data : {};
  const vote = `quorate vote open '${subject}' --kind ${kind}${payload === undefined ? '' : ` --payload '${payload}'`} --wait --cert FILE`;
  const next =
    code === 'certificate_required'
      ? `${vote}; then the same with --certificate FILE`
      : code === 'locked'
        ? `${vote}; then quorate vote enact FILE`
        : undefined;
  return new ApiError(code ?? `http_${status}`, detail ?? title ?? `the node answered with status ${status}`, status, { next });
}

/** The kernel refused or never made the connection: the request was surely not carried out. */
const notConnected: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function failureOf(error: unknown, endpoint: string, method: Method, isLate: boolean): ApiError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (!isLate && notConnected.has(code))
    return new ApiError('unavailable', `no node answers at ${endpoint} (${code})`, 0, { cause: error });
  if (method !== 'GET')
    return new ApiError('outcome_unknown', `${endpoint} did not answer; the request may have been carried out`, 0, { cause: error });
  if (isLate) return new ApiError('timeout', `${endpoint} did not answer in time`, 0, { cause: error });
  return new ApiError('unavailable', `the connection to ${endpoint} broke: ${messageOf(cause)}`, 0, { cause: error });
}

function urlOf(endpoint: string, path: string, query: RequestInit['query']): string {
  const url = new URL(path, endpoint);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** An event longer than this is not one of ours. */
const maxEventText = 2 ** 21;

async function* parseEvents(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<{ id: string; event: string; data: unknown }> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > maxEventText) throw new CliError(exitCodes.error, 'the node sent an event without end');
    for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
      const fields = new Map<string, string>();
      for (const line of text.slice(0, at).split('\n')) {
        const colon = line.indexOf(':');
        if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart());
      }
      text = text.slice(at + 2);
      const data = fields.get('data');
      if (data !== undefined) yield { id: fields.get('id') ?? '', event: fields.get('event') ?? 'message', data: parseJson(data) };
    }
  }
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
    return undefined;
  });
}
