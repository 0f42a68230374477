import type { NodeId } from '../../core/ids.ts';
import type { View } from '../../partition/classify.ts';
import { Matrix } from '../../partition/matrix.ts';
import type { Row } from '../../partition/row.ts';
import { decodeRow, encodeRow, type Places, placesOf, signedRow } from '../../wire/rows.ts';
import type { NodeKeys } from '../log-head.ts';

/** A signature costs 60 us: so many rows of others are looked at between two ticks. */
const maxChecksPerTick = 64;

/**
 * The rows that a node knows, and how it comes by them: its own it signs and numbers; those of others come over their own links, or from somebody who passes them on and
 * can't change them. Of each node the newest counts, whichever way it came.
 */
export class Rows {
  readonly matrix = new Matrix();
  readonly #self: NodeId;
  readonly #clusterTag: number;
  readonly #boot: number;
  readonly #keys: Pick<NodeKeys, 'sign' | 'verify'>;
  #places: Places = placesOf([]);
  #seq = 0;
  /** Signatures that were checked since the last tick. */
  #checks = 0;

  constructor(init: { self: NodeId; clusterTag: number; boot: number; keys: Pick<NodeKeys, 'sign' | 'verify'> }) {
    this.#self = init.self;
    this.#clusterTag = init.clusterTag;
    this.#boot = init.boot;
    this.#keys = init.keys;
  }

  /** The members as all rows name them. */
  get places(): Places {
    return this.#places;
  }

  setMembers(members: readonly NodeId[]): void {
    this.#places = placesOf(members);
    this.matrix.keepOnly(members);
  }

  tick(): void {
    this.#checks = 0;
  }

  /** What this node has to say of itself now, kept and signed. */
  tell(own: Omit<Row, 'node' | 'boot' | 'seq' | 'signature'>, nowMs: number): Row {
    const unsigned = { node: this.#self, boot: this.#boot, seq: ++this.#seq, ...own };
    const row = { ...unsigned, signature: this.#keys.sign(signedRow(this.#clusterTag, this.#places, unsigned)) };
    this.matrix.put(row, nowMs);
    return row;
  }

  /** Takes in a row that `from` sent; none when the gossip brought it. */
  take(row: Row, from: NodeId | undefined, nowMs: number): 'news' | 'old' | 'forged' {
    const { matrix } = this;
    if (row.node === this.#self || !matrix.isNews(row, nowMs)) return 'old';
    // Nobody speaks for another: a node's own row came over its own link, and what others pass on it has signed.
    if (row.node !== from && !this.#isSigned(row)) return 'forged';
    // How old the first one is that the gossip brings of a life, nobody knows; the next one shows that it goes on.
    const isFirst = from === undefined && matrix.row(row.node)?.boot !== row.boot;
    matrix.put(row, isFirst ? nowMs - (matrix.ageMs(row.node, nowMs) ?? 2 * matrix.pace.staleMs) : nowMs);
    return 'news';
  }

  /** A row as the gossip carries it. */
  decode(bytes: Uint8Array): Row | undefined {
    const row = decodeRow(this.#places, bytes);
    return typeof row === 'string' ? undefined : row;
  }

  encode(row: Row): Uint8Array {
    return encodeRow(this.#places, row);
  }

  /** Fresh rows that the peer can't have from their nodes: it does not hear them. */
  hearsay(peer: NodeId, { graph }: View, nowMs: number): readonly Row[] {
    const theirs = this.matrix.row(peer);
    if (graph.isComplete || theirs === undefined) return [];
    return this.#places.members
      .filter((node) => node !== peer && node !== this.#self && !theirs.heard.includes(node) && this.matrix.isFresh(node, nowMs))
      .flatMap((node) => this.matrix.row(node) ?? []);
  }

  #isSigned(row: Row): boolean {
    if (++this.#checks > maxChecksPerTick) return false;
    return this.#keys.verify(row.node, signedRow(this.#clusterTag, this.#places, row), row.signature);
  }
}
