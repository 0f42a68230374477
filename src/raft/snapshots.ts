import type { SnapshotMeta } from './messages.ts';

/** The newest durable snapshot of this node, and the one that is arriving from a leader (§7). */
export class Snapshots {
  #newest: SnapshotMeta | undefined;
  #arriving: { readonly meta: SnapshotMeta; next: number } | undefined;

  get newest(): SnapshotMeta | undefined {
    return this.#newest;
  }

  taken(meta: SnapshotMeta): void {
    if (this.#newest === undefined || meta.index >= this.#newest.index) this.#newest = meta;
  }

  /** The chunk of this snapshot that is wanted now. A first chunk, or another snapshot, begins anew. */
  wanted(meta: SnapshotMeta, chunk: number): number {
    if (this.#arriving?.meta.index !== meta.index || this.#arriving.meta.term !== meta.term || chunk === 0)
      this.#arriving = { meta, next: 0 };
    return this.#arriving.next;
  }

  /** The wanted chunk was taken; returns the next. */
  advance(): number {
    return this.#arriving === undefined ? 0 : ++this.#arriving.next;
  }

  /** The arriving snapshot is complete. */
  arrived(meta: SnapshotMeta): void {
    this.#arriving = undefined;
    this.#newest = meta;
  }
}
