import { nodeId } from '../../src/core/ids.ts';
import { loadIdentity } from '../../src/transport/identity.ts';
import { startLibp2pTransport } from '../../src/transport/libp2p-transport.ts';
import type { TransportMember } from '../../src/transport/libp2p-transport.ts';
import { LogRecorder, Recorder, clusterId } from './support.ts';

/** What a child process is told over IPC: first to start, then perhaps to block its event loop. */
export type PeerCommand =
  | { readonly kind: 'start'; readonly keyHex: string; readonly port: number; readonly members: readonly TransportMember[] }
  | { readonly kind: 'block'; readonly forMs: number };

/** What it answers: that it listens, and that its event loop turns again, with the number of links it has lost so far. */
export type PeerReport = { readonly kind: 'listening' } | { readonly kind: 'unblocked'; readonly linksLost: number };

const recorder = new Recorder();

const report = (what: PeerReport): void => {
  process.send?.(what);
};

async function obey(command: PeerCommand): Promise<void> {
  if (command.kind === 'block') {
    // Waits without giving the event loop a turn, and without using the processor.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, command.forMs);
    setImmediate(() => report({ kind: 'unblocked', linksLost: recorder.links.filter((event) => !event.up).length }));
    return;
  }
  const { privateKey } = loadIdentity(Buffer.from(command.keyHex, 'hex'));
  await startLibp2pTransport({
    privateKey,
    listen: { host: '127.0.0.1', port: command.port },
    members: command.members.map((member) => ({ ...member, nodeId: nodeId(member.nodeId) })),
    handlers: recorder,
    logger: new LogRecorder(),
    clusterId,
  });
  report({ kind: 'listening' });
}

process.on('message', (command: PeerCommand) => void obey(command));
process.on('disconnect', () => process.exit(0));
