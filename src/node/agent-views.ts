import type { Agent } from '../registry/agent.ts';
import type { Peers } from './peers.ts';
import type { Replica } from './replica.ts';
import type { AgentQuery, AgentView, Page } from './service.ts';

interface Parts {
  readonly replica: Replica;
  readonly peers: Pick<Peers, 'nameOf'>;
}

/** What the log says of an agent, joined with what was heard of it. */
export function agentView({ replica: { liveness }, peers }: Parts, agent: Agent, nowMs: number): AgentView {
  const sign = liveness.sign(agent);
  const age = (atMs: number): number => Math.max(0, Math.round(nowMs - atMs));
  const evidence = liveness.evidence(agent, nowMs);
  return {
    agent,
    status: liveness.status(agent, nowMs),
    lastSeenMs: sign && age(sign.atMs),
    heardBy: sign?.by && peers.nameOf(sign.by),
    report: sign?.said?.report ?? {},
    reportedMs: sign?.said && age(sign.said.atMs),
    evidence: evidence && { ...evidence, noticedBy: evidence.noticedBy && peers.nameOf(evidence.noticedBy), ageMs: age(evidence.atMs) },
  };
}

/** At most `limit` agents behind the `cursor`. */
export function agentPage(
  parts: Parts,
  { query, limit, cursor }: { readonly query: AgentQuery; readonly limit: number; readonly cursor: string | undefined },
  nowMs: number,
): Page<AgentView> {
  const items: AgentView[] = [];
  for (const agent of parts.replica.state.registry.query(query, cursor)) {
    const view = agentView(parts, agent, nowMs);
    if (query.status !== undefined && view.status !== query.status) continue;
    if (items.length === limit) return { items, cursor: items.at(-1)?.agent.id };
    items.push(view);
  }
  return { items, cursor: undefined };
}
