import { isPossibleSuccession, isSuccession } from '../../byzantine/epoch-chain.ts';
import { approval, type GuardedAction, payloadDigest } from '../../byzantine/guard.ts';
import type { Trust } from '../../byzantine/certificate.ts';
import type { MemberIndex } from '../../byzantine/epoch.ts';
import { publicKeyOf } from '../../byzantine/peer-id.ts';
import { type Proposal, type ProposalId, proposalLimits } from '../../byzantine/proposal.ts';
import { maxPolicyKinds } from '../../byzantine/records.ts';
import { failure, type FailureCode } from '../../core/errors.ts';
import type { Answer } from '../service.ts';
import type { Certificates } from './certificates.ts';
import type { Flush } from './flush.ts';
import type { Instance } from './instance.ts';
import type { OpenVotes } from './open-votes.ts';
import { changeKey, isSameChange, type Succession } from './successions.ts';
import type { VoteQuestion } from './vote-service.ts';

export interface OpinionsParts {
  /** Kinds that this node approves without asking anyone; `*` is all. */
  readonly autoApprove: readonly string[];
  readonly trust: Trust;
  readonly open: OpenVotes;
  readonly certificates: Certificates;
  readonly flush: Flush;
}

/** This node's opinions: one ballot a vote, for ever, by policy, by an agent or by an operator. */
export class Opinions {
  readonly #parts: OpinionsParts;
  /** What the other members approve without asking anyone, as far as they have said it since this node's start. */
  readonly #policies = new Map<MemberIndex, readonly string[]>();

  constructor(parts: OpinionsParts) {
    this.#parts = parts;
  }

