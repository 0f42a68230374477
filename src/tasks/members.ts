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
  /** When each token ends, by its hash. */
  readonly #tokens = new Map<string, number>();
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

  get tokenCount(): number {
    return this.#tokens.size;
  }

  /** Tokens and when they end, in the order in which they were made. */
  tokens(): Iterable<readonly [hash: string, endTs: number]> {
    return this.#tokens;
  }

  putToken(hash: string, endTs: number): void {
    this.#tokens.set(hash, endTs);
  }

  expireTokens(ts: number): void {
    for (const [hash, endTs] of this.#tokens) if (endTs <= ts) this.#tokens.delete(hash);
  }

  /** False for a token that is unknown, used or expired. */
  useToken(hash: string, ts: number): boolean {
    this.expireTokens(ts);
    return this.#tokens.delete(hash);
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
