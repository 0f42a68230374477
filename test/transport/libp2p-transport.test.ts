import { expect } from 'chai';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createIdentity, loadIdentity } from '../../src/transport/identity.ts';
import { ListenError, startLibp2pTransport } from '../../src/transport/libp2p-transport.ts';
import { libp2pSettings, toMultiaddr } from '../../src/transport/libp2p-settings.ts';
import { transportConformance } from '../conformance/transport.ts';
import { Cluster, LogRecorder, Recorder, allLinked, clusterId, eventually, newIdentity, newSeats, patterned } from './support.ts';
import type { Seat } from './support.ts';

const cluster = new Cluster();

transportConformance('libp2p', {
  start: (count) => cluster.startLinked(count),
  unknown: async () => (await newIdentity()).nodeId,
  stop: () => cluster.stop(),
});

const seatsOf = async (count: number): Promise<[Seat, Seat, ...Seat[]]> => {
  const [first, second, ...others] = await newSeats(count);
  if (first === undefined || second === undefined) throw new Error('two seats');
  return [first, second, ...others];
};

describe('transport: identities', () => {
  it('come back from the bytes of a key file', async () => {
    const created = await createIdentity();

    const loaded = loadIdentity(created.privateKeyBytes);

    expect(loaded.nodeId).to.equal(created.nodeId);
    expect(loaded.nodeId).to.match(/^12D3KooW/);
  });

  it('are refused when the bytes are no Ed25519 key', () => {
    expect(() => loadIdentity(Uint8Array.of(1, 2, 3))).to.throw(RangeError, 'not an Ed25519 private key');
    expect(() => loadIdentity(new Uint8Array())).to.throw(RangeError, 'not an Ed25519 private key');
  });
});

