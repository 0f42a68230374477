import type { NodeId } from '../../core/ids.ts';
import { RelayBudget } from '../../partition/relay.ts';
import { maxRelayedBytes, type Relayed, signedRelayed } from '../../wire/partition.ts';
import type { NodeKeys } from '../log-head.ts';

const oldLifeMs = 10_000;

/**
 * Frames that go by way of a third node, because the two ends don't hear each other (protocol design 4.6). One hop and no more. The relay is trusted with nothing:
 * the sender signs each frame with its number, so the relay can only lose it; and it passes on no more than its budget.
 */
export class Relays {
  readonly #self: NodeId;
  readonly #clusterTag: number;
  readonly #boot: number;
  readonly #keys: Pick<NodeKeys, 'sign' | 'verify'>;
  /** Of what others send by way of this node, and of what comes for it and costs a check of its signature. */
  readonly #passing: RelayBudget;
  readonly #arriving: RelayBudget;
  /** The last number that came from each node. What comes later with a lower one is lost: the protocols repeat themselves. */
  readonly #last = new Map<NodeId, { readonly boot: number; readonly seq: number; readonly atMs: number }>();
  #seq = 0;

  constructor(init: { self: NodeId; clusterTag: number; boot: number; keys: Pick<NodeKeys, 'sign' | 'verify'>; nowMs: number }) {
    this.#self = init.self;
    this.#clusterTag = init.clusterTag;
    this.#boot = init.boot;
    this.#keys = init.keys;
    this.#passing = new RelayBudget(init.nowMs);
    this.#arriving = new RelayBudget(init.nowMs);
  }

  /** The frame, ready to be relayed; undefined when it is bulk. */
  wrap(to: NodeId, frame: Uint8Array): Relayed | undefined {
    if (frame.length > maxRelayedBytes) return undefined;
    const unsigned = { from: this.#self, to, boot: this.#boot, seq: ++this.#seq, frame };
    return { ...unsigned, signature: this.#keys.sign(signedRelayed(this.#clusterTag, unsigned)) };
  }

  /** Whether to pass it on. `via`: who gave it to this node. */
  mayPass(via: NodeId, { from, frame }: Relayed, nowMs: number): boolean {
    return via === from && this.#passing.take(frame.length, nowMs);
  }

  /** Whether it is what its sender sent to this node, and new. */
  isGenuine(relayed: Relayed, nowMs: number): boolean {
    const { from, boot, seq, frame, signature } = relayed;
    const last = this.#last.get(from);
    if (last !== undefined && boot === last.boot && seq <= last.seq) return false;
    // Its clock may have been set back; but what it sent in an earlier life was on its way for no longer than this.
    if (last !== undefined && boot < last.boot && nowMs - last.atMs < oldLifeMs) return false;
    if (!this.#arriving.take(frame.length, nowMs)) return false;
    if (!this.#keys.verify(from, signedRelayed(this.#clusterTag, relayed), signature)) return false;
    this.#last.set(from, { boot, seq, atMs: nowMs });
    return true;
  }

  keepOnly(members: readonly NodeId[]): void {
    for (const node of this.#last.keys()) if (!members.includes(node)) this.#last.delete(node);
  }
}
