import { yamux, type YamuxMuxerInit } from '@libp2p/yamux';

type MuxerFactory = ReturnType<ReturnType<typeof yamux>>;
type Muxed = Parameters<MuxerFactory['createStreamMuxer']>[0];

/**
 * yamux that says nothing more on a connection that is gone. Its own sends a new stream's window in a microtask, and throws there when the connection was
 * aborted in the same turn (StreamStateError): nobody can catch that, and the process ends.
 */
export function quietYamux(init: YamuxMuxerInit): (components: unknown) => MuxerFactory {
  return () => {
    const factory = yamux(init)();
    const create = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => create(silencedOnceClosed(connection));
    return factory;
  };
}

/** The streams hear of the end by the connection's `close`. */
function silencedOnceClosed(connection: Muxed): Muxed {
  const send = connection.send.bind(connection);
  connection.send = (data) => connection.status === 'open' && send(data);
  return connection;
}
