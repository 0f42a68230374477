import { failure, QuorateError } from '../../core/errors.ts';
import { agentId } from '../../core/ids.ts';
import { heartbeatMsOf } from '../../node/liveness.ts';
import type { NodeService } from '../../node/service.ts';
import { done, indexHeader, readHeaders, route, type Route } from '../route.ts';
import { agentBody, agentsQuery, claimBody, heartbeatBody, idParams, noBody, noQuery, readQuery } from '../schemas.ts';
import { agentView } from '../views.ts';

export const agentRoutes = (node: NodeService): Route[] => [
  route({
    method: 'GET',
    path: '/v1/agents',
    summary: 'Agents that have all of `all`, one of `any`, none of `none`, in order of their ids',
    query: agentsQuery,
    handle: async ({ query: { consistency, all, any, none, swarm, status, limit, cursor }, signal }) => {
      const headers = await readHeaders(node, consistency, signal);
      const page = node.agents({ all, any, none, swarm, status }, limit, cursor);
      return { headers, body: { items: page.items.map(agentView), cursor: page.cursor } };
    },
  }),
  route({
    method: 'PUT',
    path: '/v1/agents/:id',
    summary: 'Register an agent, or register it anew under the next generation',
    params: idParams,
    query: noQuery,
    body: agentBody,
    handle: async ({ params: { id }, body, signal }) => {
      const command = {
        op: 'RegisterAgent',
        ...body,
        agent: agentId(id),
        role: body.role,
        group: body.group,
        node: node.status().name,
      } as const;
      const { index, value } = done(await node.submit(command, { signal }));
      const generation = value.kind === 'agent' ? value.generation : index;
      return { headers: indexHeader(index), body: { id, generation, index, heartbeatMs: heartbeatMsOf(body.ttlMs) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/agents/:id',
    summary: 'One agent',
    params: idParams,
    query: readQuery,
    handle: async ({ params: { id }, query: { consistency }, signal }) => {
      const headers = await readHeaders(node, consistency, signal);
      const view = node.agent(agentId(id));
      if (view === undefined) throw new QuorateError(failure('unknown_agent', `agent ${id} is not registered`));
      return { headers, body: agentView(view) };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/agents/:id',
    summary: 'Deregister an agent; its running tasks are requeued',
    params: idParams,
    query: noQuery,
    handle: async ({ params: { id }, signal }) => {
      const { index } = done(await node.submit({ op: 'DeregisterAgent', agent: agentId(id) }, { signal }));
      return { headers: indexHeader(index), body: { id, index } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/agents/:id/drain',
    summary: 'Give the agent no new tasks; it may finish what it holds',
    params: idParams,
    query: noQuery,
    body: noBody,
    handle: async ({ params: { id }, signal }) => {
      const { index } = done(await node.submit({ op: 'DrainAgent', agent: agentId(id) }, { signal }));
      return { headers: indexHeader(index), body: { id, index } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/agents/:id/heartbeat',
    summary: 'The agent is alive, and how it does',
    params: idParams,
    query: noQuery,
    body: heartbeatBody,
    handle: async ({ params: { id }, body: { generation, ...report }, signal }) => ({
      body: await node.heartbeat(agentId(id), generation, report, { signal }),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/agents/:id/claims',
    summary: 'Ask for work; waits up to waitMs for it',
    params: idParams,
    query: noQuery,
    body: claimBody,
    handle: async ({ params: { id }, body: { generation, max, waitMs, types }, signal }) => {
      const agent = agentId(id);
      const items = await node.claim({ agent, generation, max, waitMs, types }, { signal }).catch((error: unknown) => {
        if (signal.aborted) node.onConnectionLost(agent, generation);
        throw error;
      });
      return { body: { items: items.map(({ payload, ...item }) => ({ ...item, payload: JSON.parse(payload) })) } };
    },
  }),
];
