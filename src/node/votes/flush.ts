import type { VoteChange } from '../../storage/vote-store.ts';

/** What one turn gathers: what is to be made durable, in one write, and what waits for that. */
export class Flush {
  #changes: VoteChange[] = [];
  #afterSave: (() => void)[] = [];

  save(...changes: readonly VoteChange[]): void {
    for (const change of changes) this.#changes.push(change);
  }

  /** Runs the job once all that this turn saves is durable; what is sent has then been handed to the links. */
  afterSave(job: () => void): void {
    this.#afterSave.push(job);
  }

  take(): { readonly changes: readonly VoteChange[]; readonly afterSave: readonly (() => void)[] } {
    const taken = { changes: this.#changes, afterSave: this.#afterSave };
    this.#changes = [];
    this.#afterSave = [];
    return taken;
  }
}
