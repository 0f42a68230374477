import type { Clock } from '../../core/clock.ts';
import { type AgentId, agentId, isName, type NodeId } from '../../core/ids.ts';
import { stampMs } from '../../gossip/hybrid-clock.ts';
import type { MayWrite } from '../../gossip/gossip.ts';
import { resolve } from '../../gossip/resolver.ts';
import type { Agent } from '../../registry/agent.ts';
import { decodeAgentWord, encodeAgentWord } from '../../wire/gossip-values.ts';
import { heartbeatMsOf, type Sign } from '../liveness.ts';
import type { GossipDriver } from './driver.ts';

export interface AgentGossipParts {
  readonly self: NodeId;
  /** The node's name, by which registrations name it. */
  readonly name: string;
  readonly agentOf: (agent: AgentId) => Agent | undefined;
  readonly nameOf: (node: NodeId) => string | undefined;
  /** An agent was heard, by whatever node. */
  readonly onBeat: (agent: AgentId, generation: number, sign: Sign) => void;
  /** Another node's row came, as it told it (`decodeRow`). */
  readonly onRow: (row: Uint8Array) => void;
  readonly clock: Clock;
}

/** What it takes of the gossip. */
type Told = Pick<GossipDriver, 'get' | 'entries' | 'write'>;

const agentPrefix = 'agent:';
const nodePrefix = 'node:';
/** In a heartbeat interval of an agent that does not send any. */
const tellingsPerInterval = 4;
/** Younger stamps are taken as of now: clocks of nodes differ by that much. Older ones come after a split or a restart. */
const skewMs = 1000;

/** What nodes tell each other of agents and of themselves, between the gossip and what the log knows. Advisory: nothing is decided by it. */
export class AgentGossip {
  readonly #parts: AgentGossipParts;

  constructor(parts: AgentGossipParts) {
    this.#parts = parts;
  }

  /** A registration that the log has not shown here yet may be anyone's; one that it has shown is its node's. */
  readonly mayWrite: MayWrite = (node, key, generation, role) => {
    if (key.startsWith(nodePrefix)) return role === 'owner' && key === `${nodePrefix}${node}`;
    if (!key.startsWith(agentPrefix) || !isName(key.slice(agentPrefix.length))) return false;
    const agent = role === 'owner' ? this.#parts.agentOf(agentIn(key)) : undefined;
    if (agent === undefined || agent.generation !== generation) return true;
    return this.#parts.nameOf(node) === agent.node;
  };

  /** This node has heard an agent. What it says is told at once; that it asks for work, which it may do often, a few times an interval. */
  heard(gossip: Told, { id, generation, node, ttlMs }: Agent, { atMs, said }: Sign): void {
    const { self, name, clock } = this.#parts;
    const key = `${agentPrefix}${id}`;
    const own = gossip.get(key)?.siblings.find((sibling) => sibling.dot.node === self && sibling.generation === generation);
    const toldMs = own === undefined ? Number.POSITIVE_INFINITY : clock.unixMs() - stampMs(own.stamp);
    if (said?.atMs !== atMs && toldMs < heartbeatMsOf(ttlMs) / tellingsPerInterval) return;
    const word = said && { report: said.report, ageMs: Math.max(0, Math.round(atMs - said.atMs)) };
    gossip.write(key, encodeAgentWord({ said: word }), { generation, role: node === name ? 'owner' : 'observer' });
  }

  /** This node's row, by which others see whom it hears. */
  tellRow(gossip: Told, row: Uint8Array): void {
    gossip.write(`${nodePrefix}${this.#parts.self}`, row, { generation: 1, role: 'owner' });
  }

  onChanged(gossip: Told, keys: ReadonlySet<string>): void {
    for (const key of keys) {
      if (key.startsWith(agentPrefix)) this.hear(gossip, agentIn(key));
      else if (key.startsWith(nodePrefix)) this.#hearRow(gossip, key);
    }
  }

  /** Removes what this node has said of agents that the log doesn't know any more. */
  sweep(gossip: Told): void {
    for (const [key, { siblings }] of gossip.entries()) {
      const [own] = siblings;
      if (!key.startsWith(agentPrefix) || own?.dot.node !== this.#parts.self || own.value === undefined) continue;
      if (this.#parts.agentOf(agentIn(key)) === undefined) gossip.write(key, undefined, own);
    }
  }

  /**
   * What others have heard of an agent. Whoever heard it, it was heard; what it said is what the winner says. Only of the registration that the log knows: one
   * that it doesn't know may be made up.
   */
  hear(gossip: Told, id: AgentId): void {
    const generation = this.#parts.agentOf(id)?.generation;
    const siblings = gossip.get(`${agentPrefix}${id}`)?.siblings.filter((sibling) => sibling.generation === generation) ?? [];
    const winner = resolve(siblings, this.#parts.clock.unixMs())?.winner;
    for (const sibling of siblings) {
      const word = sibling.value && decodeAgentWord(sibling.value);
      if (word === undefined) continue;
      const atMs = this.#parts.clock.monotonicMs() - this.#ageMs(sibling.stamp);
      const said = sibling === winner && word.said !== undefined ? { report: word.said.report, atMs: atMs - word.said.ageMs } : undefined;
      this.#parts.onBeat(id, sibling.generation, { atMs, by: sibling.dot.node, said });
    }
  }

  /** All that there are, of several lives of the node perhaps: which is the newest they say themselves. */
  #hearRow(gossip: Told, key: string): void {
    for (const { dot, value } of gossip.get(key)?.siblings ?? [])
      if (value !== undefined && dot.node !== this.#parts.self) this.#parts.onRow(value);
  }

  #ageMs(stamp: number): number {
    const ageMs = this.#parts.clock.unixMs() - stampMs(stamp);
    return ageMs > skewMs ? ageMs : 0;
  }
}

const agentIn = (key: string): AgentId => agentId(key.slice(agentPrefix.length));
