import type { LogIndex, NodeId, Term } from '../core/ids.ts';

/** What one node says of itself several times a second: whom it hears, and where its log stands. */
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

/** Rows are told this often; and this often while anything changes, and for a while after: a node that is simply dead costs nothing more. */
export const rowPeriodMs = 250;
export const hastyRowPeriodMs = 50;
export const hastyForMs = 2000;
/** A row that is older says nothing of the present. */
export const staleMs = 1000;
