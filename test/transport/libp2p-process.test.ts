import { expect } from 'chai';
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { TransportMember } from '../../src/transport/libp2p-transport.ts';
import type { PeerCommand, PeerReport } from './peer-process.ts';
import { Cluster, eventually, newSeats } from './support.ts';
import type { Seat, TestNode } from './support.ts';

const cluster = new Cluster();
const children: ChildProcess[] = [];

async function startChild(seat: Seat, members: readonly TransportMember[]): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('./peer-process.js', import.meta.url)), { execArgv: [] });
  children.push(child);
  const keyHex = Buffer.from(privateKeyToProtobuf(seat.identity.privateKey)).toString('hex');
  tell(child, { kind: 'start', keyHex, port: seat.member.port, members });
  await once(child, 'message');
  return child;
}

const tell = (child: ChildProcess, command: PeerCommand): void => {
  child.send(command);
};

/** A node here and a node in a process of its own, linked. */
async function scene(): Promise<{ node: TestNode; child: ChildProcess; seat: Seat; members: TransportMember[] }> {
  const [here, seat] = await newSeats(2);
  if (here === undefined || seat === undefined) throw new Error('two seats');
  const members = [here.member, seat.member];
  const node = await cluster.start(here, members);
  const child = await startChild(seat, members);
  await eventually(() => node.recorder.isUp(seat.member.nodeId), 'the link to the other process');
  return { node, child, seat, members };
}

describe('transport: a peer in another process', () => {
  afterEach(async () => {
    await cluster.stop();
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  it('is missed at once when it is killed, and linked again when it is restarted', async () => {
    const { node, child, seat, members } = await scene();

    child.kill('SIGKILL');
    await once(child, 'exit');
    // The kernel closes the sockets of a dead process; nothing here waits for a timeout.
    await eventually(() => !node.recorder.isUp(seat.member.nodeId), 'the loss of the link', 500);
    await startChild(seat, members);
    await eventually(() => node.recorder.isUp(seat.member.nodeId), 'the new link', 3000);

    expect(node.recorder.links.map(({ up }) => up)).to.deep.equal([true, false, true]);
  });

  it('keeps its links when its event loop stalls for seconds', async () => {
    const { node, child, seat } = await scene();

    tell(child, { kind: 'block', forMs: 2500 });
    let pings = 0;
    const timer = setInterval(() => {
      pings++;
      node.transport.send(seat.member.nodeId, Uint8Array.of(1));
    }, 50);
    const [report] = (await once(child, 'message')) as [PeerReport];
    clearInterval(timer);

    expect(report).to.deep.equal({ kind: 'unblocked', linksLost: 0 });
    expect(pings).to.be.greaterThan(0);
    expect(node.recorder.links).to.deep.equal([{ peer: seat.member.nodeId, up: true }]);
    expect(node.transport.stats.framesDropped).to.equal(0);
  });

  it('does not hold up our stop when its event loop stalls', async () => {
    const { node, child, seat } = await scene();
    let unblocked = false;
    child.once('message', () => {
      unblocked = true;
    });
    tell(child, { kind: 'block', forMs: 2500 });
    for (let i = 0; i < 20; i++) node.transport.send(seat.member.nodeId, new Uint8Array(1024 * 1024));

    await node.transport.stop();

    expect(unblocked).to.equal(false);
  });
});
