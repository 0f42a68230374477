import { randomInt } from 'node:crypto';
import type { NodeId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { members } from '../../raft/configuration.ts';
import type { PartitionState } from '../../partition/partition-state.ts';
import type { Replica } from '../replica.ts';
import { ticksPerHeartbeat } from '../replica-options.ts';
import { LoopDelay } from './loop-delay.ts';
import { type NameOf, type PartitionStatus, partitionStatus, splitView } from './partition-views.ts';
import { Partition } from './partition.ts';
import { partitionView } from './replica-view.ts';

/** Ticks between two looks at the event loop's delay: a second of 100 ms heartbeats. */
const ticksPerLook = 10 * ticksPerHeartbeat;

export interface NodePartitionPorts {
  readonly replica: Replica;
  send(to: NodeId, frame: Uint8Array): void;
  /** Opens a fresh connection to the peer. */
  dial(peer: NodeId): void;
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
  #ticks = 0;

  constructor(
    options: { readonly clusterTag: number; readonly heartbeatMs: number; readonly electionTimeoutMs: number },
    ports: NodePartitionPorts,
  ) {
    this.#ports = ports;
    const { clusterTag, heartbeatMs, electionTimeoutMs } = options;
    const { replica, logger } = ports;
    this.#partition = new Partition(
      { self: replica.id, clusterTag, heartbeatMs, tickMs: heartbeatMs / ticksPerHeartbeat, graceMs: 10 * electionTimeoutMs },
      {
        send: (to, frame) => ports.send(to, frame),
        dial: (peer) => ports.dial(peer),
        view: () => partitionView(replica, ports.ownNames()),
        clock: { monotonicMs: () => performance.now(), unixMs: () => Date.now() },
        random: { below: (bound) => randomInt(bound) },
        logger,
      },
    );
  }

  start(): void {
    this.#loopDelay.start();
  }

  stop(): void {
    this.#loopDelay.stop();
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

  tick(): void {
    this.#partition.tick();
    if (++this.#ticks % ticksPerLook === 0) this.#partition.onLoopDelay(this.#loopDelay.takeP99Ms());
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