describe('transport: links of libp2p', () => {
  afterEach(() => cluster.stop());

  it('come up among twelve members that dial from one address at once', async () => {
    const nodes = await cluster.startLinked(12);

    expect(allLinked(nodes)).to.equal(true);
    expect(nodes.every((node) => node.transport.stats.strangersRefused === 0)).to.equal(true);
  });

  it('hold with the settings that the substrate needs', async () => {
    const identity = await newIdentity();

    const settings = libp2pSettings(identity.privateKey, { host: '127.0.0.1', port: 0 }, {});

    expect(settings.connectionMonitor).to.deep.equal({ enabled: false });
    expect(settings.connectionManager).to.include({ reconnectRetries: 0 });
    expect(settings.connectionManager?.inboundConnectionThreshold).to.be.at.least(100);
    expect(settings.connectionManager?.maxIncomingPendingConnections).to.be.at.least(100);
  });

  it('are tried for ever, and come up when the peer appears after many failures', async () => {
    const [first, second] = await seatsOf(2);
    const members = [first.member, second.member];
    const early = await cluster.start(first, members);
    const failures = (): number => early.log.lines.filter((line) => line.message === 'could not open a link').length;
    await eventually(() => failures() >= 7, 'seven failed dials');

    const late = await cluster.start(second, members);
    await eventually(() => allLinked([early, late]), 'both links', 2000);

    expect(early.recorder.links).to.deep.equal([{ peer: late.id, up: true }]);
  });

  it('come up again when a peer restarts on the same port', async () => {
    const [first, second] = await seatsOf(2);
    const members = [first.member, second.member];
    const stays = await cluster.start(first, members);
    const stops = await cluster.start(second, members);
    await eventually(() => allLinked([stays, stops]), 'both links');

    await stops.transport.stop();
    await eventually(() => !stays.recorder.isUp(stops.id), 'the link is lost');
    const restarted = await cluster.start(second, members);
    await eventually(() => allLinked([stays, restarted]), 'both links again', 3000);
    stays.transport.send(restarted.id, Uint8Array.of(1));
    restarted.transport.send(stays.id, Uint8Array.of(2));
    await eventually(() => stays.recorder.frames.length === 1 && restarted.recorder.frames.length === 1, 'frames flow both ways');

    expect(stays.recorder.links.map(({ up }) => up)).to.deep.equal([true, false, true]);
  });

  it('are dialled afresh after dropLink, and frames flow again both ways', async () => {
    const [a, b] = await cluster.startLinked(2);
    if (a === undefined || b === undefined) throw new Error('two nodes');

    a.transport.dropLink(b.id);
    const atOnce = a.transport.links().get(b.id);
    await eventually(() => a.recorder.downs(b.id) === 1 && b.recorder.downs(a.id) === 1, 'both have seen the loss');
    await eventually(() => allLinked([a, b]), 'both links again');
    a.transport.send(b.id, Uint8Array.of(1));
    b.transport.send(a.id, Uint8Array.of(2));
    await eventually(() => a.recorder.frames.length === 1 && b.recorder.frames.length === 1, 'frames flow both ways');

    expect(atOnce).to.equal(false);
  });

  it('go silent when they are impaired, can not be opened anew, and come back', async () => {
    const nodes = await cluster.startLinked(3);
    const [a, b, c] = nodes;
    if (a === undefined || b === undefined || c === undefined) throw new Error('three nodes');

    a.transport.impair({ deafTo: [b.id], muteTo: [b.id] });
    a.transport.send(b.id, Uint8Array.of(1));
    b.transport.send(a.id, Uint8Array.of(2));
    c.transport.send(a.id, Uint8Array.of(3));
    await eventually(() => a.recorder.frames.length === 1, 'the other links are well');
    const silent = [a.transport.links().get(b.id), a.recorder.frames[0]?.from, b.recorder.frames.length];
    b.transport.dropLink(a.id);
    const failures = (): number => b.log.lines.filter((line) => line.message === 'could not open a link').length;
    await eventually(() => failures() >= 3, 'the other side dials in vain');
    const refused = [b.transport.links().get(a.id), a.transport.stats.strangersRefused];
    a.transport.impair({ deafTo: [], muteTo: [] });
    await eventually(() => allLinked(nodes), 'all links again');

    expect(silent).to.deep.equal([true, c.id, 0]);
    expect(refused).to.deep.equal([false, 0]);
  });

  it('can be impaired in one direction', async () => {
    const [a, b] = await cluster.startLinked(2);
    if (a === undefined || b === undefined) throw new Error('two nodes');

    a.transport.impair({ deafTo: [b.id], muteTo: [] });
    b.transport.send(a.id, Uint8Array.of(1));
    a.transport.send(b.id, Uint8Array.of(2));
    await eventually(() => b.recorder.frames.length === 1, 'what a says is heard');

    expect(a.recorder.frames).to.deep.equal([]);
  });

  it('follow a change of the members', async () => {
    const [first, second, third] = await seatsOf(3);
    if (third === undefined) throw new Error('three seats');
    const two = [first.member, second.member];
    const a = await cluster.start(first, two);
    const b = await cluster.start(second, two);
    const c = await cluster.start(third, [...two, third.member]);
    await eventually(() => a.transport.stats.strangersRefused > 0, 'the newcomer is a stranger at first');

    for (const node of [a, b]) node.transport.setMembers([...two, third.member]);
    await eventually(() => allLinked([a, b, c]), 'all three are linked');
    for (const node of [a, b]) node.transport.setMembers(two);
    await eventually(
      () => !a.recorder.isUp(c.id) && !b.recorder.isUp(c.id) && !c.recorder.isUp(a.id),
      'the removed one has lost its links',
    );

    expect([...a.transport.links()]).to.deep.equal([[b.id, true]]);
    expect(a.recorder.downs(b.id)).to.equal(0);
  });

  it('are not made with a node of another cluster', async () => {
    const [first, second] = await seatsOf(2);
    const members = [first.member, second.member];
    const a = await cluster.start(first, members);
    const foreign = await startLibp2pTransport({
      privateKey: second.identity.privateKey,
      listen: second.member,
      members,
      handlers: new Recorder(),
      logger: new LogRecorder(),
      clusterId: `${clusterId}-2`,
    });
    const failures = (): number => a.log.lines.filter((line) => line.message === 'could not open a link').length;

    await eventually(() => failures() >= 4, 'some attempts have failed');
    await foreign.stop();

    expect(a.recorder.links).to.deep.equal([]);
  });

  it('may be given a host name', async () => {
    const [first, second] = await seatsOf(2);
    const byName = { ...first.member, host: 'localhost' };
    const a = await cluster.start({ ...first, member: { ...first.member, host: '127.0.0.1' } }, [byName, second.member]);
    const b = await cluster.start(second, [byName, second.member]);

    await eventually(() => allLinked([a, b]), 'both links');

    expect(b.transport.port).to.equal(second.member.port);
  });

  it('are dialled by address or by name, always with the id the peer must prove', async () => {
    const { nodeId } = await newIdentity();

    const dialled = ['10.0.0.1', '::1', 'a.example'].map((host) => toMultiaddr({ host, port: 7 }, nodeId).toString());

    expect(dialled).to.deep.equal([
      `/ip4/10.0.0.1/tcp/7/p2p/${nodeId}`,
      `/ip6/::1/tcp/7/p2p/${nodeId}`,
      `/dns/a.example/tcp/7/p2p/${nodeId}`,
    ]);
  });

  it('keep the newest frames when one turn sends more than the queue holds', async () => {
    const limits = { maxQueuedFrames: 16 };
    const [a, b] = await cluster.startLinked(2, limits);
    if (a === undefined || b === undefined) throw new Error('two nodes');

    for (let i = 0; i < 100; i++) a.transport.send(b.id, patterned(1000, i));
    await eventually(() => b.recorder.frames.length === 16, 'what the queue holds has arrived');

    expect(a.transport.stats.framesDropped).to.equal(84);
    expect(b.recorder.frames.map(({ frame }) => [...frame])).to.deep.equal(
      Array.from({ length: 16 }, (_, i) => [...patterned(1000, 84 + i)]),
    );
  });
});

