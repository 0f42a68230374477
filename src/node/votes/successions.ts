import type { Certificate } from '../../byzantine/certificate.ts';
import { isSuccession } from '../../byzantine/epoch-chain.ts';
import { approval } from '../../byzantine/guard.ts';
import type { Proposal, ProposalId } from '../../byzantine/proposal.ts';

/** Changes of the members whose votes are counted; further ones in the same epoch are taken for new. */
const maxChanges = 1024;

/** How far the members of an epoch are with a change of themselves. */
export type Succession =
  | { readonly state: 'approved'; readonly certificate: Uint8Array }
  | { readonly state: 'open' }
  /** They said no. */
  | { readonly state: 'rejected' }
  /** `failed`: so many votes on it ended without an option. */
  | { readonly state: 'none'; readonly failed: number };

/** True if two votes of an epoch would change the members alike. To approve both is to approve one change. */
export const isSameChange = (one: Proposal, two: Proposal): boolean => changeKey(one) === changeKey(two);

export const changeKey = ({ kind, items }: Pick<Proposal, 'kind' | 'items'>): string =>
  JSON.stringify([kind, ...items.map(({ subject, payloadDigest }) => [subject, payloadDigest])]);

/** What came of the votes on changes of the members: by which vote each epoch's members approved their successors, and which changes of the newest epoch failed. */
export class Successions {
  readonly #approved = new Map<number, { readonly id: ProposalId; readonly proposal: Proposal }>();
  #epoch = 0;
  readonly #ended = new Map<string, { readonly rejected: boolean; readonly failed: number }>();

  note({ attestation: { epoch, outcome }, proposal: { id, proposal } }: Certificate): void {
    if (!isSuccession(proposal.kind)) return;
    const options = [...outcome].map((choice) => proposal.options[choice]);
    if (options.includes(approval)) this.#approved.set(epoch, { id, proposal });
    else this.#noteFailure(epoch, proposal, options[0] !== undefined);
  }

  /** The vote by which the members of the epoch approved others to take their place. */
  approvedIn(epoch: number): { readonly id: ProposalId; readonly proposal: Proposal } | undefined {
    return this.#approved.get(epoch);
  }

  /** What came of the votes on a change in the newest epoch that ended without approval. */
  failuresOf(key: string): { readonly rejected: boolean; readonly failed: number } {
    return this.#ended.get(key) ?? { rejected: false, failed: 0 };
  }

  /** Votes by which an epoch ended. */
  get lasting(): ReadonlySet<ProposalId> {
    return new Set([...this.#approved.values()].map(({ id }) => id));
  }

  #noteFailure(epoch: number, proposal: Proposal, isRejected: boolean): void {
    if (epoch > this.#epoch) this.#ended.clear();
    this.#epoch = Math.max(this.#epoch, epoch);
    const key = changeKey(proposal);
    if (epoch < this.#epoch || (!this.#ended.has(key) && this.#ended.size >= maxChanges)) return;
    const { rejected, failed } = this.failuresOf(key);
    this.#ended.set(key, { rejected: rejected || isRejected, failed: failed + 1 });
  }
}
