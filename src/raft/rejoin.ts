import type { LogIndex, NodeId } from '../core/ids.ts';
import type { Entry } from './messages.ts';

// A node that lost its disk has forgotten the votes and acknowledgements it gave. It may not give others until an entry that was made after the loss is
// committed by a majority without it: docs/raft.md says why that is enough.

const nonceBytes = 8;

/** The data of a `rejoin` entry. `nonce`: a whole number above 0, at most 2^53 - 1. */
export function encodeRejoin(id: NodeId, nonce: number): Uint8Array {
  const name = new TextEncoder().encode(id);
  const data = new Uint8Array(nonceBytes + name.length);
  new DataView(data.buffer).setFloat64(0, nonce);
  data.set(name, nonceBytes);
  return data;
}

/** Whether the entry, once it is committed, makes this node whole after this loss of its disk. */
export function endsRejoining({ kind, data }: Entry, id: NodeId, nonce: number): boolean {
  if (kind !== 'rejoin' || nonce === 0 || data.length < nonceBytes) return false;
  const written = new DataView(data.buffer, data.byteOffset, data.byteLength).getFloat64(0);
  return written === nonce && new TextDecoder().decode(data.subarray(nonceBytes)) === id;
}

/** Losses of one member's disk that a leader remembers: far more than there are while a message is on its way. */
const maxPast = 16;

/** How far a leader is with taking one member in again. */
export class Readmission {
  #nonce = 0;
  /** Losses that are over, the newest last: what is still said of one was said earlier. */
  #past: readonly number[] = [];
  /** Where the entry stands that ends this loss, once it is committed; 0 before. */
  #endsAt: LogIndex = 0;
  /** The commit index when this loss was first heard of: what the member holds before an entry is worth its while (as the rounds of thesis §4.2.1). */
  #goal: LogIndex = 0;
  /** Ticks until an entry may be proposed (again). */
  #wait = 0;

  /** 0 for a whole member. */
  get nonce(): number {
    return this.#nonce;
  }

  /**
   * What an answer says. True when it tells of a loss that was not known. Answers come late and in any order: that all is well is believed only of a member
   * that holds (`held`) the committed entry which makes it whole; it may have been said before the loss.
   */
  hear(nonce: number, committed: LogIndex, held: LogIndex): boolean {
    if (nonce === this.#nonce || this.#past.includes(nonce)) return false;
    if (nonce === 0 && (this.#endsAt === 0 || held < this.#endsAt)) return false;
    if (this.#nonce !== 0) this.#past = [...this.#past, this.#nonce].slice(-maxPast);
    this.#nonce = nonce;
    this.#endsAt = 0;
    this.#goal = committed;
    return nonce !== 0;
  }

  /** An entry was committed that makes the member whole when it applies it. */
  onEnded(index: LogIndex): void {
    this.#endsAt = index;
  }

  tick(): void {
    if (this.#wait > 0) this.#wait--;
  }

  /** Whether to propose the entry now; if so, not again for `electionTicks`. */
  isDue(match: LogIndex, electionTicks: number): boolean {
    if (this.#nonce === 0 || this.#wait > 0 || match < this.#goal) return false;
    this.#wait = electionTicks;
    return true;
  }
}
