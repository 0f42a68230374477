import type { NodeService } from '../../node/service.ts';
import { route, type Route } from '../route.ts';
import { historyQuery, noQuery } from '../schemas.ts';

export const partitionRoutes = (node: NodeService): Route[] => [
  route({
    method: 'GET',
    path: '/v1/partition',
    summary: 'Who hears whom, what kind of split that is, and where this node stands',
    query: noQuery,
    handle: () => ({ body: node.partition.status() }),
  }),
  route({
    method: 'GET',
    path: '/v1/partition/history',
    summary:
      'Splits that this node has seen since its start, with their heal reports; the newest last, and only `limit` of them if so asked',
    query: historyQuery,
    handle: ({ query: { limit } }) => ({ body: { items: node.partition.history(limit) } }),
  }),
];
