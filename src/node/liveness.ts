import type { AgentId, NodeId } from '../core/ids.ts';
import { LocalHealth } from '../detector/local-health.ts';
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
  /** `atMs` in time in which this node listened. */
  readonly listenedMs: number;
  /** When this node lost a connection over which the agent had spoken; undefined when it was heard since. */
  readonly cutMs?: number | undefined;
}

/** Why an agent is suspect or down. */
export interface AgentEvidence {
  /** The node that found it silent; undefined when the log says so and its leader isn't known. */
  readonly noticedBy: NodeId | undefined;
  /** `silence`: this node measured it; `log`: the leader did, and this node was told by the entry; `socket_closed`: the agent's connection to this node closed without goodbye. */
  readonly measure: 'silence' | 'log' | 'socket_closed';
  /** How long this node had not heard it then, in time in which it listened; undefined when it never had. */
  readonly silenceMs: number | undefined;
  /** What the silence passed. */
  readonly boundMs: number;
  /** By how much the bound was stretched for the slowness of who measured, 1 (well) to 9; undefined when the log tells. */
  readonly patience: number | undefined;
  /** When it was noticed, by this node's monotonic clock. */
  readonly atMs: number;
}

interface Accusation extends Omit<AgentEvidence, 'boundMs'> {
  readonly generation: number;
}

/** The shortest interval that an agent may have. Lateness that matters to none of them says nothing about this node's judgement. */
const shortestHeartbeatMs = 500;
/** An agent that is given up by mistake loses its tasks: after a time of its own slowness a node stays patient for longer than about its links. */
const calmEachMs = 5000;

/** An agent is asked to beat twice in its time to live, and is suspect after 1.25 intervals of silence. */
export const heartbeatMsOf = (ttlMs: number): number => Math.floor(ttlMs / 2);
const suspectAfterMs = (ttlMs: number): number => heartbeatMsOf(ttlMs) * 1.25;

/**
 * When each agent was last heard, by whom, and what it said of itself: at this node, or elsewhere as the gossip tells. Volatile and advisory: the leader goes by
 * its own when it proposes that an agent is down; every node answers queries by it. Silence is counted in time in which this node listened, and a node that is
 * slow itself waits longer (Lifeguard).
 */
export class Liveness {
  readonly #self: NodeId;
  readonly #health: LocalHealth;
  readonly #seen = new Map<AgentId, Seen>();
  readonly #accusations = new Map<AgentId, Accusation>();

  constructor(self: NodeId, nowMs: number) {
    this.#self = self;
    // Half an interval counts of every standstill: a node that reads in fits and starts, for its disk is slow, must find dead agents too.
    this.#health = new LocalHealth(shortestHeartbeatMs / 2, shortestHeartbeatMs, nowMs, calmEachMs);
  }

  /** What has come is about to be read: a node that did not come to it for the shortest interval of an agent stood still, and that time is nobody's silence. */
  listen(nowMs: number): void {
    this.#health.tick(nowMs);
  }

  /** The 99th percentile of the event loop's delay since the last call. */
  onLoopDelay(p99Ms: number): void {
    this.#health.onLoopDelay(p99Ms);
  }

  /** Signs may come late and in any order. */
  beat(agent: AgentId, generation: number, sign: Sign): void {
    const seen = this.#seen.get(agent);
    const listenedMs = this.#health.listenedMs(sign.atMs);
    if (seen === undefined || seen.generation < generation) {
      this.#seen.set(agent, { ...sign, generation, listenedMs });
    } else if (seen.generation === generation) {
      const newest = sign.atMs >= seen.atMs ? sign : seen;
      const said = (sign.said?.atMs ?? Number.NEGATIVE_INFINITY) >= (seen.said?.atMs ?? Number.NEGATIVE_INFINITY) ? sign.said : seen.said;
      const cutMs = seen.cutMs !== undefined && newest.atMs <= seen.cutMs ? seen.cutMs : undefined;
      const latest = { atMs: newest.atMs, listenedMs: Math.max(listenedMs, seen.listenedMs), cutMs };
      this.#seen.set(agent, { generation, ...latest, by: newest.by ?? seen.by, said });
    }
  }

