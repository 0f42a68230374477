import { randomInt } from 'node:crypto';
import type { NodeId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { members } from '../../raft/configuration.ts';
import type { PeerTransport } from '../../transport/libp2p-transport.ts';
import type { Agent } from '../../registry/agent.ts';
import type { NodeKeys } from '../log-head.ts';
import type { Replica } from '../replica.ts';
import { AgentGossip } from './agent-gossip.ts';
import { GossipDriver, type GossipSettings } from './driver.ts';
import { runLater, systemClock } from '../system-clock.ts';

export interface NodeGossipParts {
  readonly name: string;
  readonly boot: number;
  readonly keys: NodeKeys;
  readonly clusterTag: number;
  readonly settings: GossipSettings;
  readonly replica: Replica;
  /** Undefined until it has started. */
  readonly transport: () => PeerTransport | undefined;
  readonly send: (to: NodeId, frame: Uint8Array) => void;
  readonly nameOf: (node: NodeId) => string | undefined;
  /** Another node's row came. */
  readonly onRow: (row: Uint8Array) => void;
  readonly logger: Logger;
}

/** How often what was said of agents that are gone is removed. */
const sweepMs = 10_000;

/** The gossip of a running node: heartbeats and rows go in; what others say comes out, of agents into the replica's knowledge of who is alive. */
export class NodeGossip {
  readonly driver: GossipDriver;
  readonly #replica: Replica;
  readonly #agents: AgentGossip;
  #epoch = 1;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe = (): void => {};

  constructor({ name, boot, keys, clusterTag, settings, replica, transport, send, nameOf, onRow, logger }: NodeGossipParts) {
    this.#replica = replica;
    this.#agents = new AgentGossip({
      self: replica.id,
      name,
      agentOf: (agent) => replica.state.registry.get(agent),
      nameOf,
      onBeat: (agent, generation, sign) => replica.liveness.beat(agent, generation, sign),
      onRow,
      clock: systemClock,
    });
    this.driver = new GossipDriver({
      ...keys,
      self: replica.id,
      boot,
      clusterTag,
      settings,
      send,
      joinTopic: async (options, changes) => {
        const started = transport();
        if (started === undefined) throw new Error('the transport has not started');
        return started.pubsub(options, changes);
      },
      mayWrite: this.#agents.mayWrite,
      clock: systemClock,
      random: { below: (bound) => randomInt(bound) },
      logger,
      defer: runLater,
      onChanged: (changed) => this.#agents.onChanged(this.driver, changed),
    });
  }

  start(): void {
    this.followMembers();
    this.#timer = setInterval(() => this.#agents.sweep(this.driver), sweepMs);
    this.#unsubscribe = this.#replica.events.subscribe((events) => {
      // What came before the registration did was not believed.
      for (const event of events) if (event.kind === 'agent' && event.state === 'up') this.#agents.hear(this.driver, event.agent);
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#unsubscribe();
    await this.driver.stop();
  }

  /** A configuration is in force, which is the log's entry at `index`. */
  onConfiguration(index: number): void {
    this.#epoch = index;
  }

  followMembers(): void {
    this.driver.setMembers(members(this.#replica.raft.configuration), this.#epoch);
  }

  /** This node has heard an agent. */
  heard(agent: Agent): void {
    const sign = this.#replica.liveness.sign(agent);
    if (sign !== undefined) this.#agents.heard(this.driver, agent, sign);
  }

  /** In place of what this node said of itself before. */
  tellRow(row: Uint8Array): void {
    this.#agents.tellRow(this.driver, row);
  }
}
