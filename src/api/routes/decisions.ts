import { failure, QuorateError } from '../../core/errors.ts';
import type { NodeService } from '../../node/service.ts';
import { done, indexHeader, readHeaders, route, type Route } from '../route.ts';
import { decisionBody, decisionsQuery, idParams, noQuery, readQuery, secretBody } from '../schemas.ts';

/** What the members decided by vote and the log carries out. */
export const decisionRoutes = (node: NodeService): Route[] => [
  route({
    method: 'POST',
    path: '/v1/decisions',
    summary: 'Have a decision carried out, once, by its certificate; payload: the text that was voted on',
    query: noQuery,
    body: decisionBody,
    handle: async ({ body: { certificate, subject, payload }, signal }) => {
      const index = await node.enact(Buffer.from(certificate, 'base64'), { subject, payload }, { signal });
      return { status: 201, headers: indexHeader(index), body: { index } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/decisions',
    summary: 'Decisions that were carried out, newest first',
    query: decisionsQuery,
    handle: async ({ query: { consistency, kind, subject, limit }, signal }) => {
      const headers = await readHeaders(node, consistency, signal);
      const found = [...node.state().decisions.all()]
        .filter((one) => (kind === undefined || one.kind === kind) && (subject === undefined || one.subject === subject))
        .toReversed();
      return { headers, body: { items: found.slice(0, limit) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/decisions/bad-guards',
    summary: 'What leaders tried to have acknowledged by this node without the certificate that it takes',
    query: noQuery,
    handle: () => ({ body: { items: node.badGuards } }),
  }),
  route({
    method: 'GET',
    path: '/v1/epoch',
    summary: 'The members that vote, and why they are believed: each epoch with the certificate of the one before',
    query: readQuery,
    handle: async ({ query: { consistency }, signal }) => ({
      headers: await readHeaders(node, consistency, signal),
      body: epochView(node),
    }),
  }),
  route({
    method: 'PUT',
    path: '/v1/secrets/:id',
    summary: 'Store a secret; it is locked, also if one of its name was not',
    params: idParams,
    query: noQuery,
    body: secretBody,
    handle: async ({ params: { id: name }, body: { value }, header, signal }) => {
      const { index } = done(await node.submit({ op: 'PutSecret', name, value }, { signal, idempotencyKey: header('idempotency-key') }));
      return { headers: indexHeader(index), body: { name, version: index } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/secrets/:id',
    summary: 'Read a secret while it is unlocked: for a time after a secret-unlock about secret:NAME was carried out',
    params: idParams,
    query: noQuery,
    handle: async ({ params: { id: name }, signal }) => {
      const headers = await readHeaders(node, 'linearizable', signal);
      const { secrets } = node.state();
      const secret = secrets.get(name);
      if (secret === undefined) throw new QuorateError(failure('not_found', `there is no secret ${name}`));
      const { value, version, unlockedUntilTs } = secret;
      if (unlockedUntilTs === undefined)
        throw new QuorateError(
          failure('locked', `the secret ${name} is locked`, { kind: 'secret-unlock', subject: `secret:${name}`, version }),
        );
      return { headers, body: { name, value, version, unlockedUntil: new Date(unlockedUntilTs).toISOString() } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/secrets/:id',
    summary: 'Delete a secret',
    params: idParams,
    query: noQuery,
    handle: async ({ params: { id: name }, signal }) => {
      const { index } = done(await node.submit({ op: 'DeleteSecret', name }, { signal }));
      return { headers: indexHeader(index), body: { index } };
    },
  }),
];

function epochView(node: NodeService): unknown {
  const { current, isGuarded } = node.guard;
  return {
    format: 'quorate-epochs/1',
    cluster: current.cluster,
    epoch: current.epoch,
    members: current.members.map(({ nodeId }) => nodeId),
    guarded: isGuarded,
    links: node
      .state()
      .epochs.all()
      .map(({ configuration, certificate }) => ({ configuration, certificate: certificate ?? null })),
  };
}
