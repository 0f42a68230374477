import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { failure, QuorateError } from '../core/errors.ts';
import type { Consistency, NodeService } from '../node/service.ts';
import type { CommandResult } from '../tasks/commands.ts';

/** A request whose parts were checked by the route's schemas. */
export interface Request<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly header: (name: string) => string | undefined;
  /** Aborted when the client is gone or the node stops. */
  readonly signal: AbortSignal;
  readonly reply: FastifyReply;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON; or text when `contentType` says so. Undefined: the handler writes the answer itself. */
  readonly body: unknown;
  readonly contentType?: string;
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** In fastify's form: `/v1/agents/:id`. */
  readonly path: string;
  readonly summary: string;
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType;
  readonly body: z.ZodType | undefined;
  handle(
    parts: { params: unknown; query: unknown; body: unknown },
    rest: Omit<Request<unknown, unknown, unknown>, 'params' | 'query' | 'body'>,
  ): Promise<Answer> | Answer;
}

/** A route: its schemas, from which the requests are checked and the OpenAPI document is made, and what it does. */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(definition: {
  readonly method: Route['method'];
  readonly path: string;
  readonly summary: string;
  readonly params?: P;
  readonly query: Q;
  readonly body?: B;
  handle(request: Request<z.infer<P>, z.infer<Q>, z.infer<B>>): Promise<Answer> | Answer;
}): Route {
  const { method, path, summary, params, query, body } = definition;
  return {
    method,
    path,
    summary,
    params,
    query,
    body,
    handle(parts, rest) {
      return definition.handle({
        ...rest,
        params: parse(params, parts.params, 'path'),
        query: parse(query, parts.query, 'query'),
        body: parse(body, parts.body, 'body'),
      });
    },
  };
}

function parse<T extends z.ZodType>(schema: T | undefined, value: unknown, where: string): z.infer<T> {
  // Without a schema there is nothing to read: the handler's type says so too.
  if (schema === undefined) return undefined as z.infer<T>;
  const parsed = (schema instanceof z.ZodUnion ? optionFor(schema, value) : schema).safeParse(value);
  // What the schema's own option made is of the schema's type.
  if (parsed.success) return parsed.data as z.infer<T>;
  const [issue] = parsed.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].map(String).join('.');
  const what = unknown === undefined ? (issue?.message ?? 'invalid') : 'unknown field';
  throw new QuorateError(failure('invalid_argument', `${where}${path === '' ? '' : ` ${path}`}: ${what}`, { path, in: where }));
}

/** One thing or an array of them: the right one of the two names the field that is wrong. */
const optionFor = (schema: z.ZodUnion, value: unknown): z.ZodType =>
  schema.options.filter((option) => option instanceof z.ZodType).find((option) => option instanceof z.ZodArray === Array.isArray(value)) ??
  schema;

/** Waits until the state may be read as the client wants it, and says what was read. */
export async function readHeaders(node: NodeService, consistency: Consistency, signal: AbortSignal): Promise<Record<string, string>> {
  const { index, term, ageMs } = await node.readPoint(consistency, { signal });
  return {
    'quorate-index': String(index),
    'quorate-term': String(term),
    'quorate-consistency': consistency,
    ...(consistency === 'local' ? { 'quorate-age-ms': String(ageMs) } : {}),
  };
}

/** The value of a command that was carried out; otherwise its failure is thrown. */
export function done(result: CommandResult): CommandResult & { readonly ok: true } {
  if (!result.ok) throw new QuorateError(result.failure);
  return result;
}

export const indexHeader = (index: number): Record<string, string> => ({ 'quorate-index': String(index) });
