import type { EpochConfiguration } from '../../byzantine/epoch.ts';
import type { Proposal } from '../../byzantine/proposal.ts';
import type { Flush } from './flush.ts';
import { bootChange, type BootRecord } from './vote-records.ts';

/** This node's own beginnings, durable with the turn that changes them: its starts, its keys, and which proposals it has forgotten. */
export class Boot {
  readonly #flush: Flush;
  #record: BootRecord;

  /** Counts one more start: above every boot and generation before, also those that a lost disk forgot, as long as the wall clock is right. */
  constructor(before: BootRecord | undefined, { members }: EpochConfiguration, hasLostStore: boolean, unixMs: number, flush: Flush) {
    const boot = Math.max((before?.boot ?? 0) + 1, seconds(unixMs));
    this.#flush = flush;
    this.#record = {
      boot,
      generation: Math.max((before?.generation ?? 0) + 1, boot),
      mayVote: before?.mayVote ?? !hasLostStore,
      forgotten: members.map((_, member) => before?.forgotten[member] ?? 0),
    };
    flush.save(bootChange(this.#record));
  }

  get number(): number {
    return this.#record.boot;
  }

  /** Of this node's newest key. */
  get generation(): number {
    return this.#record.generation;
  }

  get mayVote(): boolean {
    return this.#record.mayVote;
  }

  /** The number of a new key, not to be used before the turn is durable. */
  nextGeneration(unixMs: number): number {
    this.#change({ generation: Math.max(this.#record.generation + 1, seconds(unixMs)) });
    return this.#record.generation;
  }

  /** The highest `proposerSeq` that this node has forgotten of a proposer; 0 for none. */
  forgottenOf({ proposer }: Pick<Proposal, 'proposer'>): number {
    return this.#record.forgotten[proposer] ?? 0;
  }

  /** Whoever brings the proposal back does not get it voted on again. */
  forget({ proposer, proposerSeq }: Proposal): void {
    this.#change({ forgotten: this.#record.forgotten.map((seq, member) => (member === proposer ? Math.max(seq, proposerSeq) : seq)) });
  }

  #change(change: Partial<BootRecord>): void {
    this.#record = { ...this.#record, ...change };
    this.#flush.save(bootChange(this.#record));
  }
}

const seconds = (unixMs: number): number => Math.floor(unixMs / 1000);
