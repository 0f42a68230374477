import { expect } from 'chai';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { once } from 'node:events';
import { connect } from 'node:net';
import { FrameReader, frameHeaderBytes, maxFrameBytes } from '../../src/transport/framing.ts';
import { libp2pSettings, peerProtocol, toMultiaddr } from '../../src/transport/libp2p-settings.ts';
import type { Connection, Stream } from '../../src/transport/libp2p-types.ts';
import { Cluster, clusterId, eventually, newSeats, patterned } from './support.ts';
import type { Seat, TestNode } from './support.ts';

const protocol = peerProtocol(clusterId);
const cluster = new Cluster();
const rawNodes: Libp2p[] = [];

/** libp2p with our settings but without our transport above it, so that a test can say anything with it. */
async function startRaw(seat: Seat, onStream: (stream: Stream) => void = () => {}): Promise<Libp2p> {
  const node = await createLibp2p(libp2pSettings(seat.identity.privateKey, seat.member, {}));
  await node.handle(protocol, onStream);
  await node.start();
  rawNodes.push(node);
  return node;
}

const dial = (raw: Libp2p, to: TestNode): Promise<Connection> => raw.dial(toMultiaddr(to.member, to.id), { force: true });

/** What stands before a frame of that length. */
const header = (length: number): Uint8Array => {
  const bytes = Buffer.alloc(frameHeaderBytes);
  bytes.writeUInt32LE(length);
  return bytes;
};

interface Scene {
  readonly a: TestNode;
  readonly b: TestNode;
  /** A third seat, whose holder is hostile. */
  readonly seat: Seat;
}

/** Two honest nodes that are linked; the third seat is a member's or a stranger's. */
async function scene(third: 'member' | 'stranger', limits = {}): Promise<Scene> {
  const [first, second, seat] = await newSeats(3);
  if (first === undefined || second === undefined || seat === undefined) throw new Error('three seats');
  const honest = [first.member, second.member];
  const members = third === 'member' ? [...honest, seat.member] : honest;
  const [a, b] = await Promise.all([cluster.start(first, members, limits), cluster.start(second, members, limits)]);
  await eventually(() => a.recorder.isUp(b.id) && b.recorder.isUp(a.id), 'the honest nodes are linked');
  return { a, b, seat };
}

const framesFrom = (node: TestNode, peer: TestNode): number => node.recorder.frames.filter((received) => received.from === peer.id).length;

/** Sends a frame each way between the honest nodes, over the link they have had all the time. */
async function expectUndisturbed({ a, b }: Scene): Promise<void> {
  a.transport.send(b.id, Uint8Array.of(1));
  b.transport.send(a.id, Uint8Array.of(2));
  await eventually(() => framesFrom(a, b) > 0 && framesFrom(b, a) > 0, 'the honest nodes still talk');
  expect([a.recorder.downs(b.id), b.recorder.downs(a.id)]).to.deep.equal([0, 0]);
}

