import { defined } from '../../src/core/assert.ts';
import type { NodeId } from '../../src/core/ids.ts';
import type { Random } from '../../src/core/random.ts';
import type { BatchHeader, SealedBatch, Sealer, Update } from '../../src/gossip/batch.ts';
import { bootOf, counterOf } from '../../src/gossip/dot.ts';
import type { GossipMessage } from '../../src/gossip/messages.ts';

interface Heard {
  readonly message: GossipMessage;
  readonly hops: number;
}

const maxHeard = 50;

/** Makes up what a member sends that lies: batches in the name of others or of keys that are not its own, changed ones, and old words again. */
export class GossipLiar {
  readonly #self: NodeId;
  readonly #sealer: Sealer;
  readonly #random: Random;
  readonly #heard: Heard[] = [];
  #spoofs = 0;

  constructor(self: NodeId, sealer: Sealer, random: Random) {
    this.#self = self;
    this.#sealer = sealer;
    this.#random = random;
  }

  hear(message: GossipMessage, hops: number): void {
    if (this.#heard.length < maxHeard) this.#heard.push({ message, hops });
    else this.#heard[this.#random.below(maxHeard)] = { message, hops };
  }

  /** One lie, when there is something to make it of. @param keys those that are not its own. */
  lie(boot: number, keys: readonly string[]): Heard | undefined {
    const kind = this.#random.below(4);
    if (kind === 0) return { message: { type: 'batch', batch: this.#spoof(boot, keys) }, hops: 1 };
    const heard = this.#heard[this.#random.below(Math.max(1, this.#heard.length))];
    if (heard === undefined || kind === 1 || heard.message.type !== 'batch') return heard;
    const { batch } = heard.message;
    return { message: { type: 'batch', batch: kind === 2 ? this.#inTheName(batch.header, keys) : this.#changed(batch) }, hops: 1 };
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

  #changed({ header, bytes, signature }: SealedBatch): SealedBatch {
    const changed = bytes.slice();
    const at = this.#random.below(changed.length);
    changed[at] = (changed[at] ?? 0) ^ (1 + this.#random.below(255));
    return { header, bytes: changed, signature };
  }
}
