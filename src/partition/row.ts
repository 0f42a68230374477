import type { LogIndex, NodeId, Term } from '../core/ids.ts';

/** What one node says of itself again and again: whom it hears, and where its log stands. */
export interface Row {
  readonly node: NodeId;
  /** Count of its starts, and of its rows since: a later row has a higher pair. */
  readonly boot: number;
  readonly seq: number;
  /** Members whose frames it received lately, itself among them. */
  readonly heard: readonly NodeId[];
  readonly term: Term;
  readonly leader: NodeId | undefined;
  readonly commitIndex: LogIndex;
  /** It hears enough voters to be elected, by its own configuration: others may have an older one, or a newer. */
  readonly electable: boolean;
  /** It has a split to heal, and was not told yet that all is whole. */
  readonly healing: boolean;
  /** Its local health, 0 (well) to 8: whom to spare when frames are relayed. */
  readonly score: number;
  /** By the node's own key: whoever passes the row on can't change it (`signedRow`). */
  readonly signature: Uint8Array;
}

/**
 * How often rows are told; and how often while anything changes, and for `hastyForMs` after: a node that is simply dead costs nothing more. A row that is older than
 * `staleMs` says nothing of the present.
 */
export interface RowPace {
  readonly periodMs: number;
  readonly hastyMs: number;
  readonly staleMs: number;
}

export const hastyForMs = 2000;

/** Of rows that are told on every direct link. */
export const directPace: RowPace = { periodMs: 250, hastyMs: 50, staleMs: 1000 };

/** Of rows that go by the gossip alone: it brings each to each node as often as the carrier has links, which costs more than the row itself (docs/decisions/0017). */
export const gossipPace: RowPace = { periodMs: 1000, hastyMs: 1000, staleMs: 4000 };
