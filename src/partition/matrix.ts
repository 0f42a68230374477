import type { NodeId } from '../core/ids.ts';
import { ReachGraph } from './reach-graph.ts';
import { directPace, type Row, type RowPace } from './row.ts';

interface Kept {
  row: Row;
  heard: ReadonlySet<NodeId>;
  receivedMs: number;
  /** When each peer last appeared in this node's rows, or vanished from them. */
  readonly changedMs: Map<NodeId, number>;
}

/** A link that works in one direction. */
export interface OneWay {
  /** The node whose frames arrive. */
  readonly heard: NodeId;
  /** The node that receives them, but is not heard itself. */
  readonly hearing: NodeId;
}

/** An edge flaps that is lost three times in ten seconds. */
const flapWindowMs = 10_000;
const flapLosses = 3;

/** The newest row of every member, as far as it is known here. Rows come directly and through others; an older one never replaces a newer. */
export class Matrix {
  /** How often rows are to be expected. */
  pace: RowPace = directPace;
  readonly #rows = new Map<NodeId, Kept>();
  /** When each edge was lost lately, by its two nodes. */
  readonly #losses = new Map<string, number[]>();

  isNews({ node, boot, seq }: Row, nowMs: number): boolean {
    const kept = this.#rows.get(node)?.row;
    if (kept === undefined) return true;
    if (boot === kept.boot) return seq > kept.seq;
    // A node whose files were put back from a copy counts on from there: it is believed once its other life has fallen silent.
    return boot > kept.boot || !this.isFresh(node, nowMs);
  }

  /** False when the row is not news. */
  put(row: Row, nowMs: number): boolean {
    if (!this.isNews(row, nowMs)) return false;
    const kept = this.#rows.get(row.node);
    const heard = new Set(row.heard);
    if (kept === undefined) {
      this.#rows.set(row.node, { row, heard, receivedMs: nowMs, changedMs: new Map() });
      return true;
    }
    // What was lost by a restart was lost for a reason.
    if (kept.row.boot !== row.boot) this.#forgetLosses((edge) => edge.includes(row.node));
    for (const peer of new Set([...kept.heard, ...heard])) {
      if (kept.heard.has(peer) === heard.has(peer)) continue;
      if (!heard.has(peer) && kept.row.boot === row.boot) this.#noteLoss(row.node, peer, nowMs);
      kept.changedMs.set(peer, nowMs);
    }
    Object.assign(kept, { row, heard, receivedMs: nowMs });
    return true;
  }

  /** Who is no member any more is forgotten. */
  keepOnly(members: readonly NodeId[]): void {
    for (const node of this.#rows.keys()) if (!members.includes(node)) this.#rows.delete(node);
    this.#forgetLosses((edge) => !edge.every((node) => members.some((member) => member === node)));
  }

  row(node: NodeId): Row | undefined {
    return this.#rows.get(node)?.row;
  }

  ageMs(node: NodeId, nowMs: number): number | undefined {
    const kept = this.#rows.get(node);
    return kept === undefined ? undefined : Math.max(0, nowMs - kept.receivedMs);
  }

  /** `patience` of the observer (Lifeguard): who is slow itself takes rows for fresh for longer. */
  isFresh(node: NodeId, nowMs: number, patience = 1): boolean {
    const ageMs = this.ageMs(node, nowMs);
    return ageMs !== undefined && ageMs <= this.pace.staleMs * patience;
  }

  /** Pairs of which both have fresh rows that name the other. */
  graph(members: readonly NodeId[], nowMs: number, patience = 1): ReachGraph {
    const fresh = new Set(members.filter((node) => this.isFresh(node, nowMs, patience)));
    return new ReachGraph(members, (a, b) => fresh.has(a) && fresh.has(b) && this.#names(a, b) && this.#names(b, a));
  }

  /** Who says, lately, that it does not hear the node. */
  missedBy(node: NodeId, nowMs: number): NodeId[] {
    return [...this.#rows]
      .filter(([other, { heard }]) => other !== node && !heard.has(node) && this.isFresh(other, nowMs))
      .map(([other]) => other);
  }

  /** As the last rows had it, however old: who was together with whom when they vanished. */
  formerGraph(nodes: readonly NodeId[]): ReachGraph {
    const lastMs = (node: NodeId): number => this.#rows.get(node)?.receivedMs ?? -Infinity;
    return new ReachGraph(nodes, (a, b) => this.#names(a, b) && this.#names(b, a) && Math.abs(lastMs(a) - lastMs(b)) <= this.pace.staleMs);
  }

  /** Pairs of which exactly one hears the other, by fresh rows. A row that was written before the other's loss could be known proves nothing yet. */
  oneWay(members: readonly NodeId[], nowMs: number, patience = 1): OneWay[] {
    const fresh = members.filter((node) => this.isFresh(node, nowMs, patience));
    return fresh.flatMap((hearing) =>
      fresh
        .filter((heard) => heard !== hearing && this.#names(hearing, heard) && !this.#names(heard, hearing))
        .filter((heard) => {
          const lostMs = this.#rows.get(heard)?.changedMs.get(hearing) ?? -Infinity;
          return (this.#rows.get(hearing)?.receivedMs ?? 0) >= lostMs + 2 * this.pace.hastyMs;
        })
        .map((heard) => ({ heard, hearing })),
    );
  }

  hasFlapping(nowMs: number): boolean {
    return [...this.#losses.values()].some((times) => times.length === flapLosses && nowMs - (times[0] ?? 0) <= flapWindowMs);
  }

  #names(node: NodeId, peer: NodeId): boolean {
    return this.#rows.get(node)?.heard.has(peer) === true;
  }

  #noteLoss(node: NodeId, peer: NodeId, nowMs: number): void {
    const edge = `${node} ${peer}`;
    this.#losses.set(edge, [...(this.#losses.get(edge) ?? []), nowMs].slice(-flapLosses));
  }

  #forgetLosses(which: (edge: readonly string[]) => boolean): void {
    for (const edge of this.#losses.keys()) if (which(edge.split(' '))) this.#losses.delete(edge);
  }
}
