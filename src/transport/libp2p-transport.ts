// oxlint-disable-next-line import/no-unassigned-import -- it patches a global, and must do so before libp2p is loaded
import '../core/polyfill.ts';
import { setTimeout } from 'node:timers/promises';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { peerIdFromString } from '@libp2p/peer-id';
import { assert } from '../core/assert.ts';
import type { NodeId } from '../core/ids.ts';
import { nodeId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { nodeIdOf } from './identity.ts';
import { libp2pSettings, openTimeoutMs, peerProtocol, toMultiaddr } from './libp2p-settings.ts';
import type { HostPort } from './libp2p-settings.ts';
import type { Connection, Ed25519PrivateKey, Stream } from './libp2p-types.ts';
import type { TransportCounters } from './link.ts';
import { GossipsubTopic, type Pubsub, type PubsubChanges, type PubsubOptions, type PubsubParts } from './pubsub.ts';
import { PeerLink } from './link.ts';
import type { TransportLimits } from './send-queue.ts';
import { defaultTransportLimits } from './send-queue.ts';
import type { Transport, TransportHandlers, TransportStats } from './transport.ts';

/**
 * Connections one member may have: one dialled by each side, and as many again for the moment in which old ones are replaced. Beyond that the oldest
 * is closed, because a peer that lost its connections without a word opens new ones.
 */
const maxConnectionsPerMember = 4;

const strangerLogIntervalMs = 1000;
/** A heartbeat: so long a connection that is to be replaced may show that it works again. */
const lastChanceMs = 100;

export interface TransportMember extends HostPort {
  readonly nodeId: NodeId;
}

export interface Libp2pTransportInit {
  readonly privateKey: Ed25519PrivateKey;
  readonly listen: HostPort;
  /** Who may connect and is dialled. This node's own entry is ignored. */
  readonly members: readonly TransportMember[];
  readonly handlers: TransportHandlers;
  readonly logger: Logger;
  readonly clusterId: string;
  readonly limits?: Partial<TransportLimits>;
}

/** The transport between daemons. Nothing is told to the handlers once `stop` has been called. */
export interface PeerTransport extends Transport {
  /** The TCP port it listens on. */
  readonly port: number;
  /** The new members: links to those who are not among them are closed, the others stay as they are. A changed address counts from the next dial. */
  setMembers(members: readonly TransportMember[]): void;
  /** For each member other than this node, whether the link is up. */
  links(): ReadonlyMap<NodeId, boolean>;
  /** Closes the connections to a peer, which has gone silent, and dials it afresh. */
  dropLink(peer: NodeId): void;
  /** Joins the one topic of the cluster, over the links that there are, until the transport stops. Called once. @param changes for tests. */
  pubsub(options: PubsubOptions, changes?: PubsubChanges): Promise<Pubsub>;
  /**
   * Dials a peer that is not heard, on a fresh connection: what there is may wait out its retransmissions for long. But it may also carry one direction still, so it is
   * given up only once the new one is there.
   */
  redial(peer: NodeId): void;
  /** For tests and demonstrations: makes exactly these links bad, until the next call. */
  impair(faults: LinkFaults): void;
}

/**
 * Links that are to fail as in a network that lost its way: what exists stays open and goes silent, and nothing new can be opened, because that takes both ways.
 */
export interface LinkFaults {
  /** Whose frames are lost on arrival. */
  readonly deafTo: readonly NodeId[];
  /** To whom nothing is sent. */
  readonly muteTo: readonly NodeId[];
}

/** The transport cannot listen where it was told to. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code: 'port_in_use' | 'cannot_listen';

  constructor(code: ListenError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** @throws ListenError if the address cannot be listened on. */
export async function startLibp2pTransport(init: Libp2pTransportInit): Promise<PeerTransport> {
  const transport = new Libp2pTransport(init);
  await transport.start();
  return transport;
}

class Libp2pTransport implements PeerTransport {
  readonly #init: Libp2pTransportInit;
  readonly #self: NodeId;
  readonly #limits: TransportLimits;
  readonly #protocol: string;
  readonly #counters: TransportCounters = {
    framesSent: 0,
    framesReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    framesDropped: 0,
    strangersRefused: 0,
    badStreams: 0,
  };
  /** One for each configured member, as are the addresses. */
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #addresses = new Map<NodeId, HostPort>();
  #deafTo: ReadonlySet<NodeId> = new Set();
  #muteTo: ReadonlySet<NodeId> = new Set();
  /** Peers with a dial of `redial` under way. */
  readonly #redialling = new Set<NodeId>();
  #node: Libp2p | undefined;
  #parts: PubsubParts | undefined;
  #topic: GossipsubTopic | undefined;
  #port = 0;
  #stopped: Promise<void> | undefined;
  #strangersLoggedMs = -Infinity;

  constructor(init: Libp2pTransportInit) {
    this.#init = init;
    this.#self = nodeIdOf(init.privateKey);
    this.#limits = { ...defaultTransportLimits, ...init.limits };
    this.#protocol = peerProtocol(init.clusterId);
  }

  async start(): Promise<void> {
    const { listen, privateKey, members } = this.#init;
    const settings = libp2pSettings(privateKey, listen, {
      denyInboundEncryptedConnection: (peer) => this.#denies(nodeId(peer.toString())),
    });
    const node = await createLibp2p({
      ...settings,
      services: {
        // A service only to be given the parts that gossipsub is built from.
        parts: (components) => {
          this.#parts = components;
          return {};
        },
      },
    });
    this.#node = node;
    this.setMembers(members);
    // The handler is there before the first connection can be. A peer needs one stream; the others are for the moment in which it replaces that.
    await node.handle(this.#protocol, (stream, connection) => this.#accept(stream, connection), { maxInboundStreams: 4 });
    node.addEventListener('connection:open', ({ detail }) => this.#onConnection(detail));
    try {
      await node.start();
    } catch (error) {
      throw listenError(listen, error);
    }
    this.#port = listen.port === 0 ? portOf(node) : listen.port;
    for (const link of this.#links.values()) link.start();
  }

  get port(): number {
    return this.#port;
  }

  get stats(): TransportStats {
    return { ...this.#counters };
  }

  send(to: NodeId, frame: Uint8Array): void {
    if (!this.#muteTo.has(to)) this.#links.get(to)?.send(frame);
  }

  setMembers(members: readonly TransportMember[]): void {
    if (this.#stopped !== undefined) return;
    const others = new Map(members.filter((member) => member.nodeId !== this.#self).map((member) => [member.nodeId, member]));
    for (const [peer, link] of this.#links) {
      if (others.has(peer)) continue;
      this.#links.delete(peer);
      this.#addresses.delete(peer);
      void link.suspend('not a member any more');
    }
    for (const [peer, { host, port }] of others) {
      this.#addresses.set(peer, { host, port });
      if (this.#links.has(peer)) continue;
      const link = this.#newLink(peer);
      this.#links.set(peer, link);
      if (this.#port !== 0) link.start();
    }
  }

  links(): ReadonlyMap<NodeId, boolean> {
    return new Map([...this.#links].map(([peer, link]) => [peer, link.up]));
  }

  dropLink(peer: NodeId): void {
    this.#links.get(peer)?.drop('dropped by the node');
  }

  async pubsub(options: PubsubOptions, changes?: PubsubChanges): Promise<Pubsub> {
    assert(this.#parts !== undefined && this.#topic === undefined, 'libp2p runs, and there is one topic');
    const topic = new GossipsubTopic(this.#parts, options, changes);
    await topic.start();
    this.#topic = topic;
    for (const [peer, link] of this.#links) this.#tellTopic(peer, link.up);
    return topic;
  }

  redial(peer: NodeId): void {
    const link = this.#links.get(peer);
    if (link?.up === false) link.hurry();
    else if (link !== undefined && !this.#redialling.has(peer)) void this.#replaceConnection(peer, link);
  }

  impair({ deafTo, muteTo }: LinkFaults): void {
    this.#deafTo = new Set(deafTo);
    this.#muteTo = new Set(muteTo);
    for (const [peer, link] of this.#links) this.#tellTopic(peer, link.up);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const links = [...this.#links.values()];
    this.#links.clear();
    const retired = links.map((link) => link.retire());
    await this.#topic?.stop();
    // libp2p waits up to half a second for each connection to close in good order, then aborts it.
    await Promise.all([this.#node?.stop(), ...retired]);
  }

  #newLink(peer: NodeId): PeerLink {
    const { handlers, logger } = this.#init;
    return new PeerLink({
      peer,
      handlers: {
        onFrame: (from, frame) => {
          if (!this.#deafTo.has(from)) handlers.onFrame(from, frame);
        },
        onLink: (to, up) => {
          this.#tellTopic(to, up);
          handlers.onLink(to, up);
        },
      },
      logger,
      limits: this.#limits,
      counters: this.#counters,
      open: (signal) => this.#open(peer, signal),
      disconnect: (reason) => {
        for (const connection of this.#connections(peer)) connection.abort(new Error(reason));
      },
    });
  }

  /** Opens a stream on the newest connection with the peer, whoever dialled it, or on a fresh one. A connection that fails is never tried again. */
  async #open(peer: NodeId, stopped: AbortSignal): Promise<Stream> {
    if (this.#isImpaired(peer)) throw new Error('the link is impaired');
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(openTimeoutMs)]);
    const connection = this.#newest(peer) ?? (await this.#dial(peer, signal));
    try {
      return await connection.newStream(this.#protocol, { signal });
    } catch (error) {
      connection.abort(new Error('no stream could be opened on it'));
      throw error;
    }
  }

  async #dial(peer: NodeId, signal: AbortSignal): Promise<Connection> {
    const address = this.#addresses.get(peer);
    const node = this.#node;
    assert(node !== undefined && address !== undefined, 'only members are dialled, once libp2p runs');
    if (this.#isImpaired(peer)) throw new Error('the link is impaired');
    // `force` because libp2p would otherwise hand back a connection it has, which may be half dead.
    return await node.dial(toMultiaddr(address, peer), { signal, force: true });
  }

  async #replaceConnection(peer: NodeId, link: PeerLink): Promise<void> {
    this.#redialling.add(peer);
    const received = link.framesReceived;
    const sinceMs = Date.now();
    try {
      const fresh = await this.#dial(peer, AbortSignal.timeout(openTimeoutMs));
      // The way is open again: what is under way on the connection before has its chance to come.
      await setTimeout(lastChanceMs);
      if (link.framesReceived !== received) {
        fresh.abort(new Error('the connection before it works again'));
        return;
      }
      // The link notices, and opens its stream on the new one. The peer may have dialled at the same time: that one is as fresh.
      for (const old of this.#connections(peer)) if (old.timeline.open < sinceMs) old.abort(new Error('replaced by a fresh connection'));
    } catch (error) {
      this.#init.logger.debug({ peer, reason: String(error) }, 'could not replace a connection');
    } finally {
      this.#redialling.delete(peer);
    }
  }

  #accept(stream: Stream, connection: Connection): void {
    const peer = nodeId(connection.remotePeer.toString());
    const link = this.#isImpaired(peer) ? undefined : this.#links.get(peer);
    if (link === undefined) stream.abort(new Error('not a member'));
    else link.accept(stream, connection);
  }

  #onConnection(connection: Connection): void {
    const peer = nodeId(connection.remotePeer.toString());
    const link = this.#isImpaired(peer) ? undefined : this.#links.get(peer);
    if (link === undefined) {
      // The members changed, or the link was impaired, while the connection was being made.
      connection.abort(new Error('not a member'));
      return;
    }
    for (const old of this.#connections(peer).slice(0, -maxConnectionsPerMember)) old.abort(new Error('too many connections'));
    link.hurry();
  }

  /** The topic goes over links that are up and not impaired: gossipsub is a stream both ways, so one bad direction takes it down. */
  #tellTopic(peer: NodeId, up: boolean): void {
    this.#topic?.onLink(peer, up && !this.#isImpaired(peer) ? this.#newest(peer) : undefined);
  }

  #newest(peer: NodeId): Connection | undefined {
    return this.#connections(peer).findLast((connection) => connection.status === 'open');
  }

  #connections(peer: NodeId): Connection[] {
    return [...(this.#node?.getConnections(peerIdFromString(peer)) ?? [])];
  }

  #isImpaired(peer: NodeId): boolean {
    return this.#deafTo.has(peer) || this.#muteTo.has(peer);
  }

  #denies(peer: NodeId): boolean {
    if (this.#links.has(peer)) return this.#isImpaired(peer);
    this.#counters.strangersRefused++;
    const nowMs = performance.now();
    if (nowMs - this.#strangersLoggedMs >= strangerLogIntervalMs) {
      this.#strangersLoggedMs = nowMs;
      this.#init.logger.warn({ peer, refusedSoFar: this.#counters.strangersRefused }, 'connection of a stranger refused');
    }
    return true;
  }
}

function portOf(node: Libp2p): number {
  const tcpPart = node
    .getMultiaddrs()
    .flatMap((address) => address.getComponents())
    .find((part) => part.name === 'tcp');
  const port = Number(tcpPart?.value);
  assert(Number.isInteger(port) && port > 0, 'a started transport listens on a port');
  return port;
}

// libp2p tells the system's error only within the text of its own.
function listenError({ host, port }: HostPort, cause: unknown): ListenError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (text.includes('EADDRINUSE'))
    return new ListenError('port_in_use', `cannot listen on ${host}:${port}: the port is already in use`, { cause });
  const reason = /\bE[A-Z]{4,}\b/.exec(text)?.[0] ?? text.split('\n', 1)[0];
  return new ListenError('cannot_listen', `cannot listen on ${host}:${port}: ${reason}`, { cause });
}
