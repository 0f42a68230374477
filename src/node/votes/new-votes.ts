import { digestOf } from '../../byzantine/bytes.ts';
import type { Trust } from '../../byzantine/certificate.ts';
import type { Sign } from '../../byzantine/crypto.ts';
import { encodeSignedProposal, proposalId, proposalMessage } from '../../byzantine/encoding.ts';
import type { MemberIndex } from '../../byzantine/epoch.ts';
import { type Proposal, type ProposalId, proposalLimits, type SignedProposal } from '../../byzantine/proposal.ts';
import { invalidField } from '../../byzantine/proposal-validity.ts';
import { byzantineQuorum, faultTolerance } from '../../byzantine/quorum.ts';
import { defined } from '../../core/assert.ts';
import type { Clock } from '../../core/clock.ts';
import { type Failure, failure } from '../../core/errors.ts';
import type { NodeId } from '../../core/ids.ts';
import type { Answer } from '../service.ts';
import type { Boot } from './boot.ts';
import type { Flush } from './flush.ts';
import type { OpenVotes } from './open-votes.ts';
import type { Opinions } from './opinions.ts';
import type { Repeats } from './repeats.ts';
import type { VoteLinks } from './vote-links.ts';
import type { RenewedVote } from './vote-records.ts';
import type { OpenedVote, VoteRequest } from './vote-service.ts';

/** A payload up to this size travels with its proposal; a larger one is asked for. */
const sentAlongBytes = 4096;

export interface NewVotesParts {
  readonly self: MemberIndex;
  readonly trust: Trust;
  readonly sign: Sign;
  readonly clock: Clock;
  readonly boot: Boot;
  readonly open: OpenVotes;
  readonly opinions: Opinions;
  readonly links: VoteLinks;
  readonly flush: Flush;
  readonly repeats: Repeats;
  readonly isReachable: (node: NodeId) => boolean;
}

/** Puts what clients want decided to the members, or refuses it at once, with nothing sent. */
export class NewVotes {
  readonly #parts: NewVotesParts;
  #proposerSeq: number;

  constructor(parts: NewVotesParts) {
    this.#parts = parts;
    this.#proposerSeq = parts.boot.forgottenOf({ proposer: parts.self });
  }

  /** One vote about this request alone. Answers once it is durable here. */
  open(request: VoteRequest, key: string | undefined, done: (answer: Answer<OpenedVote>) => void): void {
    const { repeats, clock } = this.#parts;
    const opened = (key === undefined ? undefined : repeats.find(key, request)) ?? this.#propose([request]);
    if (key !== undefined && typeof opened === 'string') repeats.keep(key, request, opened, clock.unixMs());
    this.#answer(opened, (answer) => done(answer.ok ? { ok: true, value: { id: answer.value, proposal: answer.value, item: 0 } } : answer));
  }

  /** One vote about all of the requests, which are alike but for subject and payload. */
  openBundle(requests: readonly VoteRequest[], done: (answer: Answer<ProposalId>) => void): void {
    this.#answer(this.#propose(requests), done);
  }

  /** Puts what an earlier epoch left undecided to the members of this one; they may come later. */
  renew({ proposal, payloads }: RenewedVote): void {
    this.#proposerSeq = Math.max(this.#proposerSeq, proposal.proposerSeq);
    this.#put(proposal, [...payloads.values()]);
  }

  #answer(opened: ProposalId | Failure, done: (answer: Answer<ProposalId>) => void): void {
    if (typeof opened !== 'string') return done({ ok: false, failure: opened });
    return this.#parts.flush.afterSave(() => done({ ok: true, value: opened }));
  }

  #propose(requests: readonly VoteRequest[]): ProposalId | Failure {
    const refused = this.refusal(requests);
    if (refused !== undefined) return refused;
    return this.#put(
      this.#proposalOf(requests),
      requests.map(({ payload }) => payload),
    );
  }

  #put(proposal: Proposal, payloads: readonly Uint8Array[]): ProposalId | Failure {
    const { trust, sign, clock, open, opinions, links } = this.#parts;
    const id = proposalId(trust.hashes, proposal);
    const signed: SignedProposal = { id, proposal, signature: sign(proposalMessage(id)) };
    // The signature is this node's own.
    const field = invalidField(signed, trust.configuration, () => true);
    if (field !== undefined) return failure('invalid_argument', `body ${field}: not valid in this cluster`, { path: field, in: 'body' });
    const instance = open.begin(signed);
    links.pushToAll({ type: 'proposal', bytes: encodeSignedProposal(signed) });
    for (const payload of payloads) {
      open.hold(payload);
      if (payload.length > 0 && payload.length <= sentAlongBytes) links.pushToAll({ type: 'blob', bytes: payload });
    }
    instance.arm(clock.monotonicMs());
    opinions.consider(instance);
    return id;
  }

  /** Why nothing of it is sent; undefined when it may be. */
  refusal(requests: readonly VoteRequest[]): Failure | undefined {
    const { self, trust, open, links, isReachable } = this.#parts;
    const { members } = trust.configuration;
    const n = members.length;
    if (faultTolerance(n) === 0) return failure('byzantine_unavailable', `${n} members tolerate no liar; it takes at least 4`, { n });
    const reachable = members.filter(({ nodeId }, member) => member === self || (links.knows(member) && isReachable(nodeId))).length;
    const needed = byzantineQuorum(n);
    if (reachable < needed)
      return failure('no_quorum', `${reachable} of ${n} members can be reached and a decision takes ${needed}; nothing was sent`, {
        reachable,
        needed,
      });
    if (requests.some(({ payload }) => payload.length > proposalLimits.payloadBytes))
      return failure('too_large', `body payload: at most ${proposalLimits.payloadBytes} bytes`, { path: 'payload', in: 'body' });
    const payloadBytes = requests.reduce((sum, { payload }) => sum + payload.length, 0);
    return open.hasRoomFor(self, payloadBytes) ? undefined : failure('overloaded', 'too many votes are open at this node');
  }

  #proposalOf(requests: readonly VoteRequest[]): Proposal {
    const { self, trust, clock } = this.#parts;
    const { kind, options, minSupport, timeoutMs, validMs } = defined(requests[0], 'a vote is about something');
    const { cluster, epoch, members } = trust.configuration;
    const unixMs = clock.unixMs();
    this.#proposerSeq = Math.max(this.#proposerSeq + 1, unixMs);
    return {
      cluster,
      epoch,
      kind,
      items: requests.map(({ subject, payload }) => ({ subject, payloadDigest: digestOf(trust.hashes.sha256(payload)) })),
      options: options.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      minSupport: minSupport ?? byzantineQuorum(members.length),
      proposer: self,
      proposerSeq: this.#proposerSeq,
      timeoutMs,
      notAfterMs: unixMs + validMs,
    };
  }
}
