import type { NodeId } from '../core/ids.ts';
import { greedyCliques, maximalCliques } from './cliques.ts';

/** Nodes beyond which cliques are sought greedily: what fits a machine word is exact. */
const maxExact = 32;

/** Who hears whom both ways: an undirected graph of the members. */
export class ReachGraph {
  readonly nodes: readonly NodeId[];
  readonly #index: ReadonlyMap<NodeId, number>;
  /** Row by row; 1 where both hear each other. */
  readonly #up: Uint8Array;

  constructor(nodes: readonly NodeId[], isUp: (a: NodeId, b: NodeId) => boolean) {
    this.nodes = nodes;
    this.#index = new Map(nodes.map((node, i) => [node, i]));
    this.#up = new Uint8Array(nodes.length ** 2);
    for (const [i, a] of nodes.entries()) {
      for (const [j, b] of nodes.entries()) if (i === j || isUp(a, b)) this.#up[i * nodes.length + j] = 1;
    }
  }

  isUp(a: NodeId, b: NodeId): boolean {
    const [i, j] = [this.#index.get(a), this.#index.get(b)];
    return i !== undefined && j !== undefined && this.#isUp(i, j);
  }

  /** True when every pair hears each other. */
  get isComplete(): boolean {
    return this.#up.every((bit) => bit === 1);
  }

  neighbours(node: NodeId): NodeId[] {
    return this.nodes.filter((other) => other !== node && this.isUp(node, other));
  }

  /** How many of these nodes a leader would have with it: itself, if it is one of them, and those it hears both ways. */
  star(node: NodeId, among: readonly NodeId[]): number {
    return among.filter((other) => this.isUp(node, other)).length;
  }

  /** Sets of nodes that can reach each other, if only through others; in the order of `nodes`. */
  components(): NodeId[][] {
    const seen = new Set<NodeId>();
    return this.nodes.flatMap((node) => {
      if (seen.has(node)) return [];
      const component = this.componentOf(node);
      for (const member of component) seen.add(member);
      return [component];
    });
  }

  componentOf(node: NodeId): NodeId[] {
    const seen = new Set<NodeId>([node]);
    // A set can grow while it is walked: what is found is walked too.
    for (const reached of seen) for (const next of this.neighbours(reached)) seen.add(next);
    return this.nodes.filter((member) => seen.has(member));
  }

  /** Largest sets of nodes that all hear each other, by size. Above 32 nodes only some of them, of which the largest need not be the largest there is. */
  cliques(): NodeId[][] {
    const count = this.nodes.length;
    const isUp = (i: number, j: number): boolean => this.#isUp(i, j);
    const found = count <= maxExact ? maximalCliques(count, isUp) : greedyCliques(count, isUp);
    return found.map((clique) => this.nodes.filter((_, i) => clique.includes(i))).toSorted((a, b) => b.length - a.length);
  }

  #isUp(i: number, j: number): boolean {
    return this.#up[i * this.nodes.length + j] === 1;
  }
}
