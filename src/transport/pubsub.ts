import {
  gossipsub,
  type GossipSub,
  type GossipSubComponents,
  type GossipsubOpts,
  StrictNoSign,
  TopicValidatorResult,
} from '@chainsafe/libp2p-gossipsub';
import { peerIdFromString } from '@libp2p/peer-id';
import { assert } from '../core/assert.ts';
import { type NodeId, nodeId } from '../core/ids.ts';
import type { Connection } from './libp2p-types.ts';

/** What the receiver of a message says of it: `accept` hands it on, `reject` holds it against the peer that sent it. */
export type PubsubVerdict = 'accept' | 'ignore' | 'reject';

export interface PubsubOptions {
  readonly topic: string;
  /** How many nodes are expected to be in the topic: it decides how the messages are spread. */
  readonly members: number;
  /** Tells messages apart, without looking at the whole of them. */
  readonly idOf: (message: Uint8Array) => Uint8Array;
  /** Takes a message that hasn't been seen before. The bytes are only lent. @param from the peer that sent it, which need not have made it. */
  readonly take: (from: NodeId, message: Uint8Array) => PubsubVerdict;
}

/** A topic that all linked members are in. */
export interface Pubsub {
  publish(message: Uint8Array): void;
  /** Peers to whom messages are handed on as they come. */
  readonly meshSize: number;
  /** Messages that could not be published: no buffer had room for them. */
  readonly failed: number;
  /** Leaves the topic, or is in it again. gossipsub itself goes on: peers would not open their streams anew on a connection that stays. */
  setActive(active: boolean): void;
}

/** What goes through must fit: a batch of 48 KB and what stands around it, and more than one of them. */
const maxMessageBytes = 128 * 1024;

/**
 * gossipsub as a cluster of authenticated members wants it: few hops, quick repair, and no grudges. Its defaults are made for strangers on the internet.
 * - Scores: all off but that for invalid messages. The one for many peers at one address would silence a cluster on one machine; the others would shun
 *   members just after a split has healed.
 * - Back-off after a prune: 2 s, not a minute. A member that has been cut off must be back in the mesh as soon as it is there.
 * - Messages carry no signature of gossipsub's own: batches are signed by who made them.
 */
const gossipsubOptions = ({ topic, members, idOf }: PubsubOptions): Partial<GossipsubOpts> => ({
  globalSignaturePolicy: StrictNoSign,
  allowedTopics: [topic],
  D: 8,
  Dlo: 6,
  Dhi: 12,
  Dlazy: 6,
  heartbeatInterval: members <= 64 ? 400 : 700,
  floodPublish: members <= 100,
  fallbackToFloodsub: false,
  mcacheLength: 6,
  mcacheGossip: 3,
  seenTTL: 30_000,
  pruneBackoff: 2000,
  unsubcribeBackoff: 1000,
  gossipsubIWantFollowupMs: 500,
  idontwantMinDataSize: 1024,
  doPX: false,
  tagMeshPeers: false,
  allowPublishToZeroTopicPeers: true,
  ignoreDuplicatePublishError: true,
  maxInboundDataLength: maxMessageBytes,
  // Two streams are there for a moment while a peer replaces its connection.
  maxInboundStreams: 4,
  maxOutboundStreams: 4,
  msgIdFn: ({ data }) => idOf(data),
  scoreParams: {
    IPColocationFactorWeight: 0,
    behaviourPenaltyWeight: 0,
    appSpecificWeight: 0,
    retainScore: 10_000,
    topics: {
      [topic]: {
        topicWeight: 1,
        timeInMeshWeight: 0,
        firstMessageDeliveriesWeight: 0,
        meshMessageDeliveriesWeight: 0,
        meshFailurePenaltyWeight: 0,
        invalidMessageDeliveriesWeight: -1,
        invalidMessageDeliveriesDecay: 0.9,
        timeInMeshQuantum: 1000,
        timeInMeshCap: 1,
        firstMessageDeliveriesDecay: 0.5,
        firstMessageDeliveriesCap: 1,
        meshMessageDeliveriesDecay: 0.5,
        meshMessageDeliveriesCap: 1,
        meshMessageDeliveriesThreshold: 1,
        meshMessageDeliveriesWindow: 10,
        meshMessageDeliveriesActivation: 5000,
        meshFailurePenaltyDecay: 0.5,
      },
    },
  },
});

/** Changes to gossipsub's own options. */
export type PubsubChanges = Partial<GossipsubOpts>;
/** What gossipsub is built from. */
export type PubsubParts = GossipSubComponents;

/** gossipsub's type leaves out what libp2p calls of it. */
type Router = GossipSub & { start(): Promise<void>; stop(): Promise<void>; getMeshPeers(topic: string): readonly string[] };

const isRouter = (value: GossipSub): value is Router => 'start' in value && 'stop' in value && 'getMeshPeers' in value;

/**
 * Runs gossipsub over a libp2p host that it is no service of. libp2p would tell it of peers by its identify protocol; members need no introduction, and who
 * is linked is known here.
 */
export class GossipsubTopic implements Pubsub {
  readonly #options: PubsubOptions;
  readonly #components: GossipSubComponents;
  readonly #router: Router;
  #failed = 0;
  #isStopped = false;

  /** @param changes to gossipsub's own options, for tests that show what they are good for. */
  constructor(components: GossipSubComponents, options: PubsubOptions, changes: PubsubChanges = {}) {
    this.#options = options;
    this.#components = components;
    const router = gossipsub({ ...gossipsubOptions(options), ...changes })(components);
    assert(isRouter(router), 'gossipsub can be started and stopped');
    this.#router = router;
  }

  get meshSize(): number {
    return this.#router.getMeshPeers(this.#options.topic).length;
  }

  get failed(): number {
    return this.#failed;
  }

  async start(): Promise<void> {
    const { topic, take } = this.#options;
    const router = this.#router;
    const results = { accept: TopicValidatorResult.Accept, ignore: TopicValidatorResult.Ignore, reject: TopicValidatorResult.Reject };
    router.topicValidators.set(topic, (peer, { data }) => results[this.#isStopped ? 'ignore' : take(nodeId(peer.toString()), data)]);
    await router.start();
    router.subscribe(topic);
  }

  onLink(peer: NodeId, connection: Connection | undefined): void {
    const id = peerIdFromString(peer);
    const [protocol = ''] = this.#router.protocols;
    for (const topology of this.#components.registrar.getTopologies(protocol)) {
      if (connection === undefined) void topology.onDisconnect?.(id);
      else void topology.onConnect?.(id, connection);
    }
  }

  publish(message: Uint8Array): void {
    this.#router.publish(this.#options.topic, message).catch(() => this.#failed++);
  }

  setActive(active: boolean): void {
    if (this.#isStopped) return;
    if (active) this.#router.subscribe(this.#options.topic);
    else this.#router.unsubscribe(this.#options.topic);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#router.stop();
  }
}
