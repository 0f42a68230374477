import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { StoredVotes } from '../../../src/node/votes/vote-records.ts';
import { hold } from '../../violation.ts';

/** Of protocol design 1.8: a member votes in the epoch that it has come to, and never again in one before. It is told of honest members only. */
export class OwnEpoch {
  readonly name = 'own-epoch';
  /** That each member has begun, durably. */
  readonly #begun = new Map<MemberIndex, number>();

  onSaved(member: MemberIndex, { boot, instances }: Pick<StoredVotes, 'boot' | 'instances'>): void {
    const before = this.#begun.get(member) ?? 0;
    const epoch = boot?.epoch ?? 0;
    hold(epoch >= before, this.name, () => `member ${member} goes back from epoch ${before} to ${epoch}`);
    this.#begun.set(member, epoch);
    const other = instances.find(({ proposal }) => proposal.proposal.epoch !== epoch);
    hold(
      other === undefined,
      this.name,
      () => `member ${member} votes in epoch ${epoch} on a proposal of ${other?.proposal.proposal.epoch}`,
    );
  }

  onSent(member: MemberIndex, epoch: number): void {
    const begun = this.#begun.get(member) ?? 0;
    hold(epoch >= begun, this.name, () => `member ${member} has begun epoch ${begun} and sends a frame of ${epoch}`);
  }
}
