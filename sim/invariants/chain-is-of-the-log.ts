import { sha256 } from '@noble/hashes/sha2.js';
import { equalBytes } from '../../src/core/bytes.ts';
import type { LogIndex, NodeId } from '../../src/core/ids.ts';
import type { Entry, SnapshotMeta } from '../../src/raft/messages.ts';
import { hold } from '../violation.ts';
import type { Facts, Invariant, NodeView } from './invariant.ts';

const kinds = ['noop', 'command', 'configuration', 'rejoin', 'guarded'];

/**
 * A node's chain is the hash of all that was applied up to there, entry by entry (protocol design 1.9), computed here a second time and otherwise: so chains are
 * equal at equal indices, whoever applied, restarted or installed a snapshot. And nobody takes a log for another one that nobody rewrote.
 */
export class ChainIsOfTheLog implements Invariant {
  readonly name = 'chain-is-of-the-log';
  readonly #facts: Facts;
  readonly #chains = new Map<LogIndex, Uint8Array>();
  #last: Uint8Array | undefined;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  onApplied({ id, replica }: NodeView, entry: Entry, isFirst: boolean): void {
    const { head } = replica.divergence.log;
    hold(head.index === entry.index, this.name, () => `${id} has its chain at ${head.index} when it applies ${entry.index}`);
    if (isFirst) {
      // The first to apply an entry has the same chain before it as all others had: that was checked there.
      this.#last = chainAfter(this.#last ?? genesis, entry);
      this.#chains.set(entry.index, this.#last);
    }
    this.#check(id, entry.index, head.chain);
  }

  onSnapshotTaken({ id }: NodeView, { index, chain }: SnapshotMeta): void {
    this.#check(id, index, chain);
  }

  onSnapshotInstalled({ id }: NodeView, { index, chain }: SnapshotMeta): void {
    this.#check(id, index, chain);
  }

  afterTurn({ id, replica }: NodeView): void {
    const { rewritten } = this.#facts;
    const wronged = rewritten.has(id) ? undefined : replica.divergence.differing.find((peer) => !rewritten.has(peer));
    if (wronged !== undefined) hold(false, this.name, () => `${id} says that the log of ${wronged} differs, which nobody has rewritten`);
  }

  #check(id: NodeId, index: LogIndex, chain: Uint8Array): void {
    const known = this.#chains.get(index);
    hold(known !== undefined && equalBytes(known, chain), this.name, () => `${id} has another chain at ${index} than its log gives`);
  }
}

const genesis = sha256(Buffer.concat([Buffer.from('quorate/log-chain/v1'), Buffer.of(9, 0), Buffer.from('simulated')]));

function chainAfter(previous: Uint8Array, { index, term, kind, count, data }: Entry): Uint8Array {
  const numbers = Buffer.alloc(21);
  numbers.writeBigUInt64LE(BigInt(index), 0);
  numbers.writeBigUInt64LE(BigInt(term), 8);
  numbers.writeUInt8(kinds.indexOf(kind), 16);
  numbers.writeUInt32LE(count, 17);
  return sha256(Buffer.concat([previous, numbers, data]));
}