  /** A connection over which the agent spoke closed without goodbye: it is suspect until its next sign. There is no calling it back, so that sign is the answer to a probe. */
  onConnectionLost(agent: AgentId, generation: number, nowMs: number): void {
    const seen = this.#seenOf(agent, generation);
    if (seen !== undefined) this.#seen.set(agent, { ...seen, cutMs: nowMs });
  }

  /** What the log says of agents, under this leader. */
  onEvents(events: readonly StateEvent[], leader: NodeId | undefined, nowMs: number): void {
    for (const event of events) {
      if (event.kind !== 'agent') continue;
      const { agent, generation, state } = event;
      if (state === 'gone' || state === 'up') this.#accusations.delete(agent);
      if (state === 'gone') this.#seen.delete(agent);
      else if (state === 'up') this.beat(agent, generation, { atMs: nowMs });
      // What this leader measured when it proposed so says more.
      else if (state === 'down' && (leader !== this.#self || this.#accusations.get(agent)?.generation !== generation)) {
        const silenceMs = this.#silenceMs(this.#seenOf(agent, generation), nowMs);
        this.#accusations.set(agent, { generation, noticedBy: leader, measure: 'log', silenceMs, patience: undefined, atMs: nowMs });
      }
    }
  }

  /** For the leader: whether the agent has been silent for all of its time. Why is kept. */
  accuse({ id, generation, ttlMs }: Agent, nowMs: number): boolean {
    const { patience } = this.#health;
    const silenceMs = this.#silenceMs(this.#seenOf(id, generation), nowMs);
    if (silenceMs !== undefined && silenceMs < ttlMs * patience) return false;
    this.#accusations.set(id, { generation, noticedBy: this.#self, measure: 'silence', silenceMs, patience, atMs: nowMs });
    return true;
  }

  /** Of the registration that the log knows. */
  sign({ id, generation }: Agent): Sign | undefined {
    return this.#seenOf(id, generation);
  }

  /** Undefined when nothing is held against the agent, or when it was given up before this node could know why. */
  evidence(agent: Agent, nowMs: number): AgentEvidence | undefined {
    const { id, generation, state, ttlMs } = agent;
    if (state === 'down') {
      const accusation = this.#accusations.get(id);
      return accusation?.generation === generation ? { ...accusation, boundMs: ttlMs * (accusation.patience ?? 1) } : undefined;
    }
    const { patience } = this.#health;
    const seen = this.#seenOf(id, generation);
    const silenceMs = this.#silenceMs(seen, nowMs) ?? 0;
    if (state === 'up' && seen?.cutMs !== undefined)
      return { noticedBy: this.#self, measure: 'socket_closed', silenceMs, boundMs: 0, patience, atMs: seen.cutMs };
    const boundMs = suspectAfterMs(ttlMs) * patience;
    if (state !== 'up' || silenceMs <= boundMs) return undefined;
    return { noticedBy: this.#self, measure: 'silence', silenceMs, boundMs, patience, atMs: nowMs };
  }

  /** The log's facts first, then silence and lost connections, then what the agent says, then whether it has a free slot. */
  status(agent: Agent, nowMs: number): EffectiveStatus {
    if (agent.state !== 'up') return agent.state;
    if (this.evidence(agent, nowMs) !== undefined) return 'suspect';
    return this.sign(agent)?.said?.report.status ?? (agent.load >= agent.concurrency ? 'busy' : 'available');
  }

  #seenOf(agent: AgentId, generation: number): Seen | undefined {
    const seen = this.#seen.get(agent);
    return seen?.generation === generation ? seen : undefined;
  }

  #silenceMs(seen: Seen | undefined, nowMs: number): number | undefined {
    return seen && Math.max(0, this.#health.listenedMs(nowMs) - seen.listenedMs);
  }
}
