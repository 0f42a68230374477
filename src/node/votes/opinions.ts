import { isSuccession } from '../../byzantine/epoch-chain.ts';
import { approval } from '../../byzantine/guard.ts';
import { failure, type FailureCode } from '../../core/errors.ts';
import type { Answer } from '../service.ts';
import { type Certificates, digestIn } from './certificates.ts';
import type { Flush } from './flush.ts';
import type { Instance } from './instance.ts';
import type { OpenVotes } from './open-votes.ts';
import type { VoteQuestion } from './vote-service.ts';

export interface OpinionsParts {
  /** Kinds that this node approves without asking anyone; `*` is all. */
  readonly autoApprove: readonly string[];
  readonly open: OpenVotes;
  readonly certificates: Certificates;
  readonly flush: Flush;
}

/** This node's opinions: one ballot a vote, for ever, by policy, by an agent or by an operator. */
export class Opinions {
  readonly #parts: OpinionsParts;

  constructor(parts: OpinionsParts) {
    this.#parts = parts;
  }

  /** Approves at once what the policy approves, when all that the vote is about is here. */
  consider(instance: Instance): void {
    const { proposal } = instance.proposal;
    const approve = proposal.options.indexOf(approval);
    if (instance.isComplete && this.approves(proposal) && !this.#isBarred(instance, approve)) this.#cast(instance, approve);
  }

  /** True when nobody has to be asked. */
  approves({ kind, options }: { readonly kind: string; readonly options: readonly string[] }): boolean {
    const { autoApprove } = this.#parts;
    return options.includes(approval) && (autoApprove.includes(kind) || autoApprove.includes('*'));
  }

  /** Open votes of these kinds that wait for this node's opinion, oldest first; at most `limit`. */
  questions(kinds: ReadonlySet<string>, limit: number): readonly VoteQuestion[] {
    const questions: VoteQuestion[] = [];
    for (const { proposal, choice, engine, isComplete } of this.#parts.open) {
      if (questions.length === limit) break;
      const { kind, options, items } = proposal.proposal;
      const [item] = items;
      if (item === undefined || !kinds.has(kind) || choice !== undefined || engine === undefined || !isComplete) continue;
      questions.push({ type: 'vote', id: proposal.id, kind, subject: item.subject, payloadDigest: item.payloadDigest, options });
    }
    return questions;
  }

  /** Gives this node's one ballot. Answers once it is durable; a repeat of the same choice is answered alike. */
  cast(id: string, option: string, done: (answer: Answer<undefined>) => void): void {
    const { open, certificates, flush } = this.#parts;
    const digest = digestIn(id);
    const instance = digest && open.get(digest);
    const refuse = (code: FailureCode, detail: string): void => done({ ok: false, failure: failure(code, detail) });
    if (instance === undefined) {
      return digest === undefined || !certificates.has(digest)
        ? refuse('not_found', `there is no vote ${id}`)
        : refuse('wrong_state', 'the vote is over');
    }
    const { options } = instance.proposal.proposal;
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
   * An epoch has one successor: an honest member approves a change of the members only when every other one that it approved in the epoch has ended without
   * approval. Two approved ones would share an honest member that approved both (docs/decisions/0012).
   */
  #isBarred({ proposal: { id, proposal } }: Instance, choice: number): boolean {
    if (!isSuccession(proposal.kind) || proposal.options[choice] !== approval) return false;
    const { open, certificates } = this.#parts;
    for (const { proposal: other, choice: chosen } of open) {
      const { kind, options } = other.proposal;
      if (other.id !== id && isSuccession(kind) && chosen !== undefined && options[chosen] === approval) return true;
    }
    return certificates.hasSuccessor(proposal.epoch);
  }

  #cast(instance: Instance, choice: number): boolean {
    const choices = new Uint8Array(instance.motion.items).fill(choice);
    if (instance.choice !== undefined || instance.engine?.cast(choices) !== true) return false;
    instance.choice = choice;
    this.#parts.open.touch(instance);
    return true;
  }
}