describe('transport: strangers', () => {
  afterEach(async () => {
    await cluster.stop();
    for (const node of rawNodes.splice(0)) await node.stop();
  });

  it('are refused and counted, and logged at most once a second', async () => {
    const given = await scene('stranger');
    const raw = await startRaw(given.seat);
    const beginMs = performance.now();

    const attempt = async (): Promise<void> => {
      const connection = await dial(raw, given.a);
      await connection.newStream(protocol);
    };
    let refused = 0;
    // One after the other, because libp2p makes one dial of those to the same peer at the same time.
    for (let i = 0; i < 5; i++) await attempt().catch(() => refused++);
    await eventually(() => given.a.transport.stats.strangersRefused === 5, 'every attempt was counted');
    const linesAllowed = 1 + Math.floor((performance.now() - beginMs) / 1000);

    expect(refused).to.equal(5);
    expect(given.a.log.lines.filter((line) => line.message.includes('stranger')).length).to.be.within(1, linesAllowed);
    expect(given.a.recorder.links.map(({ peer }) => peer)).to.deep.equal([given.b.id]);
    await expectUndisturbed(given);
  });

  for (const [what, bytes] of [
    ['random bytes', patterned(100_000, 3)],
    ['zeros', new Uint8Array(70_000)],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    [
      'half a TLS hello',
      Buffer.concat([
        Buffer.from('\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n'),
        Buffer.from('1603010200010001fc0303', 'hex'),
        patterned(100, 1),
      ]),
    ],
    ['nothing at all', new Uint8Array()],
  ] as const) {
    it(`hurt nobody with ${what} on the port`, async () => {
      const given = await scene('stranger');
      const sockets = Array.from({ length: 20 }, () => connect(given.a.member.port, '127.0.0.1'));
      for (const socket of sockets) socket.on('error', () => {});
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));

      for (const socket of sockets) socket.write(bytes);
      for (const socket of sockets.slice(0, 10)) socket.end();

      await expectUndisturbed(given);
      // More than libp2p lets wait at once by default, and still somebody new gets in.
      given.a.transport.dropLink(given.b.id);
      await eventually(
        () => given.a.recorder.isUp(given.b.id) && given.b.recorder.isUp(given.a.id) && given.a.recorder.downs(given.b.id) === 1,
        'a new link',
      );
      for (const socket of sockets) socket.destroy();
    });
  }

  it('find nothing but the peer protocol', async () => {
    const given = await scene('member');
    const raw = await startRaw(given.seat);
    const connection = await dial(raw, given.a);

    const attempts = await Promise.allSettled(
      ['/ipfs/id/1.0.0', '/ipfs/ping/1.0.0', '/quorate/peer/1/other'].map((other) => connection.newStream(other)),
    );

    expect(attempts.map((attempt) => attempt.status)).to.deep.equal(['rejected', 'rejected', 'rejected']);
  });
});

