import type { NodeId } from '../core/ids.ts';

/** A node that joined after the founding: where it is, and whether it is to become a voter. */
export interface MemberRecord {
  readonly nodeId: NodeId;
  readonly name: string;
  /** Client port, `http://host:port`. */
  readonly http: string;
  /** Peer port, `host:port`. */
  readonly peer: string;
  /** A learner that joined to vote: the leader promotes it once it has caught up. */
  readonly promote: boolean;
}

/** The addresses of the nodes that the genesis doesn't name. Who is a member is the Raft configuration's to say, not this table's. */
export class MemberTable {
  readonly #records = new Map<NodeId, MemberRecord>();
  #version = 0;

  /** Rises with every change. */
  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#records.size;
  }

  get(node: NodeId): MemberRecord | undefined {
    return this.#records.get(node);
  }

  /** In the order of their ids. */
  all(): readonly MemberRecord[] {
    return [...this.#records.values()].toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  put(record: MemberRecord): void {
    this.#records.set(record.nodeId, record);
    this.#version++;
  }

  forget(node: NodeId): boolean {
    const known = this.#records.delete(node);
    if (known) this.#version++;
    return known;
  }
}
