import type { GuardedAction } from '../../src/byzantine/guard.ts';
import type { NodeId } from '../../src/core/ids.ts';

/** What the members really approved: more than any node can know, and what all of them are judged by. */
export class ApprovalRecord {
  readonly #actions = new Map<string, GuardedAction & { readonly epoch: number }>();
  readonly #successors = new Set<string>();

  add(proposal: string, epoch: number, action: GuardedAction): void {
    this.#actions.set(proposal, { ...action, epoch });
  }

  addSuccessor(epoch: number, voters: readonly NodeId[]): void {
    this.#successors.add(nameOf(epoch, voters));
  }

  get(proposal: string): (GuardedAction & { readonly epoch: number }) | undefined {
    return this.#actions.get(proposal);
  }

  /** The members of the epoch before approved that these be its voters. */
  isSuccessor(epoch: number, voters: readonly NodeId[]): boolean {
    return this.#successors.has(nameOf(epoch, voters));
  }
}

const nameOf = (epoch: number, voters: readonly NodeId[]): string => `${epoch} ${voters.toSorted().join(' ')}`;
