import { ByteWriter, label } from '../byzantine/bytes.ts';
import { type Hashes, hashBytes } from '../byzantine/crypto.ts';
import { assert } from '../core/assert.ts';
import type { LogIndex } from '../core/ids.ts';
import type { Entry, EntryKind } from '../raft/messages.ts';
import { type ChainHead, HeadRing } from './head-ring.ts';

/** Nodes that are far apart in the log compare heads at the ends of those entries that reach or pass a multiple of this. */
const checkpointEvery = 1024;
/** Ends of entries that are remembered: more than are applied at a time, so that what was waited for is still there. */
const maxRecent = 2048;
/** Checkpoints that are remembered: a million commands, ten seconds of full load. */
const maxCheckpoints = 1024;

// Part of what is hashed: a number never changes its meaning.
const kindNumbers: Readonly<Record<EntryKind, number>> = { noop: 0, command: 1, configuration: 2, rejoin: 3, guarded: 4 };
const headerBytes = hashBytes + 8 + 8 + 1 + 4;
const two32 = 2 ** 32;

/** The chain of a log without entries. It names the cluster, so that no head of one cluster's log is one of another's. */
export const genesisChain = (hashes: Pick<Hashes, 'sha256'>, clusterId: string): Uint8Array =>
  hashes.sha256(new ByteWriter().fixed(label('quorate/log-chain/v1')).text(clusterId).finish());

/** The chain up to and including the entry: SHA-256 over the chain before it, index, term, kind, count and data. */
export function nextChain(hashes: Pick<Hashes, 'sha256'>, previous: Uint8Array, { index, term, kind, count, data }: Entry): Uint8Array {
  const bytes = new Uint8Array(headerBytes + data.length);
  const view = new DataView(bytes.buffer);
  bytes.set(previous);
  view.setUint32(32, index % two32, true);
  view.setUint32(36, Math.floor(index / two32), true);
  view.setUint32(40, term % two32, true);
  view.setUint32(44, Math.floor(term / two32), true);
  view.setUint8(48, kindNumbers[kind]);
  view.setUint32(49, count, true);
  bytes.set(data, headerBytes);
  return hashes.sha256(bytes);
}

/**
 * The hash chain over the log that this node has applied, over its own bytes (protocol design 1.9). Equal heads at one index mean equal logs up to there; after the
 * first difference no heads are equal again. It begins with the cluster's id or with a snapshot, which carries its head.
 */
export class LogChain {
  readonly #hashes: Pick<Hashes, 'sha256'>;
  #head: ChainHead;
  #checkpoint: ChainHead | undefined;
  #recent: HeadRing;
  #checkpoints: HeadRing;

  constructor(hashes: Pick<Hashes, 'sha256'>, start: ChainHead) {
    this.#hashes = hashes;
    this.#head = start;
    this.#recent = new HeadRing(maxRecent, start);
    this.#checkpoints = new HeadRing(maxCheckpoints, start);
  }

  /** At the last applied entry. */
  get head(): ChainHead {
    return this.#head;
  }

  /** The newest, since the beginning or the last snapshot that was installed. */
  get checkpoint(): ChainHead | undefined {
    return this.#checkpoint;
  }

  add(entry: Entry): void {
    const { index, count } = entry;
    assert(index - count === this.#head.index, 'the chain takes the entries in order, each once');
    this.#head = { index, chain: nextChain(this.#hashes, this.#head.chain, entry) };
    this.#recent.push(this.#head);
    if (Math.floor(index / checkpointEvery) === Math.floor((index - count) / checkpointEvery)) return;
    this.#checkpoint = this.#head;
    this.#checkpoints.push(this.#head);
  }

  /** A snapshot took the place of the log: what that was before is not known any more. */
  restart(start: ChainHead): void {
    this.#head = start;
    this.#checkpoint = undefined;
    this.#recent = new HeadRing(maxRecent, start);
    this.#checkpoints = new HeadRing(maxCheckpoints, start);
  }

  /** The chain at an index; `none` when no entry of this log ends there, undefined when it is not applied yet or too long ago. */
  at(index: LogIndex): Uint8Array | 'none' | undefined {
    if (index > this.#head.index) return undefined;
    const found = this.#recent.at(index) ?? this.#checkpoints.at(index);
    return found ?? (index > this.#recent.oldest.index ? 'none' : undefined);
  }
}
