import type { LogIndex } from '../core/ids.ts';
import { Inflights } from './inflights.ts';
import type { SnapshotMeta } from './messages.ts';
import { Readmission } from './rejoin.ts';

/** `probe`: one message at a time, to find where the logs agree. `replicate`: a stream. `snapshot`: too far behind for the log. */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

/** One member as its leader sees it (§5.3: nextIndex, matchIndex). Holds numbers only; the leader decides what to send. */
export class Progress {
  state: ProgressState = 'probe';
  match: LogIndex = 0;
  next: LogIndex;
  /** The leader's ticks since an answer came, or since it began to count on one. */
  silentTicks = 0;
  /** A probe is on its way: nothing more until it is answered. */
  probeSent = false;
  /** The newest commit index this member was told. */
  sentCommit: LogIndex = 0;
  /** Where this member stood at the last heartbeat's answer while everything had been sent; -1 when it was not behind. */
  stalledAt: LogIndex = -1;
  readonly inflights: Inflights;
  snapshot: SnapshotMeta | undefined;
  chunk = 0;
  /** Ticks since the current chunk was sent. */
  chunkTicks = 0;
  readonly readmission = new Readmission();

  constructor(next: LogIndex, maxInflight: number, maxInflightBytes: number) {
    this.next = next;
    this.inflights = new Inflights(maxInflight, maxInflightBytes);
  }

  get isPaused(): boolean {
    switch (this.state) {
      case 'probe':
        return this.probeSent;
      case 'replicate':
        return this.inflights.full;
      case 'snapshot':
        return true;
    }
  }

  becomeProbe(): void {
    this.next = this.match + 1;
    this.#become('probe');
  }

  becomeReplicate(): void {
    this.next = this.match + 1;
    this.#become('replicate');
  }

  becomeSnapshot(snapshot: SnapshotMeta): void {
    this.#become('snapshot');
    this.snapshot = snapshot;
  }

  /** What the member says of its own disk with every answer, and up to where it holds the log. One that lost it holds nothing of what it once acknowledged. */
  hearRejoining(nonce: number, committed: LogIndex, held: LogIndex): void {
    if (!this.readmission.hear(nonce, committed, Math.max(held, this.match))) return;
    this.#forgetMatch();
  }

  #forgetMatch(): void {
    this.match = 0;
    this.becomeProbe();
  }

  /** An acknowledgement up to `index`; false when it tells nothing new. */
  update(index: LogIndex): boolean {
    this.next = Math.max(this.next, index + 1);
    if (index <= this.match) return false;
    this.match = index;
    this.probeSent = false;
    return true;
  }

  /**
   * A refusal of entries after `rejected`. `next` goes back to right after `agree`, where the logs may still be the same, but never below what is known to
   * match. False for a refusal of something sent long ago.
   */
  onRejected(rejected: LogIndex, agree: LogIndex): boolean {
    if (this.readmission.nonce !== 0 && rejected <= this.match) {
      // What it acknowledged before it lost its disk came late.
      this.#forgetMatch();
      return true;
    }
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.becomeProbe();
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(agree, this.match) + 1;
    this.probeSent = false;
    return true;
  }

  #become(state: ProgressState): void {
    this.state = state;
    this.probeSent = false;
    this.stalledAt = -1;
    this.inflights.reset();
    this.snapshot = undefined;
    this.chunk = 0;
    this.chunkTicks = 0;
  }
}
