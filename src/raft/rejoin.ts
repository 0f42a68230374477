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

/** How far a leader is with taking one member in again. */
export class Readmission {
  #nonce = 0;
  /** The commit index when this loss was first heard of: what the member holds before an entry is worth its while (as the rounds of thesis §4.2.1). */
  #goal: LogIndex = 0;
  /** Ticks until an entry may be proposed (again). */
  #wait = 0;

  /** 0 for a whole member. */
  get nonce(): number {
    return this.#nonce;
  }

  /** True when this tells of a loss that was not known. */
  hear(nonce: number, committed: LogIndex): boolean {
    if (nonce === this.#nonce) return false;
    this.#nonce = nonce;
    this.#goal = committed;
    return nonce !== 0;
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
