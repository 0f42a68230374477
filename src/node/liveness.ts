import type { AgentId, NodeId } from '../core/ids.ts';
import type { Agent } from '../registry/agent.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { Report } from '../wire/frames.ts';
import type { EffectiveStatus } from './service.ts';

/** Something was heard of an agent. */
export interface Sign {
  /** When, by this node's monotonic clock. */
  readonly atMs: number;
  /** The node that heard it; undefined when it is the log, or a new leader that gives everybody their full time. */
  readonly by?: NodeId | undefined;
  /** What it last said of itself, and when. */
  readonly said?: { readonly report: Report; readonly atMs: number } | undefined;
}

interface Seen extends Sign {
  readonly generation: number;
}

/** An agent is asked to beat twice in its time to live, and is suspect after 1.25 intervals of silence. */
export const heartbeatMsOf = (ttlMs: number): number => Math.floor(ttlMs / 2);
const suspectAfterMs = (ttlMs: number): number => heartbeatMsOf(ttlMs) * 1.25;

/**
 * When each agent was last heard, by whom, and what it said of itself: at this node, or elsewhere as the gossip tells. Volatile and advisory: the leader goes by
 * its own when it proposes that an agent is down; every node answers queries by it.
 */
export class Liveness {
  readonly #seen = new Map<AgentId, Seen>();

  /** Signs may come late and in any order. */
  beat(agent: AgentId, generation: number, sign: Sign): void {
    const seen = this.#seen.get(agent);
    if (seen === undefined || seen.generation < generation) {
      this.#seen.set(agent, { ...sign, generation });
    } else if (seen.generation === generation) {
      const newest = sign.atMs >= seen.atMs ? sign : seen;
      const said = (sign.said?.atMs ?? Number.NEGATIVE_INFINITY) >= (seen.said?.atMs ?? Number.NEGATIVE_INFINITY) ? sign.said : seen.said;
      this.#seen.set(agent, { generation, atMs: newest.atMs, by: newest.by ?? seen.by, said });
    }
  }

  /** What the log says of agents. */
  onEvents(events: readonly StateEvent[], nowMs: number): void {
    for (const event of events) {
      if (event.kind !== 'agent') continue;
      if (event.state === 'gone') this.#seen.delete(event.agent);
      else if (event.state === 'up') this.beat(event.agent, event.generation, { atMs: nowMs });
    }
  }

  /** Of the registration that the log knows. */
  sign(agent: Agent): Sign | undefined {
    const seen = this.#seen.get(agent.id);
    return seen?.generation === agent.generation ? seen : undefined;
  }

  /** Undefined when nothing was ever heard. */
  silenceMs(agent: Agent, nowMs: number): number | undefined {
    const sign = this.sign(agent);
    return sign === undefined ? undefined : Math.max(0, nowMs - sign.atMs);
  }

  /** The log's facts first, then silence, then what the agent says, then whether it has a free slot. */
  status(agent: Agent, nowMs: number): EffectiveStatus {
    if (agent.state !== 'up') return agent.state;
    if ((this.silenceMs(agent, nowMs) ?? 0) > suspectAfterMs(agent.ttlMs)) return 'suspect';
    return this.sign(agent)?.said?.report.status ?? (agent.load >= agent.concurrency ? 'busy' : 'available');
  }
}
