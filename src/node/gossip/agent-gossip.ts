import type { Clock } from '../../core/clock.ts';
import { type AgentId, agentId, isName, type NodeId } from '../../core/ids.ts';
import { stampMs } from '../../gossip/hybrid-clock.ts';
import type { MayWrite } from '../../gossip/gossip.ts';
import { resolve } from '../../gossip/resolver.ts';
import type { Agent } from '../../registry/agent.ts';
import type { Report } from '../../wire/frames.ts';
import { decodeAgentReport, decodeRow, encodeAgentReport, encodeRow, type Row } from '../../wire/gossip-values.ts';
import type { GossipDriver } from './driver.ts';

export interface AgentGossipParts {
  readonly self: NodeId;
  /** The node's name, by which registrations name it. */
  readonly name: string;
  readonly agentOf: (agent: AgentId) => Agent | undefined;
  readonly nameOf: (node: NodeId) => string | undefined;
  /** An agent was heard, by whatever node. */
  readonly onBeat: (agent: AgentId, generation: number, report: Report, heardMs: number) => void;
  readonly clock: Clock;
}

const agentPrefix = 'agent:';
const nodePrefix = 'node:';
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

  /** An agent has sent a heartbeat to this node. */
  beat(driver: GossipDriver, id: AgentId, generation: number, report: Report): void {
    const role = this.#parts.agentOf(id)?.node === this.#parts.name ? 'owner' : 'observer';
    driver.write(`${agentPrefix}${id}`, encodeAgentReport(report), { generation, role });
  }

  /** Whom this node hears. */
  tellRow(driver: GossipDriver, row: Row): void {
    driver.write(`${nodePrefix}${this.#parts.self}`, encodeRow(row), { generation: 1, role: 'owner' });
  }

  onChanged(driver: GossipDriver, keys: ReadonlySet<string>): void {
    for (const key of keys) if (key.startsWith(agentPrefix)) this.#hear(driver, key);
  }

  /** The newest row of a node, and how long ago it was made; undefined when none has come. */
  rowOf(driver: GossipDriver, node: NodeId): { readonly row: Row; readonly ageMs: number } | undefined {
    const winner = this.#winner(driver, `${nodePrefix}${node}`, undefined);
    const row = winner?.value === undefined ? undefined : decodeRow(winner.value);
    return row === undefined || winner === undefined ? undefined : { row, ageMs: this.#ageMs(winner.stamp) };
  }

  /** Removes what this node has said of agents that the log doesn't know any more. */
  sweep(driver: GossipDriver): void {
    for (const [key, { siblings }] of driver.entries()) {
      const [own] = siblings;
      if (!key.startsWith(agentPrefix) || own?.dot.node !== this.#parts.self || own.value === undefined) continue;
      if (this.#parts.agentOf(agentIn(key)) === undefined) driver.write(key, undefined, own);
    }
  }

  #hear(driver: GossipDriver, key: string): void {
    const id = agentIn(key);
    const winner = this.#winner(driver, key, this.#parts.agentOf(id)?.generation);
    const report = winner?.value === undefined ? undefined : decodeAgentReport(winner.value);
    if (winner === undefined || report === undefined) return;
    this.#parts.onBeat(id, winner.generation, report, this.#parts.clock.monotonicMs() - this.#ageMs(winner.stamp));
  }

  /** Of the registration that the log knows, if it knows one: a later one that it doesn't know may be made up. */
  #winner(driver: GossipDriver, key: string, generation: number | undefined) {
    const entry = driver.get(key);
    if (entry === undefined) return undefined;
    const siblings = entry.siblings.filter((sibling) => generation === undefined || sibling.generation === generation);
    return resolve({ vector: entry.vector, siblings }, this.#parts.clock.unixMs())?.winner;
  }

  #ageMs(stamp: number): number {
    const ageMs = this.#parts.clock.unixMs() - stampMs(stamp);
    return ageMs > skewMs ? ageMs : 0;
  }
}

const agentIn = (key: string): AgentId => agentId(key.slice(agentPrefix.length));
