import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { type WebSocket, WebSocketServer } from 'ws';
import { Stream } from '../../src/client/stream.ts';
import { failure, type FailureCode } from '../../src/core/errors.ts';
import { resultFields } from '../../src/wire/commands.ts';
import { decodeRequests, encodeStreamMessage, failureReply, type StreamReply } from '../../src/wire/stream.ts';

/** What a node does with every write: refuses it, takes it, breaks off, or says nothing. */
type Manner = FailureCode | 'ok' | 'break' | 'silent';

describe('client: a write where a node cannot serve', () => {
  const servers: WebSocketServer[] = [];
  let stream: Stream | undefined;

  afterEach(() => {
    stream?.close();
    for (const server of servers.splice(0)) {
      for (const socket of server.clients) socket.terminate();
      server.close();
    }
  });

  /** `leader`: who leads, as it says. */
  async function node(manner: Manner, leader?: string): Promise<string> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    servers.push(server);
    server.on('connection', (socket) => {
      if (leader !== undefined) socket.send(encodeStreamMessage([[0, 'hello', { leader }]]));
      socket.on('message', (data) => serve(socket, manner, data));
    });
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  function serve(socket: WebSocket, manner: Manner, data: unknown): void {
    const requests = data instanceof Buffer ? (decodeRequests(data) ?? []) : [];
    for (const [id, kind] of requests) {
      if (kind === 'w' && manner === 'silent') continue;
      if (kind === 'w' && manner === 'break') socket.terminate();
      else socket.send(encodeStreamMessage([kind === 'open' ? [id, 0, 1] : answer(id, manner)]));
    }
  }

  const answer = (id: unknown, manner: Manner): StreamReply =>
    manner === 'ok' || manner === 'break' || manner === 'silent'
      ? [Number(id), 0, resultFields({ ok: true, index: 7, value: { kind: 'none' } })]
      : failureReply(Number(id), failure(manner, 'said so'));

  const write = async (...manners: Manner[]): Promise<string> => writeTo(await Promise.all(manners.map((manner) => node(manner))));

  function writeTo(endpoints: readonly string[]): Promise<string> {
    stream = new Stream(endpoints, () => 'nonce');
    return new Promise((resolve) => {
      stream?.write({ op: 'PutKey', key: 'k', value: 'v', ifVersion: undefined }, undefined, (result) =>
        resolve(result.ok ? 'ok' : result.failure.code),
      );
    });
  }

  it('goes on to a node that can', async () => {
    expect(await write('no_quorum', 'ok')).to.equal('ok');
    expect(await write('outcome_unknown', 'unavailable', 'ok')).to.equal('ok');
  });

  it('fails for certain when every node refused it for certain', async () => {
    expect(await write('no_quorum', 'no_quorum')).to.equal('no_quorum');
  });

  it('is of unknown outcome when a node may have taken it, whatever the next one says', async () => {
    expect(await write('outcome_unknown', 'no_quorum')).to.equal('outcome_unknown');
    expect(await write('break', 'no_quorum', 'no_quorum')).to.equal('outcome_unknown');
  });

  it('does not go on where another node would say the same', async () => {
    expect(await write('invalid_argument', 'ok')).to.equal('invalid_argument');
  });

  it('goes on where a node takes it and says nothing: it stands still, or the others do not hear it', async function () {
    this.timeout(20_000);

    expect(await write('silent', 'ok')).to.equal('ok');
  });

  it('stays with a node that answers when the leader can not be reached from here', async () => {
    const gone = await node('ok');
    servers.pop()?.close();

    expect(await writeTo([await node('ok', gone), gone])).to.equal('ok');
  });
});
