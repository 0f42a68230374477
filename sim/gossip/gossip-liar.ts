import { defined } from '../../src/core/assert.ts';
import type { NodeId } from '../../src/core/ids.ts';
import type { Random } from '../../src/core/random.ts';
import type { BatchHeader, SealedBatch, Sealer, Update } from '../../src/gossip/batch.ts';
import { bootOf, counterOf, vectorOf } from '../../src/gossip/dot.ts';
import type { Entry } from '../../src/gossip/entry.ts';
import type { DeltaMessage, GossipMessage } from '../../src/gossip/messages.ts';

const maxHeard = 50;

/** Makes up what a member sends that lies: batches in the name of others or of keys that are not its own, changed ones, and old words again. */
export class GossipLiar {
  readonly #self: NodeId;
  readonly #sealer: Sealer;
  readonly #random: Random;
  readonly #batches: SealedBatch[] = [];
  readonly #deltas: DeltaMessage[] = [];
  #spoofs = 0;

  constructor(self: NodeId, sealer: Sealer, random: Random) {
    this.#self = self;
    this.#sealer = sealer;
    this.#random = random;
  }

  hear(message: GossipMessage): void {
    if (message.type === 'batch') this.#keep(this.#batches, message.batch);
    else if (message.type === 'delta') this.#keep(this.#deltas, message);
  }

  /** One lie, when there is something to make it of. @param keys those that are not its own. */
  lie(boot: number, keys: readonly string[]): GossipMessage | undefined {
    const kind = this.#random.below(6);
    if (kind === 0) return { type: 'batch', batch: this.#spoof(boot, keys) };
    // What was true once.
    if (kind === 1) return this.#deltas[this.#random.below(maxHeard)];
    const batch = this.#batches[this.#random.below(Math.max(1, this.#batches.length))];
    if (batch === undefined) return undefined;
    if (kind === 2) return { type: 'batch', batch };
    if (kind === 5) return this.#retold(batch);
    return { type: 'batch', batch: kind === 3 ? this.#inTheName(batch.header, keys) : this.#changed(batch) };
  }

  #keep<T>(list: T[], one: T): void {
    if (list.length < maxHeard) list.push(one);
    else list[this.#random.below(maxHeard)] = one;
  }

  /** As the owner of a key that it doesn't own, well signed; in a boot of its own, so that its honest part isn't disturbed. */
  #spoof(boot: number, keys: readonly string[]): SealedBatch {
    const counter = counterOf(boot + 1, ++this.#spoofs);
    return this.#seal({ origin: this.#self, epoch: 1, low: counter, high: counter, stamp: 2 ** 51, count: 1 }, keys);
  }

  /** The next batch of another node, though not signed by it. */
  #inTheName({ origin, high, epoch, stamp }: BatchHeader, keys: readonly string[]): SealedBatch {
    const counter = high + 1 + this.#random.below(3);
    return this.#seal({ origin, epoch, low: bootOf(high) === bootOf(counter) ? high + 1 : counter, high: counter, stamp, count: 1 }, keys);
  }

  #seal(header: BatchHeader, keys: readonly string[]): SealedBatch {
    const key = defined(keys[this.#random.below(keys.length)], 'there are keys of others');
    const value = Uint8Array.of(6, 6, 6);
    const update: Update = { key, counter: header.high, vector: [], stamp: header.stamp, generation: 9, role: 'owner', value };
    return this.#sealer.seal(header, [update]);
  }

  /** True values, long replaced perhaps, as if they were the newest there are. */
  #retold(batch: SealedBatch): DeltaMessage {
    const { origin: node } = batch.header;
    const entries = (this.#sealer.open(batch) ?? []).map(({ key, counter, ...rest }): readonly [string, Entry] => {
      const dot = { node, counter };
      return [key, { vector: vectorOf([...rest.vector, dot]), siblings: [{ ...rest, dot }] }];
    });
    return { type: 'delta', ranges: [], entries, whole: 0, isPart: false };
  }

  #changed({ header, bytes, signature }: SealedBatch): SealedBatch {
    const changed = bytes.slice();
    const at = this.#random.below(changed.length);
    changed[at] = (changed[at] ?? 0) ^ (1 + this.#random.below(255));
    return { header, bytes: changed, signature };
  }
}
