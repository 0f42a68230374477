import type { Clock } from '../src/core/clock.ts';
import type { NodeId } from '../src/core/ids.ts';
import type { Logger } from '../src/core/logger.ts';
import type { Random } from '../src/core/random.ts';
import { AgentGossip } from '../src/node/gossip/agent-gossip.ts';
import { GossipDriver } from '../src/node/gossip/driver.ts';
import type { Replica } from '../src/node/replica.ts';
import type { ReplicaPorts } from '../src/node/replica-options.ts';
import { members } from '../src/raft/configuration.ts';
import { simulatedKeys } from './simulated-keys.ts';

export interface SimulatedGossipParts {
  readonly replica: Replica;
  /** Of this start. */
  readonly boot: number;
  readonly send: (to: NodeId, frame: Uint8Array) => void;
  /** Another node's row came. */
  readonly onRow: (row: Uint8Array) => void;
  readonly defer: (job: () => void, ms: number) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The gossip of a simulated node: the product's driver, by direct links, which in this world are there whenever frames get through. */
export class SimulatedGossip {
  readonly driver: GossipDriver;
  readonly #agents: AgentGossip;
  readonly #replica: Replica;
  #linked: readonly NodeId[] = [];
  #epoch = 0;

  constructor({ replica, boot, send, onRow, defer, clock, random, logger }: SimulatedGossipParts) {
    const self = replica.id;
    this.#replica = replica;
    this.#agents = new AgentGossip({
      self,
      name: self,
      agentOf: (agent) => replica.state.registry.get(agent),
      nameOf: (node) => node,
      onBeat: (agent, generation, sign) => replica.liveness.beat(agent, generation, sign),
      onRow,
      clock,
    });
    this.driver = new GossipDriver({
      ...simulatedKeys(self),
      self,
      boot,
      clusterTag: 7,
      settings: { carrier: 'mesh' },
      send,
      joinTopic: () => Promise.reject(new Error('there is no gossipsub here')),
      mayWrite: this.#agents.mayWrite,
      clock,
      random,
      logger,
      defer,
      onChanged: (changed) => this.#agents.onChanged(this.driver, changed),
    });
    this.followMembers();
  }

  /** @param epoch the log's index of a configuration that is in force now. */
  followMembers(epoch = this.#epoch): void {
    this.#epoch = epoch;
    const all = members(this.#replica.raft.configuration);
    this.driver.setMembers(all, epoch);
    const peers = all.filter((node) => node !== this.#replica.id);
    for (const peer of this.#linked) if (!peers.includes(peer)) this.driver.onLink(peer, false);
    for (const peer of peers) if (!this.#linked.includes(peer)) this.driver.onLink(peer, true);
    this.#linked = peers;
  }

  tellRow(row: Uint8Array): void {
    this.#agents.tellRow(this.driver, row);
  }

  /** This node has heard an agent. */
  heard(agent: Parameters<NonNullable<ReplicaPorts['onHeard']>>[0]): void {
    const sign = this.#replica.liveness.sign(agent);
    if (sign !== undefined) this.#agents.heard(this.driver, agent, sign);
  }
}
