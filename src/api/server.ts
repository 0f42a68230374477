import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { QuorateError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { NodeService } from '../node/service.ts';
import { openApi } from './openapi.ts';
import { problem, problemOf, type Problem } from './problem.ts';
import { route, type Answer, type Route } from './route.ts';
import { agentRoutes } from './routes/agents.ts';
import { decisionRoutes } from './routes/decisions.ts';
import { eventRoutes } from './routes/events.ts';
import { kvRoutes } from './routes/kv.ts';
import { memberRoutes } from './routes/members.ts';
import { nodeRoutes } from './routes/node.ts';
import { snapshotRoutes } from './routes/snapshot.ts';
import { taskRoutes } from './routes/tasks.ts';
import { voteRoutes } from './routes/votes.ts';
import { noQuery } from './schemas.ts';
import { attachStream } from './stream.ts';

export interface ApiOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly logger: Logger;
}

export interface Api {
  readonly port: number;
  stop(): Promise<void>;
}

const maxBodyBytes = 1024 * 1024;
/** Longest path segment: a key of 1024 characters, percent-encoded. */
const maxParamLength = 16_384;
const maxIdempotencyKeyLength = 256;

/** Opens the client port: HTTP as the contract says, and the stream. @throws Error in one line when the port is taken. */
export async function startApi(node: NodeService, { host, port, logger }: ApiOptions): Promise<Api> {
  const server = fastify({ logger: false, bodyLimit: maxBodyBytes, routerOptions: { maxParamLength }, forceCloseConnections: true });
  const stopping = new AbortController();
  const routes: Route[] = [
    ...nodeRoutes(node),
    ...memberRoutes(node),
    ...snapshotRoutes(node),
    ...kvRoutes(node),
    ...agentRoutes(node),
    ...taskRoutes(node),
    ...voteRoutes(node),
    ...decisionRoutes(node),
    ...eventRoutes(node),
  ];
  routes.push(
    route({
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document',
      query: noQuery,
      handle: () => ({ body: openApi(routes, node.status().version) }),
    }),
  );
  acceptJson(server);
  for (const each of routes) {
    server.route({ method: each.method, url: each.path, handler: (request, reply) => serve(each, request, reply, stopping.signal) });
  }
  answerStrays(server, node, routes, logger);
  const closeStreams = attachStream(server.server, node, logger);
  await listen(server, host, port);
  const address = server.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async stop() {
      stopping.abort();
      closeStreams();
      await server.close();
    },
  };
}

/** An empty body is no body, whatever its content type says. */
function acceptJson(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(['application/json', 'text/plain', '*'], { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') return done(null, undefined);
    try {
      return done(null, JSON.parse(String(body)));
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'malformed';
      return done(Object.assign(new Error(`the body is not JSON: ${reason}`), { statusCode: 400 }));
    }
  });
}

async function serve(each: Route, request: FastifyRequest, reply: FastifyReply, stopping: AbortSignal): Promise<unknown> {
  const gone = new AbortController();
  reply.raw.on('close', () => gone.abort());
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  if ((header('idempotency-key')?.length ?? 0) > maxIdempotencyKeyLength) {
    return sendProblem(
      reply,
      problem(400, 'invalid_argument', `header Idempotency-Key: at most ${maxIdempotencyKeyLength} characters`, {
        path: 'Idempotency-Key',
      }),
    );
  }
  const { params, query, body } = request;
  const answer: Answer = await each.handle({ params, query, body }, { header, signal: AbortSignal.any([gone.signal, stopping]), reply });
  if (answer.body === undefined) return reply;
  return reply
    .code(answer.status ?? 200)
    .headers(answer.headers ?? {})
    .type(answer.contentType ?? 'application/json; charset=utf-8')
    .send(answer.body);
}

/** Everything that is not an answer is a problem: errors, unknown paths, wrong methods. */
function answerStrays(server: FastifyInstance, node: NodeService, routes: readonly Route[], logger: Logger): void {
  server.setErrorHandler((error: FastifyError | QuorateError, request, reply) => {
    if (error instanceof QuorateError) {
      const found = problemOf(error.failure);
      const { leader } = node.status();
      return sendProblem(reply, found.status === 503 && leader !== null ? { ...found, leader } : found);
    }
    const status = error.statusCode ?? 500;
    if (status >= 500) {
      logger.error({ error: error.stack ?? error.message, path: request.url }, 'a request failed');
      return sendProblem(reply, problem(500, 'internal', 'the node failed to answer; its log says why'));
    }
    return sendProblem(reply, problem(status, status === 413 ? 'too_large' : 'invalid_argument', error.message));
  });
  server.setNotFoundHandler((request, reply) => {
    const path = new URL(request.url, 'http://node').pathname;
    const allowed = [...new Set(routes.filter((each) => patternOf(each.path).test(path)).map((each) => each.method))];
    if (allowed.length === 0)
      return sendProblem(reply, problem(404, 'not_found', `there is nothing at ${path}; /openapi.json lists what there is`));
    void reply.header('allow', allowed.join(', '));
    return sendProblem(reply, problem(405, 'method_not_allowed', `${request.method} is not possible at ${path}; ${allowed.join(', ')} is`));
  });
}

const patternOf = (path: string): RegExp => new RegExp(`^${path.replaceAll(/:\w+/g, '[^/]+').replace('*', '.+')}$`);

function sendProblem(reply: FastifyReply, found: Problem): FastifyReply {
  if (found.status === 429) void reply.header('retry-after', '1');
  return reply.code(found.status).type('application/problem+json').send(found);
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await server.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') throw new Error(`cannot listen on ${host}:${port}: the port is already in use`, { cause: error });
    throw error;
  }
}
