import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Libp2pOptions } from 'libp2p';
import { isIPv4, isIPv6 } from 'node:net';
import type { NodeId } from '../core/ids.ts';
import type { Ed25519PrivateKey } from './libp2p-types.ts';
import { quietYamux } from './muxer.ts';

/** Where a node listens or is dialled. */
export interface HostPort {
  /** An IPv4 or IPv6 address or a DNS name. */
  readonly host: string;
  /** 1 to 65,535; 0 lets the system choose, for listening only. */
  readonly port: number;
}

/**
 * How long an attempt to open a link may take, from the dial to the negotiated stream. A lost SYN is repeated after 1 s and 3 s, so an attempt spans
 * three of them; more would only delay the next attempt to a peer that has moved.
 */
export const openTimeoutMs = 4000;

/** How long a stranger may hold a socket before it has proved who it is. */
const inboundUpgradeTimeoutMs = 5000;

/** `peer` in the address makes the dial fail unless the other side proves that id. */
export function toMultiaddr({ host, port }: HostPort, peer?: NodeId): Multiaddr {
  const name = isIPv4(host) ? 'ip4' : isIPv6(host) ? 'ip6' : 'dns';
  return multiaddr(`/${name}/${host}/tcp/${port}${peer === undefined ? '' : `/p2p/${peer}`}`);
}

/** What a member speaks. The cluster's id is part of it, so a node of another cluster with the same keys finds no common protocol. */
export const peerProtocol = (clusterId: string): string => `/quorate/peer/1/${encodeURIComponent(clusterId)}`;

type Gate = NonNullable<Libp2pOptions['connectionGater']>;

/** libp2p as Quorate wants it: TCP, TLS and yamux, and none of its own ideas about whom to know, dial, ping or drop. */
export function libp2pSettings(privateKey: Ed25519PrivateKey, listen: HostPort, gate: Gate): Libp2pOptions {
  return {
    start: false,
    privateKey,
    addresses: { listen: [toMultiaddr(listen).toString()] },
    // Sockets without traffic are closed after two minutes by default. Whether a silent peer is alive is for the node above to judge.
    transports: [tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 })],
    connectionEncrypters: [tls()],
    streamMuxers: [
      quietYamux({
        streamOptions: {
          // The window grows to 16 MiB by default, but a reader whose buffer exceeds `maxReadBufferLength` is aborted. A reader that pauses therefore
          // needs a buffer that is larger than the window.
          maxStreamWindowSize: 4 * 1024 * 1024,
          maxReadBufferLength: 8 * 1024 * 1024,
        },
      }),
    ],
    connectionGater: gate,
    connectionManager: {
      // Bounds dials at the same time; the others wait for their turn.
      maxParallelDials: 32,
      dialTimeout: openTimeoutMs,
      addressDialTimeout: openTimeoutMs,
      inboundUpgradeTimeout: inboundUpgradeTimeoutMs,
      // The defaults are 5 a second from one address and 10 at once: a cluster behind one address that starts together would refuse itself. The first
      // still bounds what handshakes (a few ms of CPU each) one stranger can ask for, the second what sockets strangers can hold.
      inboundConnectionThreshold: 128,
      maxIncomingPendingConnections: 1024,
      // Only reconnects peers tagged with keep-alive, and gives up after five failures; we tag none and redial ourselves.
      reconnectRetries: 0,
    },
    // Pings every 10 s and closes a connection after 5 s without an answer, so a stalled event loop would lose its links.
    connectionMonitor: { enabled: false },
  };
}
