import type { AgentId } from '../core/ids.ts';
import type { Agent } from '../registry/agent.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { Report, Sighting } from '../wire/frames.ts';
import type { EffectiveStatus } from './service.ts';

interface Seen {
  generation: number;
  seenMs: number;
  report: Report;
}

/** An agent is asked to beat twice in its time to live, and is suspect after 1.25 intervals of silence. */
export const heartbeatMsOf = (ttlMs: number): number => Math.floor(ttlMs / 2);
const suspectAfterMs = (ttlMs: number): number => heartbeatMsOf(ttlMs) * 1.25;

/**
 * When each agent was last heard and what it said of itself. Volatile and advisory: the leader's copy decides when it proposes that an agent is down;
 * followers keep what the leader tells them, to answer queries.
 */
export class Liveness {
  readonly #seen = new Map<AgentId, Seen>();
  readonly #changed = new Set<AgentId>();

  beat(agent: AgentId, generation: number, report: Report | undefined, nowMs: number): void {
    const seen = this.#seen.get(agent);
    if (seen === undefined || seen.generation < generation) {
      this.#seen.set(agent, { generation, seenMs: nowMs, report: report ?? {} });
    } else if (seen.generation === generation) {
      seen.seenMs = Math.max(seen.seenMs, nowMs);
      if (report !== undefined) seen.report = report;
    } else {
      return;
    }
    this.#changed.add(agent);
  }

  /** What the log says of agents. */
  onEvents(events: readonly StateEvent[], nowMs: number): void {
    for (const event of events) {
      if (event.kind !== 'agent') continue;
      if (event.state === 'gone') this.#forget(event.agent);
      else if (event.state === 'up') this.beat(event.agent, event.generation, undefined, nowMs);
    }
  }

  #forget(agent: AgentId): void {
    this.#seen.delete(agent);
    this.#changed.delete(agent);
  }

  lastSeenMs(agent: Agent, nowMs: number): number | undefined {
    const seen = this.#seen.get(agent.id);
    return seen !== undefined && seen.generation === agent.generation ? Math.max(0, nowMs - seen.seenMs) : undefined;
  }

  report(agent: Agent): Report {
    const seen = this.#seen.get(agent.id);
    return seen !== undefined && seen.generation === agent.generation ? seen.report : {};
  }

  /** The log's facts first, then silence, then what the agent says, then whether it has a free slot. */
  status(agent: Agent, nowMs: number): EffectiveStatus {
    if (agent.state !== 'up') return agent.state;
    const age = this.lastSeenMs(agent, nowMs);
    if (age !== undefined && age > suspectAfterMs(agent.ttlMs)) return 'suspect';
    return this.report(agent).status ?? (agent.load >= agent.concurrency ? 'busy' : 'available');
  }

  /** Agents heard since the last call, for the followers. */
  takeSightings(nowMs: number): Sighting[] {
    const sightings: Sighting[] = [];
    for (const agent of this.#changed) {
      const seen = this.#seen.get(agent);
      if (seen !== undefined)
        sightings.push({ agent, generation: seen.generation, ageMs: Math.max(0, Math.round(nowMs - seen.seenMs)), report: seen.report });
    }
    this.#changed.clear();
    return sightings;
  }
}
