import { Readable } from 'node:stream';
import type { NodeService } from '../../node/service.ts';
import { route, type Route } from '../route.ts';
import { noQuery } from '../schemas.ts';

export const snapshotRoutes = (node: NodeService): Route[] => [
  route({
    method: 'GET',
    path: '/v1/snapshot',
    summary: 'The whole state at a linearizable point, as a checksummed file',
    query: noQuery,
    async handle({ signal }) {
      const { index, term, file } = await node.snapshot({ signal });
      return {
        headers: {
          'quorate-index': String(index),
          'quorate-term': String(term),
          'content-disposition': `attachment; filename="quorate-${index}.snapshot"`,
        },
        contentType: 'application/octet-stream',
        body: Readable.from(file, { objectMode: false }),
      };
    },
  }),
];