describe('transport: members that misbehave', () => {
  afterEach(async () => {
    await cluster.stop();
    for (const node of rawNodes.splice(0)) await node.stop();
  });

  for (const [what, bytes] of [
    ['a length above the limit', header(maxFrameBytes + 1)],
    ['a length of zero', header(0)],
    ['bytes that are not frames', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ] as const) {
    it(`lose their connection and are counted for ${what}`, async () => {
      const given = await scene('member');
      const raw = await startRaw(given.seat);
      const connection = await dial(raw, given.a);
      const stream = await connection.newStream(protocol);

      stream.send(Buffer.concat([header(2), Uint8Array.of(7, 8), bytes]));
      await eventually(() => connection.status !== 'open', 'the connection is closed');

      expect(given.a.transport.stats.badStreams).to.equal(1);
      expect(given.a.recorder.frames).to.deep.equal([{ from: given.seat.identity.nodeId, frame: Uint8Array.of(7, 8) }]);
      await expectUndisturbed(given);
    });
  }

  it('lose their connection when they write on a stream they only read', async () => {
    const given = await scene('member');
    const incoming: Stream[] = [];
    await startRaw(given.seat, (stream) => incoming.push(stream));
    await eventually(
      () => incoming.length > 0 && given.a.recorder.isUp(given.seat.identity.nodeId) && given.b.recorder.isUp(given.seat.identity.nodeId),
      'both dial',
    );

    for (const stream of incoming) stream.send(Uint8Array.of(1));
    await eventually(() => given.a.transport.stats.badStreams === 1 && given.b.transport.stats.badStreams === 1, 'both have counted it');

    expect(given.a.recorder.frames).to.deep.equal([]);
    await expectUndisturbed(given);
  });

  it('have one stream to send on: a newer one replaces the older', async () => {
    const given = await scene('member');
    const raw = await startRaw(given.seat);
    const connection = await dial(raw, given.a);
    const older = await connection.newStream(protocol);
    older.send(Buffer.concat([header(1), Uint8Array.of(1)]));
    await eventually(() => given.a.recorder.frames.length === 1, 'the first frame');

    const newer = await connection.newStream(protocol);
    newer.send(Buffer.concat([header(1), Uint8Array.of(2)]));
    await eventually(() => given.a.recorder.frames.length === 2 && older.status !== 'open', 'the second frame, and the older stream gone');

    expect(newer.status).to.equal('open');
    expect(given.a.recorder.frames.map(({ frame }) => [...frame])).to.deep.equal([[1], [2]]);
  });

  it('have few connections: a newer one beyond the limit replaces the oldest', async () => {
    const given = await scene('member');
    const raw = await startRaw(given.seat);

    const connections: Connection[] = [];
    for (let i = 0; i < 12; i++) connections.push(await dial(raw, given.a));
    await eventually(() => connections.filter((connection) => connection.status === 'open').length <= 4, 'the oldest are closed');

    expect(connections.at(-1)?.status).to.equal('open');
    await expectUndisturbed(given);
  });

  it('that read slowly are not cut off: the queue keeps the newest frames for them', async () => {
    const queued = 64;
    const given = await scene('member', { maxQueuedFrames: queued });
    const slow = given.seat.identity.nodeId;
    const received: number[] = [];
    const streams: Stream[] = [];
    let resets = 0;
    await startRaw(given.seat, (stream) => {
      const reader = new FrameReader(maxFrameBytes, (frame) => received.push(Buffer.from(frame).readUInt32LE()));
      stream.addEventListener('message', ({ data }) => void reader.push(data.subarray()));
      stream.addEventListener('close', () => resets++);
      streams.push(stream);
    });
    await eventually(() => given.a.recorder.isUp(slow) && given.b.recorder.isUp(slow), 'both have dialled the slow one');
    let sent = 0;
    const sendSome = (): void => {
      for (let i = 0; i < 20; i++) {
        const frame = Buffer.alloc(16_384);
        frame.writeUInt32LE(sent++);
        given.a.transport.send(slow, frame);
      }
    };
    // While it reads, the window of its stream grows; what is on its way when it pauses then is as much as it can be.
    await eventually(() => {
      if (received.at(-1) === sent - 1 || sent === 0) sendSome();
      return received.length >= 3000;
    }, 'the window has grown');
    await eventually(() => received.at(-1) === sent - 1, 'everything has arrived');

    for (const stream of streams) stream.pause();
    const droppedBefore = given.a.transport.stats.framesDropped;
    await eventually(() => {
      sendSome();
      return given.a.transport.stats.framesDropped > droppedBefore + 2000;
    }, 'every buffer on the way is full, and the queue');
    const droppedWhilePaused = given.a.transport.stats.framesDropped;
    const resetsWhilePaused = resets;
    for (const stream of streams) stream.resume();
    await eventually(() => received.at(-1) === sent - 1, 'the newest frame has arrived');

    expect(resetsWhilePaused).to.equal(0);
    expect(given.a.recorder.downs(slow)).to.equal(0);
    expect(received.length).to.equal(sent - droppedWhilePaused);
    expect(received.slice(-queued)).to.deep.equal(Array.from({ length: queued }, (_, i) => sent - queued + i));
    await expectUndisturbed(given);
  });

  it('get all frames of one turn of the event loop as one write', async () => {
    const given = await scene('member');
    const chunks: number[] = [];
    await startRaw(given.seat, (stream) => stream.addEventListener('message', ({ data }) => chunks.push(data.byteLength)));
    const reader = given.seat.identity.nodeId;
    await eventually(() => given.a.recorder.isUp(reader), 'the link');

    for (let i = 0; i < 32; i++) given.a.transport.send(reader, patterned(128, i));
    await Promise.resolve();
    for (let i = 0; i < 32; i++) given.a.transport.send(reader, patterned(128, i));
    await eventually(() => chunks.reduce((sum, length) => sum + length, 0) >= 64 * 132, 'all bytes');

    expect(chunks).to.deep.equal([64 * 132]);
  });
});
