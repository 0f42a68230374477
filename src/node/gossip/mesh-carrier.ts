import type { NodeId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import type { SealedBatch } from '../../gossip/batch.ts';
import type { Carrier, TakeBatch } from '../../gossip/carrier.ts';
import { type ChosenSpread, Mesh } from '../../gossip/spread.ts';
import { encodeBatchFrame } from '../../wire/gossip.ts';

export interface MeshCarrierParts {
  readonly clusterTag: number;
  readonly send: (to: NodeId, frame: Uint8Array) => void;
  readonly random: Random;
  readonly take: TakeBatch;
  /** Fanout and time to live instead of those computed for the number of members. */
  readonly settings: ChosenSpread;
}

/** Hands batches on over the links that there are anyway. With few members each is told directly. */
export class MeshCarrier implements Carrier {
  readonly #parts: MeshCarrierParts;
  readonly #mesh: Mesh;

  constructor(parts: MeshCarrierParts) {
    this.#parts = parts;
    this.#mesh = new Mesh(parts.random, parts.settings);
  }

  setMembers(count: number): void {
    this.#mesh.setMembers(count);
  }

  onLink(peer: NodeId, up: boolean): void {
    if (up) this.#mesh.linkUp(peer);
    else this.#mesh.linkDown(peer);
  }

  publish(batch: SealedBatch): void {
    this.#send(this.#mesh.publish(), batch, 1);
  }

  /** A batch came by a link, which may be when this node publishes in another way. */
  receive(from: NodeId, batch: SealedBatch, hops: number): void {
    if (this.#parts.take(from, batch).type !== 'taken') return;
    this.#send(this.#mesh.relay(from, batch.header.origin, hops), batch, hops + 1);
  }

  /** Encoded once for all. */
  #send(targets: readonly NodeId[], batch: SealedBatch, hops: number): void {
    if (targets.length === 0) return;
    const frame = encodeBatchFrame(this.#parts.clusterTag, batch, hops);
    for (const to of targets) this.#parts.send(to, frame);
  }
}
