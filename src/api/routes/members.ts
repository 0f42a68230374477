import { createHash, randomBytes } from 'node:crypto';
import { failure, QuorateError } from '../../core/errors.ts';
import { type NodeId, nodeId } from '../../core/ids.ts';
import type { MemberChange, NodeService } from '../../node/service.ts';
import type { MemberRecord } from '../../tasks/members.ts';
import { done, route, type Answer, type Route } from '../route.ts';
import { joinBody, removalBody, tokenBody, memberBody, memberParams, noQuery, transferBody } from '../schemas.ts';

export const memberRoutes = (node: NodeService): Route[] => [
  route({
    method: 'GET',
    path: '/v1/members',
    summary: 'The members of the cluster',
    query: noQuery,
    handle: () => ({ body: { items: node.status().members } }),
  }),
  route({
    method: 'POST',
    path: '/v1/members',
    summary:
      'Add a node with its addresses, or change the role of a member; replaces: takes the place of another; certificate: of the members, where a change of voters takes one',
    query: noQuery,
    body: memberBody,
    handle: async ({ body: { nodeId: text, role, replaces, certificate, ...where }, signal }) => {
      const id = nodeId(text);
      const { name, http, peer } = where;
      if (name !== undefined && http !== undefined && peer !== undefined) {
        await putMember(node, { nodeId: id, name, http, peer, promote: role === 'voter' }, signal);
        // A member that has moved keeps its role.
        if (!isMember(node, id)) await change(node, { signal }, { type: 'add-learner', node: id });
        return current(node, signal);
      }
      if (name !== undefined || http !== undefined || peer !== undefined)
        throw new QuorateError(failure('invalid_argument', 'body: a new node needs name, http and peer'));
      if (!isMember(node, id)) throw unknown(id);
      if (replaces !== undefined && !isMember(node, nodeId(replaces))) throw unknown(nodeId(replaces));
      if (role === 'voter') {
        const leaving: MemberChange[] = replaces === undefined ? [] : [{ type: 'remove', node: nodeId(replaces) }];
        await change(node, { signal, certificate }, { type: 'add-voter', node: id }, ...leaving);
      } else {
        // It must not be promoted again on its own.
        const known = node.state().members.get(id);
        if (known?.promote === true) await putMember(node, { ...known, promote: false }, signal);
        await change(node, { signal, certificate }, { type: 'add-learner', node: id });
      }
      return current(node, signal);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/members/tokens',
    summary: 'A token with which one node may join',
    query: noQuery,
    body: tokenBody,
    handle: async ({ body: { ttlMs }, signal }) => {
      const token = randomBytes(32).toString('base64url');
      done(await node.submit({ op: 'PutJoinToken', hash: hashOf(token), ttlMs }, { signal }));
      return { status: 201, body: { token, ttlMs } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/members/join',
    summary: 'Join with a token: the node becomes a learner, and a voter when it has caught up',
    query: noQuery,
    body: joinBody,
    handle: async ({ body: { token, nodeId: text, ...where }, signal }) => {
      const member = { ...where, nodeId: nodeId(text), promote: true };
      checkName(node, member);
      done(await node.submit({ op: 'JoinMember', tokenHash: hashOf(token), member }, { signal }));
      // A repeat finds it a learner, or a voter already.
      if (!isMember(node, member.nodeId)) await change(node, { signal }, { type: 'add-learner', node: member.nodeId });
      const { index } = await node.readPoint('linearizable', { signal });
      return { body: { genesis: node.genesis(), roster: { index, members: node.status().members } } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/members/:nodeId',
    summary: 'Remove a member',
    params: memberParams,
    query: noQuery,
    body: removalBody,
    handle: async ({ params, body, signal }) => {
      const id = nodeId(params.nodeId);
      if (!isMember(node, id)) throw unknown(id);
      await change(node, { signal, certificate: body?.certificate }, { type: 'remove', node: id });
      // A node that was asked to remove itself can ask nobody any more.
      if (id === node.status().nodeId) return { body: { items: node.status().members.filter((member) => member.nodeId !== id) } };
      return current(node, signal);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/leader/transfer',
    summary: 'Hand leadership to a voter; without one, to the voter that is furthest',
    query: noQuery,
    body: transferBody,
    handle: async ({ body, signal }) => ({
      body: { leader: await node.transferLeadership(body?.to === undefined ? undefined : nodeId(body.to), { signal }) },
    }),
  }),
];

const isMember = (node: NodeService, id: NodeId): boolean => node.status().members.some((member) => member.nodeId === id);

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

async function putMember(node: NodeService, member: MemberRecord, signal: AbortSignal): Promise<void> {
  checkName(node, member);
  done(await node.submit({ op: 'PutMember', member }, { signal }));
}

/** Refuses the name of another member: the founders' names are not in the replicated table. */
function checkName(node: NodeService, member: MemberRecord): void {
  const other = node.status().members.find(({ name, nodeId: id }) => name === member.name && id !== member.nodeId);
  if (other !== undefined) throw new QuorateError(failure('id_conflict', `the name ${member.name} is node ${other.nodeId}'s`));
}

/** The members as they are after the change, whichever node was asked. */
async function current(node: NodeService, signal: AbortSignal): Promise<Answer> {
  await node.readPoint('linearizable', { signal });
  return { body: { items: node.status().members } };
}

/** Asks the leader for a change. Why it is refused is told with the names of the nodes, which people know better than ids. */
async function change(
  node: NodeService,
  { signal, certificate: context = '' }: { readonly signal: AbortSignal; readonly certificate?: string | undefined },
  ...changes: MemberChange[]
): Promise<void> {
  try {
    await node.changeMembers({ transition: 'auto', changes, context }, { signal });
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error;
    const { code, detail, data } = error.failure;
    // Its subject must be voted on as it is.
    if (code === 'certificate_required') throw error;
    const named = node.status().members.reduce((text, { nodeId: id, name }) => text.replaceAll(id, name), detail);
    throw new QuorateError(failure(code, named, data), { cause: error });
  }
}

const unknown = (id: NodeId): QuorateError => new QuorateError(failure('not_found', `there is no member ${id}`));
