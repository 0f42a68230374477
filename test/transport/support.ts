import { createIdentity, loadIdentity } from '../../src/transport/identity.ts';
import type { Identity } from '../../src/transport/identity.ts';
import { startLibp2pTransport } from '../../src/transport/libp2p-transport.ts';
import type { PeerTransport, TransportMember } from '../../src/transport/libp2p-transport.ts';
import type { TransportLimits } from '../../src/transport/send-queue.ts';
import type { NodeId } from '../../src/core/ids.ts';
import type { LogFields, Logger } from '../../src/core/logger.ts';
import type { TransportHandlers } from '../../src/transport/transport.ts';
import { createServer } from 'node:net';

export const clusterId = 'test-cluster';

/** Waits until the condition holds; fails with its words after `boundMs`. */
export async function eventually(condition: () => boolean, words: string, boundMs = 10_000): Promise<void> {
  const end = performance.now() + boundMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`did not happen within ${boundMs} ms: ${words}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Keeps what a transport tells. */
export class Recorder implements TransportHandlers {
  readonly frames: { readonly from: NodeId; readonly frame: Uint8Array }[] = [];
  readonly links: { readonly peer: NodeId; readonly up: boolean }[] = [];

  onFrame(from: NodeId, frame: Uint8Array): void {
    this.frames.push({ from, frame: new Uint8Array(frame) });
  }

  onLink(peer: NodeId, up: boolean): void {
    this.links.push({ peer, up });
  }

  isUp(peer: NodeId): boolean {
    return this.links.findLast((event) => event.peer === peer)?.up ?? false;
  }

  downs(peer: NodeId): number {
    return this.links.filter((event) => event.peer === peer && !event.up).length;
  }
}

export class LogRecorder implements Logger {
  readonly lines: { readonly level: string; readonly fields: LogFields; readonly message: string }[] = [];

  debug(fields: LogFields, message: string): void {
    this.lines.push({ level: 'debug', fields, message });
  }

  info(fields: LogFields, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }

  warn(fields: LogFields, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }

  error(fields: LogFields, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }
}

export const newIdentity = async (): Promise<Identity> => loadIdentity((await createIdentity()).privateKeyBytes);

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export interface TestNode {
  readonly id: NodeId;
  readonly identity: Identity;
  readonly member: TransportMember;
  readonly recorder: Recorder;
  readonly log: LogRecorder;
  readonly transport: PeerTransport;
}

export interface Seat {
  readonly identity: Identity;
  readonly member: TransportMember;
}

/** Identities with a port for each. */
export const newSeats = (count: number): Promise<Seat[]> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const identity = await newIdentity();
      return { identity, member: { nodeId: identity.nodeId, host: '127.0.0.1', port: await freePort() } };
    }),
  );

/** Starts transports and stops whatever is still running at the end of a test. */
export class Cluster {
  readonly #running = new Set<PeerTransport>();

  async start(seat: Seat, members: readonly TransportMember[], limits: Partial<TransportLimits> = {}): Promise<TestNode> {
    const recorder = new Recorder();
    const log = new LogRecorder();
    const transport = await startLibp2pTransport({
      privateKey: seat.identity.privateKey,
      listen: seat.member,
      members,
      handlers: recorder,
      logger: log,
      clusterId,
      limits,
    });
    this.#running.add(transport);
    return { id: seat.identity.nodeId, ...seat, recorder, log, transport };
  }

  /** So many nodes that know and have reached one another. */
  async startLinked(count: number, limits: Partial<TransportLimits> = {}, boundMs?: number): Promise<TestNode[]> {
    const seats = await newSeats(count);
    const members = seats.map((seat) => seat.member);
    const nodes = await Promise.all(seats.map((seat) => this.start(seat, members, limits)));
    await eventually(() => allLinked(nodes), 'every node has a link to every other', boundMs);
    return nodes;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running].map((transport) => transport.stop()));
    this.#running.clear();
  }
}

export const allLinked = (nodes: readonly TestNode[]): boolean =>
  nodes.every((node) =>
    nodes.every((other) => other === node || (node.transport.links().get(other.id) === true && node.recorder.isUp(other.id))),
  );

/** Bytes that differ from place to place and from seed to seed. */
export function patterned(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + seed * 13) & 0xff;
  return bytes;
}
