import { expect } from 'chai';
import type { GossipSettings } from '../../../src/node/gossip/driver.ts';
import { GossipHost } from '../../../src/node/gossip/host.ts';
import { createIdentity } from '../../../src/transport/identity.ts';
import { eventually, LogRecorder } from '../../transport/support.ts';

const boundMs = 60_000;

describe('node: gossip over real sockets', () => {
  const running: GossipHost[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((host) => host.stop()));
  });

  async function startLinked(count: number, settings: GossipSettings, lossPercent = 0): Promise<GossipHost[]> {
    const identities = await Promise.all(Array.from({ length: count }, () => createIdentity()));
    for (const { privateKeyBytes: privateKey } of identities) {
      const options = { clusterId: 'test', privateKey, settings, logger: new LogRecorder(), lossPercent, onChanged: () => {} };
      running.push(await GossipHost.start(options));
    }
    for (const host of running) host.meet(running.map(({ member }) => member));
    await eventually(() => running.every(({ links }) => links === count - 1), 'all are linked', boundMs);
    return running;
  }

  const write = (host: GossipHost, key: string, value: number): boolean =>
    host.driver.write(key, Uint8Array.of(value), { generation: 1, role: 'owner' });
  const read = (host: GossipHost, key: string): number | undefined => host.driver.get(key)?.siblings[0]?.value?.[0];

  for (const carrier of ['mesh', 'gossipsub'] as const) {
    it(`brings updates of each to all by ${carrier}, in signed batches`, async () => {
      const hosts = await startLinked(3, { carrier });

      for (const [i, host] of hosts.entries()) expect(write(host, `k${i}`, i)).to.equal(true);

      await eventually(() => hosts.every((host) => [0, 1, 2].every((i) => read(host, `k${i}`) === i)), 'all know all', boundMs);
      for (const { driver } of hosts) expect([driver.counters.forged, driver.counters.malformed]).to.deep.equal([0, 0]);
    });
  }

  it('brings updates to all though most frames are lost', async () => {
    const hosts = await startLinked(3, {}, 70);
    for (let i = 0; i < 50; i++) for (const host of hosts.slice(i % 3, (i % 3) + 1)) write(host, `k${i}`, i);

    await eventually(() => hosts.every(({ driver }) => driver.size === 50), 'all know all', boundMs);
  });
});
