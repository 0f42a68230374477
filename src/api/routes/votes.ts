import { setMaxListeners } from 'node:events';
import { failure, QuorateError } from '../../core/errors.ts';
import type { NodeService } from '../../node/service.ts';
import type { OpenedVote, VoteService, VoteState, VoteView } from '../../node/votes/vote-service.ts';
import { certificateDocument, type CertificateDocument, type DecidedItem } from '../../verify/document.ts';
import { evidenceDocument } from '../../verify/evidence-document.ts';
import { route, type Route } from '../route.ts';
import { ballotBody, noQuery, type VoteBody, voteParams, voteQuery, votesBody, votesQuery } from '../schemas.ts';

/** How long other nodes have to tell of a vote that this one has not heard of. */
const seekMs = 500;

export const voteRoutes = (node: NodeService): Route[] => [
  route({
    method: 'POST',
    path: '/v1/votes',
    summary: 'Put something, or up to 1000 things, to the vote of the members; wait: milliseconds to wait for the certificate',
    query: noQuery,
    body: votesBody,
    handle: async ({ body, header, signal }) => {
      votesOf(node);
      const key = header('idempotency-key');
      if (Array.isArray(body)) return { body: await openMany(node, body, { signal, idempotencyKey: key }) };
      const { id } = await open(node, body, key);
      if (body.wait !== undefined) await node.waitForVote(id, body.wait, signal);
      return { status: 201, body: viewOf(votesOf(node), id) };
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
      return { body: { items: votes.evidence().map((each) => evidenceDocument(each, votes.configurationOf(each.epoch))) } };
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
      return { body: viewOf(votesOf(node), id) };
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

interface OpenOptions {
  readonly signal: AbortSignal;
  readonly idempotencyKey: string | undefined;
}

/** Resolves once the vote is durable. */
function open(node: NodeService, body: VoteBody, idempotencyKey: string | undefined): Promise<OpenedVote> {
  const { wait: _wait, payload, bundle: mayBundle, ...request } = body;
  const { minSupport } = request;
  return node.openVote({ ...request, minSupport, payload: bytesOf(payload), mayBundle }, { idempotencyKey });
}

/** Each in its place, how it ended or why it was refused, and each certificate once: the items of a bundle share theirs. */
async function openMany(node: NodeService, bodies: readonly VoteBody[], { signal, idempotencyKey: key }: OpenOptions) {
  // Each vote that is waited for listens.
  setMaxListeners(0, signal);
  const opened = await Promise.all(bodies.map((body, i) => open(node, body, key && `${key}/${i}`).catch(refusalOf)));
  const waits = new Map<string, number>();
  for (const [i, each] of opened.entries())
    if ('id' in each) waits.set(each.proposal, Math.max(waits.get(each.proposal) ?? 0, bodies[i]?.wait ?? 0));
  await Promise.all([...waits].filter(([, wait]) => wait > 0).map(([id, wait]) => node.waitForVote(id, wait, signal)));
  const votes = votesOf(node);
  const certificates = new Map<string, CertificateDocument>();
  const latest = new Map<string, string>();
  for (const asked of waits.keys()) {
    const view = votes.view(asked);
    if (view === undefined) continue;
    latest.set(asked, view.proposal);
    const { certificate } = view;
    if (certificate !== undefined)
      certificates.set(asked, certificateDocument(certificate, votes.configurationOf(certificate.attestation.epoch)));
  }
  const items = opened.map((each) => {
    if (!('id' in each)) return each;
    const proposal = latest.get(each.proposal) ?? each.proposal;
    return {
      id: each.id.replace(each.proposal, proposal),
      proposal,
      item: each.item,
      ...resultOf(certificates.get(each.proposal)?.items[each.item]),
    };
  });
  return { items, certificates: [...certificates.values()] };
}

function resultOf(item: DecidedItem | undefined): { readonly state: VoteState; readonly outcome?: string } {
  if (item === undefined) return { state: 'open' };
  return item.result === 'decided' ? { state: 'decided', outcome: item.option } : { state: 'no_consensus', outcome: item.reason };
}

function refusalOf(error: unknown): { readonly code: string; readonly detail: string } {
  if (!(error instanceof QuorateError)) throw error;
  const { code, detail } = error.failure;
  return { code, detail };
}

function known(votes: VoteService, id: string): VoteView {
  const view = votes.view(id);
  if (view === undefined && votes.isVoid(id))
    throw new QuorateError(
      failure(
        'wrong_state',
        `the members changed before the vote ${id} was decided, and it could not go on among the new ones: open it anew`,
      ),
    );
  if (view === undefined) throw new QuorateError(failure('not_found', `there is no vote ${id}`));
  return view;
}

function viewOf(votes: VoteService, id: string): unknown {
  const view = known(votes, id);
  const { certificate, ...rest } = view;
  return {
    ...shown(rest),
    ...(id.startsWith(view.proposal) ? {} : { renews: id }),
    ...(certificate === undefined
      ? {}
      : { certificate: certificateDocument(certificate, votes.configurationOf(certificate.attestation.epoch)) }),
  };
}

const shown = ({ payload, ...view }: Omit<VoteView, 'certificate'>) => ({
  ...view,
  ...(payload === undefined || payload.length === 0 ? {} : { payload: new TextDecoder().decode(payload) }),
});

/** A text is its own bytes, so that a file can be given as it is; anything else is JSON. */
const bytesOf = (payload: unknown): Uint8Array =>
  payload === undefined ? new Uint8Array(0) : new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload));