const openSockets = (): string[] => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'));

describe('transport: start and stop', () => {
  afterEach(() => cluster.stop());

  it('names the address whose port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const identity = await newIdentity();

    const failure = await startLibp2pTransport({
      privateKey: identity.privateKey,
      listen: { host: '127.0.0.1', port },
      members: [],
      handlers: new Recorder(),
      logger: new LogRecorder(),
      clusterId,
    }).catch((error: unknown) => error);
    server.close();

    expect(failure).to.be.instanceOf(ListenError);
    expect(failure).to.include({ code: 'port_in_use', message: `cannot listen on 127.0.0.1:${port}: the port is already in use` });
  });

  it('names the address that is not one of this machine', async () => {
    const identity = await newIdentity();

    const failure = await startLibp2pTransport({
      privateKey: identity.privateKey,
      listen: { host: '192.0.2.1', port: 0 },
      members: [],
      handlers: new Recorder(),
      logger: new LogRecorder(),
      clusterId,
    }).catch((error: unknown) => error);

    expect(failure).to.include({ code: 'cannot_listen', message: 'cannot listen on 192.0.2.1:0: EADDRNOTAVAIL' });
  });

  it('lets the system choose a port and tells it', async () => {
    const [first] = await seatsOf(2);

    const node = await cluster.start({ ...first, member: { ...first.member, port: 0 } }, []);

    expect(node.transport.port).to.be.within(1024, 65_535);
  });

  it('leaves no socket behind', async () => {
    await eventually(() => openSockets().length === 0, 'nothing is left of earlier tests');
    const nodes = await cluster.startLinked(3);

    await Promise.all(nodes.map((node) => node.transport.stop()));
    await eventually(() => openSockets().length === 0, 'every socket is closed');

    expect(nodes.map((node) => node.transport.links().size)).to.deep.equal([0, 0, 0]);
  });

  it('frees the port, and works while peers are being dialled in vain', async () => {
    const [first, second] = await seatsOf(2);
    const node = await cluster.start(first, [first.member, second.member]);

    await node.transport.stop();
    const again = await cluster.start(first, [first.member]);

    expect(again.transport.port).to.equal(first.member.port);
  });
});
