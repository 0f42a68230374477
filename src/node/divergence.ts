import { toHex } from '../byzantine/bytes.ts';
import { equalBytes } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import { type Failure, failure } from '../core/errors.ts';
import type { LogIndex, NodeId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { members } from '../raft/configuration.ts';
import type { Configuration } from '../raft/messages.ts';
import { maxHeads, type SignedHead } from '../wire/frames.ts';
import type { EventLog } from './event-log.ts';
import type { ChainHead } from './head-ring.ts';
import { type Equivocation, HeadWitness } from './head-witness.ts';
import { genesisChain, LogChain } from './log-chain.ts';
import { isSigned, type NodeKeys, signHead } from './log-head.ts';
import type { Outbox } from './outbox.ts';
import { type Odd, PeerLogs } from './peer-logs.ts';

export interface DivergencePorts {
  readonly self: NodeId;
  readonly clusterId: string;
  readonly keys: NodeKeys;
  readonly logger: Logger;
  readonly configuration: () => Configuration;
  readonly clock: Pick<Clock, 'unixMs'>;
  readonly outbox: Pick<Outbox, 'frame'>;
  readonly events: Pick<EventLog, 'append'>;
}

/** What a node says of its log and of those of its peers. Chains are in hexadecimal digits. */
export interface LogChainStatus {
  readonly index: LogIndex;
  readonly chain: string;
  /** Null while no peer's log is known to differ. */
  readonly divergence: {
    readonly odd: Odd;
    readonly detail: string;
    /** Guarded commands are refused here. */
    readonly isDiverged: boolean;
    readonly agreeing: readonly NodeId[];
    /** The earliest difference that was seen of each; `own` is null where no entry of this node's log ends. */
    readonly differing: readonly {
      readonly nodeId: NodeId;
      readonly index: LogIndex;
      readonly own: string | null;
      readonly theirs: string;
    }[];
  } | null;
  /** Nodes that signed two logs. */
  readonly equivocations: readonly {
    readonly nodeId: NodeId;
    readonly index: LogIndex;
    readonly heads: readonly { readonly chain: string; readonly signature: string }[];
  }[];
}

/** Why a head was not heeded. */
type Refusal = 'not_a_member' | 'too_far_ahead' | 'too_many' | 'bad_signature';

/** Peers hear of this node's log at least so often, and at speed not more often than the second: a signature is to be checked by everyone. */
const maxSilenceMs = 1000;
const minSilenceMs = 100;
/** Indices: a node that is further behind compares when it has caught up. */
const maxAhead = 1_000_000;
const allIsWell = 'no log is known to differ from this one';
/** Signatures checked for one peer in `maxSilenceMs`: a few times as many as it needs. */
const maxChecks = 64;

/**
 * Notices a log that is not everybody's (protocol design 1.9): every node tells its peers, signed, where its log is and the chain over it up to there, and compares
 * what it is told with its own. At rest all name their last applied index; at speed, which moves that under their feet, checkpoints, which are the same for all.
 * What a peer has applied and this node has not is compared when this node gets there.
 *
 * It only watches: Raft trusts its members, and goes on. But a node whose log may not be the cluster's refuses what is guarded by certificates.
 */
export class Divergence {
  readonly log: LogChain;
  readonly refused: Record<Refusal, number> = { not_a_member: 0, too_far_ahead: 0, too_many: 0, bad_signature: 0 };
  /** Heads that were compared with this node's log. */
  compared = 0;
  readonly #ports: DivergencePorts;
  readonly #peers: PeerLogs;
  readonly #witness = new HeadWitness();
  #odd: Odd = 'peers';
  #own: SignedHead | undefined;
  #sentMs = -Infinity;
  /** One of each peer that is ahead, until this node has come as far. */
  readonly #waiting = new Map<NodeId, SignedHead>();
  /** Signatures checked for each peer since the last second began. */
  readonly #checks = new Map<NodeId, number>();
  #secondMs = -Infinity;
  #reported = allIsWell;

  /** `snapshot`: what the log begins with, if it doesn't begin at the beginning. */
  constructor(ports: DivergencePorts, snapshot: ChainHead | undefined) {
    const { hashes } = ports.keys;
    this.#ports = ports;
    this.#peers = new PeerLogs(ports.self);
    this.log = new LogChain(hashes, snapshot ?? { index: 0, chain: genesisChain(hashes, ports.clusterId) });
  }

  /** RAFT_DIVERGENCE: this node's log may not be the cluster's. */
  get isDiverged(): boolean {
    return this.#peers.isInDoubt;
  }

  /** Peers whose logs are not this node's. */
  get differing(): readonly NodeId[] {
    return this.#peers.differences.map(({ head }) => head.node);
  }

  /** What a guarded command is answered while `isDiverged`. */
  refusal(): Failure | undefined {
    return this.isDiverged ? failure('raft_divergence', this.detail) : undefined;
  }

  /** In one sentence. */
  get detail(): string {
    const differing = this.#peers.differences.map(({ head: { node, index } }) => `that of ${node} at index ${index}`);
    if (differing.length === 0) return allIsWell;
    return `this node's log differs from ${differing.join(' and ')}: ${verdicts[this.#odd]}`;
  }

  status(): LogChainStatus {
    const { index, chain } = this.log.head;
    const differing = this.#peers.differences.map(({ head, own }) => ({
      nodeId: head.node,
      index: head.index,
      own: own === undefined ? null : toHex(own),
      theirs: toHex(head.chain),
    }));
    const { agreeing } = this.#peers;
    return {
      index,
      chain: toHex(chain),
      divergence: differing.length === 0 ? null : { odd: this.#odd, detail: this.detail, isDiverged: this.isDiverged, agreeing, differing },
      equivocations: this.#witness.equivocations.map(equivocationView),
    };
  }

  onTick(nowMs: number): void {
    if (nowMs - this.#secondMs >= maxSilenceMs) {
      this.#secondMs = nowMs;
      this.#checks.clear();
      // Once a second at most: a peer may say now this, now that.
      this.#report();
    }
    const silenceMs = nowMs - this.#sentMs;
    const { head, checkpoint } = this.log;
    const isAtSpeed = checkpoint !== undefined && checkpoint.index > (this.#own?.index ?? 0);
    if (head.index === 0 || silenceMs < (isAtSpeed ? minSilenceMs : maxSilenceMs)) return;
    this.#sentMs = nowMs;
    this.#tell(isAtSpeed ? checkpoint : head);
  }

  /** Heads from a peer: its own, and those of others, which tell nothing of its log but may show that others lie. */
  onHeads(from: NodeId, heads: readonly SignedHead[]): void {
    for (const head of heads) {
      if (head.node === this.#ports.self) continue;
      const refusal = this.#refusalOf(from, head);
      if (refusal !== undefined) {
        this.refused[refusal]++;
        this.#ports.logger.debug({ peer: from, node: head.node, index: head.index, refusal }, 'dropped the head of a log');
      } else if (head.node === from) {
        this.#hear(head);
      }
    }
  }

  /** Some entries were applied. */
  onApplied(): void {
    for (const [peer, head] of this.#waiting) {
      if (head.index > this.log.head.index) continue;
      this.#waiting.delete(peer);
      this.#compare(head);
    }
  }

  /** A snapshot took the place of the log. */
  onInstalled(start: ChainHead): void {
    this.log.restart(start);
    this.onApplied();
  }

  #tell(head: ChainHead): void {
    const { keys, clusterId, self, configuration, outbox } = this.#ports;
    const nodes = members(configuration());
    this.#peers.keepOnly(nodes);
    this.#odd = this.#peers.judge(configuration());
    if (this.#own?.index !== head.index || !equalBytes(this.#own.chain, head.chain)) this.#own = signHead(keys, clusterId, self, head);
    const others = this.#peers.differences.slice(0, maxHeads - 1).map((difference) => difference.head);
    const heads = [this.#own, ...others];
    for (const node of nodes) if (node !== self) outbox.frame(node, { kind: 'heads', heads });
  }

  #refusalOf(from: NodeId, head: SignedHead): Refusal | undefined {
    const { keys, clusterId, configuration } = this.#ports;
    if (!members(configuration()).includes(head.node)) return 'not_a_member';
    if (head.index > this.log.head.index + maxAhead) return 'too_far_ahead';
    if (this.#witness.knows(head)) return undefined;
    const checks = this.#checks.get(from) ?? 0;
    if (checks >= maxChecks) return 'too_many';
    this.#checks.set(from, checks + 1);
    if (!isSigned(keys, clusterId, head)) return 'bad_signature';
    const found = this.#witness.take(head);
    if (found !== undefined) this.#ports.logger.error(equivocationView(found), 'RAFT_DIVERGENCE: a node has signed two logs');
    return undefined;
  }

  #hear(head: SignedHead): void {
    if (head.index <= this.log.head.index) this.#compare(head);
    else if (!this.#waiting.has(head.node)) this.#waiting.set(head.node, head);
  }

  #compare(head: SignedHead): void {
    const own = this.log.at(head.index);
    // Too long ago: a later head will do.
    if (own === undefined) return;
    this.compared++;
    const { node, index } = head;
    const isEqual = own !== 'none' && equalBytes(own, head.chain);
    if (isEqual) this.#peers.agrees(node, index);
    else this.#peers.differs({ head, own: own === 'none' ? undefined : own });
    this.#odd = this.#peers.judge(this.#ports.configuration());
  }

  /** Raises the alarm, or ends it. */
  #report(): void {
    const { differing, detail } = this;
    if (detail === this.#reported) return;
    this.#reported = detail;
    const { logger, events, clock } = this.#ports;
    const odd = this.#odd;
    if (differing.length > 0) logger.error({ odd, differing, agreeing: this.#peers.agreeing }, `RAFT_DIVERGENCE: ${detail}`);
    else logger.info({}, detail);
    events.append([{ kind: 'divergence', index: this.log.head.index, ts: clock.unixMs(), odd, differing, detail }]);
  }
}

const verdicts: Readonly<Record<Odd, string>> = {
  self: 'a majority has another log than this node, which is the odd one',
  peers: 'a majority agrees with this node',
  unclear: 'no majority is known to agree with this node',
};

const equivocationView = ({ node, index, heads }: Equivocation): LogChainStatus['equivocations'][number] => ({
  nodeId: node,
  index,
  heads: heads.map(({ chain, signature }) => ({ chain: toHex(chain), signature: toHex(signature) })),
});
