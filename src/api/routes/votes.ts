import { failure, QuorateError } from '../../core/errors.ts';
import type { NodeService } from '../../node/service.ts';
import type { VoteService, VoteView } from '../../node/votes/vote-service.ts';
import { certificateDocument } from '../../verify/document.ts';
import { evidenceDocument } from '../../verify/evidence-document.ts';
import { route, type Route } from '../route.ts';
import { ballotBody, noQuery, voteBody, voteParams, voteQuery, votesQuery } from '../schemas.ts';

/** How long other nodes have to tell of a vote that this one has not heard of. */
const seekMs = 500;

export const voteRoutes = (node: NodeService): Route[] => [
  route({
    method: 'POST',
    path: '/v1/votes',
    summary: 'Put something to the vote of the members; wait: milliseconds to wait for the certificate',
    query: noQuery,
    body: voteBody,
    handle: async ({ body: { wait, payload, ...request }, header, signal }) => {
      const votes = votesOf(node);
      const id = await node.openVote(
        { ...request, minSupport: request.minSupport, payload: bytesOf(payload) },
        { signal, idempotencyKey: header('idempotency-key') },
      );
      if (wait !== undefined) await node.waitForVote(id, wait, signal);
      return { status: 201, body: viewOf(votes, id) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/votes',
    summary: 'Votes this node knows, open ones first, newest first',
    query: votesQuery,
    handle: ({ query: { limit } }) => ({
      body: { items: (node.votes?.list(limit) ?? []).map(({ certificate: _certificate, ...view }) => shown(view)) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/votes/evidence',
    summary: 'What this node saw members do that no honest one does',
    query: noQuery,
    handle: () => {
      const votes = votesOf(node);
      return { body: { items: votes.evidence().map((each) => evidenceDocument(each, votes.configuration)) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/votes/:id',
    summary: 'A vote, with its certificate once there is one; wait for it with wait',
    params: voteParams,
    query: voteQuery,
    handle: async ({ params: { id }, query: { wait }, signal }) => {
      const votes = votesOf(node);
      if (votes.view(id) === undefined) await node.waitForVote(id, seekMs, signal);
      if (votes.view(id) !== undefined && wait !== undefined) await node.waitForVote(id, wait, signal);
      return { body: viewOf(votes, id) };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/votes/:id/ballots',
    summary: "Cast this node's one ballot: the operator's opinion",
    params: voteParams,
    query: noQuery,
    body: ballotBody,
    handle: async ({ params: { id }, body: { choice }, signal }) => {
      const votes = votesOf(node);
      await node.castBallot(id, choice, { signal });
      return { body: viewOf(votes, id) };
    },
  }),
];

function votesOf({ votes }: NodeService): VoteService {
  if (votes === undefined)
    throw new QuorateError(failure('byzantine_unavailable', 'this node is no member of the epoch that votes: ask another node'));
  return votes;
}

function viewOf(votes: VoteService, id: string): unknown {
  const view = votes.view(id);
  if (view === undefined) throw new QuorateError(failure('not_found', `there is no vote ${id}`));
  const { certificate, ...rest } = view;
  return { ...shown(rest), ...(certificate === undefined ? {} : { certificate: certificateDocument(certificate, votes.configuration) }) };
}

const shown = ({ payload, ...view }: Omit<VoteView, 'certificate'>) => ({
  ...view,
  ...(payload === undefined || payload.length === 0 ? {} : { payload: new TextDecoder().decode(payload) }),
});

/** A text is its own bytes, so that a file can be given as it is; anything else is JSON. */
const bytesOf = (payload: unknown): Uint8Array =>
  payload === undefined ? new Uint8Array(0) : new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload));
