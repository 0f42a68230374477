import type { EpochConfiguration } from '../../byzantine/epoch.ts';
import type { Proposal } from '../../byzantine/proposal.ts';
import type { LogIndex } from '../../core/ids.ts';
import type { Flush } from './flush.ts';
import { bootChange, type BootRecord } from './vote-records.ts';

/** The epoch in which a node begins to vote, and where that began in the log. */
export interface Beginning {
  readonly configuration: EpochConfiguration;
  readonly from: LogIndex;
  readonly hasLostStore: boolean;
}

/** This node's own beginnings, durable with the turn that changes them: its starts, its keys, and which proposals it has forgotten. */
export class Boot {
  readonly #flush: Flush;
  #record: BootRecord;

  /** Counts one more start: above every boot and generation before, also those that a lost disk forgot, as long as the wall clock is right. */
  constructor(before: BootRecord | undefined, { configuration, from, hasLostStore }: Beginning, unixMs: number, flush: Flush) {
    const { members, epoch } = configuration;
    const isSameEpoch = before?.epoch === epoch;
    const lostUntil = hasLostStore ? Number.MAX_SAFE_INTEGER : before?.lostUntil;
    const boot = Math.max((before?.boot ?? 0) + 1, seconds(unixMs));
    this.#flush = flush;
    this.#record = {
      boot,
      generation: Math.max((before?.generation ?? 0) + 1, boot),
      epoch,
      // The amnesia rule: it may have voted before it lost its disk, so not before an epoch that began after it was taken in again.
      mayVote: isSameEpoch ? before.mayVote : lostUntil === undefined || from > lostUntil,
      lostUntil,
      forgotten: members.map((_, member) => (isSameEpoch ? (before.forgotten[member] ?? 0) : 0)),
    };
    flush.save(bootChange(this.#record));
  }

  get record(): BootRecord {
    return this.#record;
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

  /** The node lost its disk, and is not known to have been taken in again. */
  get isLost(): boolean {
    return this.#record.lostUntil === Number.MAX_SAFE_INTEGER;
  }

  /** The node has been taken in again; what was committed by then may be of before its loss. */
  recovered(commitIndex: LogIndex): void {
    if (this.isLost) this.#change({ lostUntil: commitIndex });
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
  forget({ epoch, proposer, proposerSeq }: Proposal): void {
    if (epoch !== this.#record.epoch) return;
    this.#change({ forgotten: this.#record.forgotten.map((seq, member) => (member === proposer ? Math.max(seq, proposerSeq) : seq)) });
  }

  #change(change: Partial<BootRecord>): void {
    this.#record = { ...this.#record, ...change };
    this.#flush.save(bootChange(this.#record));
  }
}

const seconds = (unixMs: number): number => Math.floor(unixMs / 1000);
