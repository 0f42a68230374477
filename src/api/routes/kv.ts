import { failure, QuorateError } from '../../core/errors.ts';
import type { NodeService } from '../../node/service.ts';
import { done, indexHeader, readHeaders, route, type Route } from '../route.ts';
import { keyBody, keyDeleteQuery, keyListQuery, keyParams, keyQuery, noQuery } from '../schemas.ts';

export const kvRoutes = (node: NodeService): Route[] => [
  route({
    method: 'GET',
    path: '/v1/kv',
    summary: 'Keys that begin with a prefix, in order',
    query: keyListQuery,
    handle: async ({ query: { consistency, prefix, limit, cursor }, signal }) => {
      const headers = await readHeaders(node, consistency, signal);
      const items = node.state().keys.list(prefix, cursor, limit);
      return { headers, body: { items, ...(items.length === limit ? { cursor: items.at(-1)?.key } : {}) } };
    },
  }),
  route({
    method: 'PUT',
    path: '/v1/kv/*',
    summary: 'Write a key; ifVersion makes it conditional, 0 means only if absent',
    params: keyParams,
    query: noQuery,
    body: keyBody,
    handle: async ({ params: { '*': key }, body: { value, ifVersion }, header, signal }) => {
      const { index } = done(
        await node.submit({ op: 'PutKey', key, value, ifVersion }, { signal, idempotencyKey: header('idempotency-key') }),
      );
      return { headers: indexHeader(index), body: { key, version: index, index } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/kv/*',
    summary: 'Read a key; with index and wait, once its version is greater',
    params: keyParams,
    query: keyQuery,
    handle: async ({ params: { '*': key }, query: { consistency, index, wait }, signal }) => {
      let headers = await readHeaders(node, consistency, signal);
      if (index !== undefined && wait !== undefined) {
        await node.waitForKey(key, index, wait, signal);
        headers = await readHeaders(node, consistency, signal);
      }
      const record = node.state().keys.get(key);
      if (record === undefined) throw new QuorateError(failure('not_found', `there is no key ${JSON.stringify(key)}`));
      return { headers, body: { key, value: record.value, version: record.version } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/kv/*',
    summary: 'Delete a key',
    params: keyParams,
    query: keyDeleteQuery,
    handle: async ({ params: { '*': key }, query: { ifVersion }, signal }) => {
      const { index } = done(await node.submit({ op: 'DeleteKey', key, ifVersion }, { signal }));
      return { headers: indexHeader(index), body: { index } };
    },
  }),
];
