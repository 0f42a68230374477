import { expect } from 'chai';
import { createLibp2p, type Libp2p } from 'libp2p';
import { createIdentity, loadIdentity } from '../../src/transport/identity.ts';
import { libp2pSettings } from '../../src/transport/libp2p-settings.ts';

const protocol = '/test/1';

describe('transport: yamux', () => {
  const running: Libp2p[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map(async (host) => await host.stop()));
  });

  async function start(): Promise<Libp2p> {
    const { privateKey } = loadIdentity((await createIdentity()).privateKeyBytes);
    const host = await createLibp2p(libp2pSettings(privateKey, { host: '127.0.0.1', port: 0 }, {}));
    await host.start();
    await host.handle(protocol, () => {});
    running.push(host);
    return host;
  }

  it('throws nothing that nobody can catch when a connection is aborted in the turn in which a stream was asked for', async () => {
    const [here, there] = [await start(), await start()];
    const connection = await here.dial(there.getMultiaddrs());
    // The answer comes after that to yamux's own ping: from then on it may widen a stream's window at once.
    await connection.newStream(protocol);

    const asked = connection.newStream(protocol).then(
      () => 'opened',
      (error: unknown) => String(error),
    );
    connection.abort(new Error('gone'));

    expect(await asked).to.not.equal('opened');
  });
});
