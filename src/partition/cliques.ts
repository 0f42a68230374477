import { assert } from '../core/assert.ts';

type Adjacent = (i: number, j: number) => boolean;

/** All maximal cliques of a graph of at most 32 vertices (Bron & Kerbosch 1973, with the pivot of Tomita et al. 2006); sets are bits of a word. */
export function maximalCliques(count: number, isAdjacent: Adjacent): number[][] {
  assert(count <= 32, 'a word has 32 bits');
  const vertices = Array.from({ length: count }, (_, i) => i);
  const neighbours = vertices.map((i) => vertices.reduce((bits, j) => (i !== j && isAdjacent(i, j) ? bits | (1 << j) : bits), 0));
  const found: number[][] = [];
  const extend = (clique: number, candidates: number, excluded: number): void => {
    if (candidates === 0 && excluded === 0) {
      found.push(vertices.filter((i) => (clique & (1 << i)) !== 0));
      return;
    }
    const pivot = vertices
      .filter((i) => ((candidates | excluded) & (1 << i)) !== 0)
      .reduce((best, i) => (bitCount(candidates & (neighbours[i] ?? 0)) > bitCount(candidates & (neighbours[best] ?? 0)) ? i : best));
    let [open, tried] = [candidates, excluded];
    for (const i of vertices) {
      const bit = 1 << i;
      if ((candidates & ~(neighbours[pivot] ?? 0) & bit) === 0) continue;
      extend(clique | bit, open & (neighbours[i] ?? 0), tried & (neighbours[i] ?? 0));
      open &= ~bit;
      tried |= bit;
    }
  };
  extend(
    0,
    vertices.reduce((bits, i) => bits | (1 << i), 0),
    0,
  );
  return found;
}

/** For each vertex a clique that holds it, grown from it by the best connected vertices; the same clique once. */
export function greedyCliques(count: number, isAdjacent: Adjacent): number[][] {
  const vertices = Array.from({ length: count }, (_, i) => i);
  const degree = vertices.map((i) => vertices.filter((j) => j !== i && isAdjacent(i, j)).length);
  const byDegree = vertices.toSorted((a, b) => (degree[b] ?? 0) - (degree[a] ?? 0) || a - b);
  const found = new Map<string, number[]>();
  for (const start of vertices) {
    const clique = [start];
    for (const i of byDegree) if (i !== start && clique.every((j) => isAdjacent(i, j))) clique.push(i);
    const sorted = clique.toSorted((a, b) => a - b);
    found.set(sorted.join(), sorted);
  }
  return [...found.values()];
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
