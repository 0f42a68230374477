import { randomInt } from 'node:crypto';
import type { NodeId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { members } from '../../raft/configuration.ts';
import type { PartitionState } from '../../partition/partition-state.ts';
import type { NodeKeys } from '../log-head.ts';
import type { Replica } from '../replica.ts';
import { ticksPerHeartbeat } from '../replica-options.ts';
import { LoopDelay } from './loop-delay.ts';
import { type NameOf, type PartitionStatus, partitionStatus, splitView } from './partition-views.ts';
import type { PartitionView } from './partition-ports.ts';
import { Partition } from './partition.ts';
import { partitionView } from './replica-view.ts';
import type { SplitGossip } from './split-gossip.ts';
import { systemClock } from '../system-clock.ts';

export interface NodePartitionPorts {
  readonly replica: Replica;
  send(to: NodeId, frame: Uint8Array): void;
  /** Opens a fresh connection to the peer. */
  dial(peer: NodeId): void;
  /** A frame of `from`, whichever way it came. */
  deliver(from: NodeId, frame: Uint8Array): void;
  /** Has the gossip carry this node's row. */
  publish(row: Uint8Array): void;
  readonly keys: NodeKeys;
  /** None at a node that does not vote. */
  votes(): PartitionView['votes'] | undefined;
  readonly gossip: SplitGossip;
  readonly nameOf: NameOf;
  /** What agents that are attached to this node may call it. */
  ownNames(): readonly string[];
  readonly logger: Logger;
}

/** A daemon's watch over its links: a `Partition` with real time and the delay of the process's event loop, whose answers name nodes as people do. */
export class NodePartition {
  readonly #ports: NodePartitionPorts;
  readonly #partition: Partition;
  readonly #loopDelay = new LoopDelay();
  /** Splits that healed, and the time that took from the first link that was back. */
  readonly counts = { heals: 0, healSeconds: 0 };
  #ticks = 0;
  #unsubscribe = (): void => {};

  constructor(
    options: { readonly boot: number; readonly clusterTag: number; readonly heartbeatMs: number; readonly electionTimeoutMs: number },
    ports: NodePartitionPorts,
  ) {
    this.#ports = ports;
    const { boot, clusterTag, heartbeatMs, electionTimeoutMs } = options;
    const { replica, logger } = ports;
    this.#partition = new Partition(
      { self: replica.id, boot, clusterTag, heartbeatMs, tickMs: heartbeatMs / ticksPerHeartbeat, graceMs: 10 * electionTimeoutMs },
      {
        send: (to, frame) => ports.send(to, frame),
        dial: (peer) => ports.dial(peer),
        onRelayed: (from, frame) => ports.deliver(from, frame),
        publish: (row) => ports.publish(row),
        resign: () => replica.resign(),
        onUnheard: (isUnheard) => replica.links.onUnheard(isUnheard),
        campaignSoon: () => replica.campaignSoon(),
        transferTo: (node) => replica.requests.transferLeadership(node, undefined, () => {}),
        keys: ports.keys,
        gossip: ports.gossip,
        onStanding: (standing, sides, report) => {
          if (report !== undefined) this.counts.healSeconds += report.durationMs / 1000;
          if (report !== undefined) this.counts.heals++;
          const at = { index: replica.appliedIndex, ts: Date.now() };
          replica.events.append([{ kind: 'partition', ...at, ...standing, sides, report }]);
        },
        view: () => partitionView(replica, ports.ownNames(), ports.votes()),
        clock: systemClock,
        random: { below: (bound) => randomInt(bound) },
        logger,
      },
    );
  }

  start(): void {
    this.#loopDelay.start();
    this.#unsubscribe = this.#ports.replica.events.subscribe((events) => this.#partition.onEvents(events));
  }

  stop(): void {
    this.#loopDelay.stop();
    this.#unsubscribe();
  }

  heard(peer: NodeId): void {
    this.#partition.heard(peer);
  }

  onLink(peer: NodeId, up: boolean): void {
    this.#partition.onLink(peer, up);
  }

  /** A frame of the peer for which `isPartitionFrame` holds. */
  onFrame(from: NodeId, frame: Uint8Array): void {
    this.#partition.onFrame(from, frame);
  }

  /** The gossip brings another node's row. */
  onGossip(row: Uint8Array): void {
    this.#partition.onGossip(row);
  }

  /** Sends the frame by way of another node too, if the peer is out of reach. */
  relay(to: NodeId, frame: Uint8Array): void {
    this.#partition.relay(to, frame);
  }

  mayLead(candidate: NodeId): boolean {
    return this.#partition.mayLead(candidate);
  }

  get campaignDelay(): number {
    return this.#partition.campaignDelay;
  }

  tick(): void {
    this.#partition.tick();
    // As often as calm is counted: who is slow in every other heartbeat stays as distrustful as it is.
    if (++this.#ticks % ticksPerHeartbeat !== 0) return;
    const p99Ms = this.#loopDelay.takeP99Ms();
    this.#partition.onLoopDelay(p99Ms);
    this.#ports.replica.liveness.onLoopDelay(p99Ms);
  }

  get framesRelayed(): number {
    return this.#partition.framesRelayed;
  }

  get framesRefused(): number {
    return this.#partition.framesRefused;
  }

  /** How far this node distrusts its own judgement, 0 (well) to 8. */
  get score(): number {
    return this.#partition.detector.health.score;
  }

  /** Members of whom it is known whom they hear now. */
  get freshRows(): number {
    return this.#partition.freshRows;
  }

  get state(): PartitionState {
    return this.#partition.standing.state;
  }

  status(): PartitionStatus {
    const { id, raft } = this.#ports.replica;
    const { configuration, leader } = raft;
    const electorate = { self: id, members: members(configuration), voters: configuration.voters, leader };
    return partitionStatus(this.#partition, electorate, this.#ports.nameOf);
  }

  /** Past splits, the newest last, and at most `limit` of them. */
  history(limit = Infinity): readonly Record<string, unknown>[] {
    return this.#partition.history.splits.slice(-limit).map((split) => splitView(split, this.#ports.nameOf));
  }
}