  /** Approves at once what the policy approves, when all that the vote is about is here. */
  consider(instance: Instance): void {
    const { proposal } = instance.proposal;
    const approve = proposal.options.indexOf(approval);
    if (!instance.isComplete || !this.approves(proposal) || this.#isBarred(instance, approve)) return;
    // An approved change that can't be made would leave the epoch without a successor for ever: whoever wants that says so.
    if (!isSuccession(proposal.kind) || this.#isPossible(instance)) this.#cast(instance, approve);
  }

  /** A vote on a change of the members has ended: others may be approved now. */
  reconsider(ended: string): void {
    if (!isSuccession(ended)) return;
    for (const instance of this.#parts.open) if (isSuccession(instance.proposal.proposal.kind)) this.consider(instance);
  }

  /** How far the members are with a change of themselves. */
  succession({ kind, subject, payload }: GuardedAction): Succession {
    const { open, certificates, trust } = this.#parts;
    const change = changeKey({ kind, items: [{ subject, payloadDigest: payloadDigest(trust.hashes, payload) }] });
    const approved = certificates.successions.approvedIn(trust.configuration.epoch);
    const certificate = approved && changeKey(approved.proposal) === change ? certificates.bytesOf(approved.id) : undefined;
    if (certificate !== undefined) return { state: 'approved', certificate };
    for (const { proposal } of open)
      if (proposal.proposal.kind === kind && changeKey(proposal.proposal) === change) return { state: 'open' };
    const { rejected, failed } = certificates.successions.failuresOf(change);
    return rejected ? { state: 'rejected' } : { state: 'none', failed };
  }

  /** True when this node asks nobody. */
  approves({ kind, options }: Pick<Proposal, 'kind' | 'options'>): boolean {
    return options.includes(approval) && isApprovedBy(this.#parts.autoApprove, kind);
  }

  /** The kinds that this node approves by itself, as far as they are told to others. */
  get policy(): readonly string[] {
    const { autoApprove } = this.#parts;
    return autoApprove.filter((kind) => Buffer.byteLength(kind) <= proposalLimits.kindBytes).slice(0, maxPolicyKinds);
  }

  /** A member's policy has changed, or it is told again. */
  onPolicy(member: MemberIndex, kinds: readonly string[]): void {
    this.#policies.set(member, kinds);
  }

  hasPolicyOf(member: MemberIndex): boolean {
    return this.#policies.has(member);
  }

  /** True when no member asks anyone, as far as they tell: requests may share a ballot. */
  isLeftToMachines(about: Pick<Proposal, 'kind' | 'options'>): boolean {
    const { members } = this.#parts.trust.configuration;
    if (!this.approves(about) || isSuccession(about.kind) || this.#policies.size < members.length - 1) return false;
    return [...this.#policies.values()].every((kinds) => isApprovedBy(kinds, about.kind));
  }

  /** Open votes of these kinds that wait for this node's opinion, oldest first; at most `limit`. */
  questions(kinds: ReadonlySet<string>, limit: number): readonly VoteQuestion[] {
    const questions: VoteQuestion[] = [];
    for (const { proposal, choice, engine, isComplete } of this.#parts.open) {
      if (questions.length === limit) break;
      const { kind, options, items } = proposal.proposal;
      const [item, ...others] = items;
      // What nobody was to be asked about is not asked one by one.
      if (item === undefined || others.length > 0 || !kinds.has(kind) || choice !== undefined || engine === undefined || !isComplete)
        continue;
      questions.push({ type: 'vote', id: proposal.id, kind, subject: item.subject, payloadDigest: item.payloadDigest, options });
    }
    return questions;
  }

  /** Gives this node's one ballot. Answers once it is durable; a repeat of the same choice is answered alike. */
  cast(id: ProposalId, option: string, done: (answer: Answer<undefined>) => void): void {
    const { open, certificates, flush } = this.#parts;
    const instance = open.get(id);
    const refuse = (code: FailureCode, detail: string): void => done({ ok: false, failure: failure(code, detail) });
    if (instance === undefined) {
      return certificates.has(id) ? refuse('wrong_state', 'the vote is over') : refuse('not_found', `there is no vote ${id}`);
    }
    const { options, items } = instance.proposal.proposal;
    if (items.length > 1)
      return refuse(
        'wrong_state',
        `policies decide on it, together with ${items.length - 1} others: one ballot would be about all of them`,
      );
    const choice = options.indexOf(option);
    if (choice < 0) return refuse('invalid_argument', `body choice: ${JSON.stringify(option)} is not one of ${options.join(', ')}`);
    if (instance.engine === undefined)
      return refuse('unavailable', 'this node lost what it had voted: it does not vote before the members change');
    if (!instance.isComplete) return refuse('unavailable', 'what the vote is about has not arrived here yet');
    if (instance.choice === undefined && this.#isBarred(instance, choice))
      return refuse(
        'wrong_state',
        'this node has approved another change of the members in this epoch; once that has failed it may approve this one',
      );
    if (instance.choice === undefined && !this.#cast(instance, choice)) return refuse('already_voted', 'this node has cast its ballot');
    if (!instance.hasChosen(choice)) return refuse('already_voted', `this node has voted ${options[instance.choice ?? 0] ?? 'otherwise'}`);
    return flush.afterSave(() => done({ ok: true, value: undefined }));
  }

  /**
   * An epoch has one successor: an honest member approves a change of the members only when every vote on another that it approved in the epoch has ended without
   * approval. Two approved changes would share an honest member that approved both (docs/decisions/0012). Two votes on one change do no harm.
   */
  #isBarred({ proposal: { proposal } }: Instance, choice: number): boolean {
    if (!isSuccession(proposal.kind) || proposal.options[choice] !== approval) return false;
    const { open, certificates } = this.#parts;
    for (const { proposal: other, choice: chosen } of open) {
      const { kind, options } = other.proposal;
      const isApproved = isSuccession(kind) && chosen !== undefined && options[chosen] === approval;
      if (isApproved && !isSameChange(other.proposal, proposal)) return true;
    }
    const successor = certificates.successions.approvedIn(proposal.epoch);
    return successor !== undefined && !isSameChange(successor.proposal, proposal);
  }

  /** An approval of it would begin the next epoch. */
  #isPossible({ proposal: { proposal }, payloads }: Instance): boolean {
    const [item, ...others] = proposal.items;
    const payload = item && payloads.get(item.payloadDigest);
    if (item === undefined || payload === undefined || others.length > 0) return false;
    const { hashes, configuration } = this.#parts.trust;
    const action = { kind: proposal.kind, subject: item.subject, payload: new TextDecoder().decode(payload) };
    return isPossibleSuccession({ hashes, keyOf: publicKeyOf }, configuration, action);
  }

  #cast(instance: Instance, choice: number): boolean {
    const choices = new Uint8Array(instance.motion.items).fill(choice);
    if (instance.choice !== undefined || instance.engine?.cast(choices) !== true) return false;
    instance.choice = choice;
    this.#parts.open.touch(instance);
    return true;
  }
}

const isApprovedBy = (policy: readonly string[], kind: string): boolean => policy.includes(kind) || policy.includes('*');
