import type { NodeService } from '../../node/service.ts';
import { problem } from '../problem.ts';
import { route, type Route } from '../route.ts';
import { noQuery, readyQuery } from '../schemas.ts';

export const nodeRoutes = (node: NodeService): Route[] => [
  route({
    method: 'GET',
    path: '/livez',
    summary: 'The process answers; no quorum is needed',
    query: readyQuery,
    handle: () => ({ body: { status: 'ok' } }),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    summary: 'A leader is known, a majority is reachable, and what was committed at the start is applied',
    query: readyQuery,
    handle: ({ query }) => {
      const { ok, checks } = node.readiness();
      const details = query.verbose === undefined ? {} : { checks };
      if (ok) return { body: { status: 'ok', ...details } };
      const detail = checks
        .filter((check) => !check.ok)
        .map((check) => check.detail)
        .join('; ');
      return { status: 503, body: problem(503, 'unavailable', detail, details), contentType: 'application/problem+json' };
    },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    query: noQuery,
    handle: async () => ({ body: await node.metrics(), contentType: 'text/plain; version=0.0.4; charset=utf-8' }),
  }),
  route({
    method: 'GET',
    path: '/v1/status',
    summary: 'This node and what it knows of the cluster',
    query: noQuery,
    handle: () => ({ body: node.status() }),
  }),
];
