import { randomInt } from 'node:crypto';
import type { NodeId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { loadIdentity } from '../../transport/identity.ts';
import { type PeerTransport, startLibp2pTransport, type TransportMember } from '../../transport/libp2p-transport.ts';
import { isGossipFrame } from '../../wire/gossip.ts';
import { clusterTag } from '../genesis.ts';
import { nodeKeys } from '../log-head.ts';
import { GossipDriver, type GossipSettings } from './driver.ts';
import { runLater, systemClock } from '../system-clock.ts';

export interface GossipHostOptions {
  readonly clusterId: string;
  /** The node's libp2p key, protobuf-encoded Ed25519. */
  readonly privateKey: Uint8Array;
  readonly settings: GossipSettings;
  readonly logger: Logger;
  /** Percent of arriving frames that are lost, for measurements. */
  readonly lossPercent?: number;
  readonly onChanged: (keys: ReadonlySet<string>) => void;
}

/** A member that gossips and does nothing else, over real sockets: to measure how far and how fast. */
export class GossipHost {
  readonly id: NodeId;
  readonly driver: GossipDriver;
  readonly #transport: PeerTransport;
  #epoch = 0;

  private constructor(id: NodeId, driver: GossipDriver, transport: PeerTransport) {
    this.id = id;
    this.driver = driver;
    this.#transport = transport;
  }

  /** Listens on a port of loopback that the system chooses. It knows nobody yet. @throws ListenError */
  static async start({ clusterId, privateKey, settings, logger, lossPercent = 0, onChanged }: GossipHostOptions): Promise<GossipHost> {
    const identity = loadIdentity(privateKey);
    const self = identity.nodeId;
    const isLost = (): boolean => lossPercent > 0 && randomInt(100) < lossPercent;
    const started: { transport?: PeerTransport } = {};
    const driver = new GossipDriver({
      ...nodeKeys(identity.privateKey.raw.slice(0, 32)),
      self,
      boot: 1,
      clusterTag: clusterTag(clusterId),
      settings,
      send: (to, frame) => started.transport?.send(to, frame),
      joinTopic: (options, changes) => {
        if (started.transport === undefined) throw new Error('the transport has not started');
        const { take } = options;
        return started.transport.pubsub({ ...options, take: (from, bytes) => (isLost() ? 'ignore' : take(from, bytes)) }, changes);
      },
      mayWrite: () => true,
      clock: systemClock,
      random: { below: (bound) => randomInt(bound) },
      logger,
      defer: runLater,
      onChanged,
    });
    const transport = await startLibp2pTransport({
      privateKey: identity.privateKey,
      listen: { host: '127.0.0.1', port: 0 },
      members: [],
      clusterId,
      logger,
      handlers: {
        onFrame: (from, frame) => {
          if (isGossipFrame(frame) && !isLost()) driver.onFrame(from, frame);
        },
        onLink: (peer, up) => driver.onLink(peer, up),
      },
    });
    started.transport = transport;
    return new GossipHost(self, driver, transport);
  }

  /** How the others reach it. */
  get member(): TransportMember {
    return { nodeId: this.id, host: '127.0.0.1', port: this.#transport.port };
  }

  /** These are the members now, itself among them: links are made to the others. */
  meet(members: readonly TransportMember[]): void {
    this.#transport.setMembers(members);
    this.driver.setMembers(
      members.map(({ nodeId }) => nodeId),
      ++this.#epoch,
    );
  }

  /** Peers to whom a link is up. */
  get links(): number {
    return [...this.#transport.links().values()].filter(Boolean).length;
  }

  async stop(): Promise<void> {
    await this.driver.stop();
    await this.#transport.stop();
  }
}
