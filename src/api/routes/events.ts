import type { ToldEvent } from '../../node/event-log.ts';
import type { NodeService } from '../../node/service.ts';
import { route, type Route } from '../route.ts';
import { eventsQuery } from '../schemas.ts';

/** A comment now and then keeps proxies from closing an idle stream. */
const keepAliveMs = 15_000;
/** A reader that is so far behind is cut off; it may come back with Last-Event-ID. */
const maxUnsentBytes = 16 * 1024 * 1024;

export const eventRoutes = (node: NodeService): Route[] => [
  route({
    method: 'GET',
    path: '/v1/events',
    summary: 'Server-sent events from an index on; their ids are log indices',
    query: eventsQuery,
    handle: ({ query: { from, kinds }, header, signal, reply }) => {
      const last = header('last-event-id');
      const start = last !== undefined && /^\d{1,16}$/.test(last) ? Number(last) : from;
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', connection: 'keep-alive' });
      const send = (events: readonly ToldEvent[]): void => {
        const wanted = kinds === undefined ? events : events.filter(({ kind }) => kinds.some((name) => name === kind));
        if (wanted.length > 0)
          raw.write(wanted.map((event) => `id: ${event.index}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
        if (raw.writableLength > maxUnsentBytes) raw.destroy();
      };
      raw.write(': quorate\n\n');
      if (start !== undefined) {
        const { events, complete } = node.eventsAfter(start);
        if (!complete) raw.write(`event: gap\ndata: ${JSON.stringify({ after: start })}\n\n`);
        send(events);
      }
      const unsubscribe = node.subscribe(send);
      const timer = setInterval(() => raw.write(':\n\n'), keepAliveMs);
      signal.addEventListener('abort', () => {
        clearInterval(timer);
        unsubscribe();
        raw.end();
      });
      return { body: undefined };
    },
  }),
];
