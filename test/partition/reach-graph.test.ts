import { expect } from 'chai';
import * as fc from 'fast-check';
import { nodeId } from '../../src/core/ids.ts';
import { ReachGraph } from '../../src/partition/reach-graph.ts';
import { greedyCliques } from '../../src/partition/cliques.ts';
import { groups, nodes } from './support.ts';

const graphOf = (count: number, text: string): ReachGraph => new ReachGraph(nodes(count), groups(text));

describe('partition: the graph of who hears whom (4.1)', () => {
  it('finds components, cliques and stars', () => {
    const table = [
      ['1,2,3,4,5', 'n1n2n3n4n5', 'n1n2n3n4n5', [5, 5, 5, 5, 5]],
      ['1,2/3,4,5', 'n1n2 n3n4n5', 'n3n4n5 n1n2', [2, 2, 3, 3, 3]],
      ['1,2,3/3,4,5', 'n1n2n3n4n5', 'n1n2n3 n3n4n5', [3, 3, 5, 3, 3]],
      ['1,2/2,3/3,4/4,5', 'n1n2n3n4n5', 'n1n2 n2n3 n3n4 n4n5', [2, 3, 3, 3, 2]],
      ['1/2/3/4/5', 'n1 n2 n3 n4 n5', 'n1 n2 n3 n4 n5', [1, 1, 1, 1, 1]],
    ] as const;
    for (const [text, components, cliques, stars] of table) {
      const graph = graphOf(5, text);
      const show = (sets: readonly (readonly string[])[]): string => sets.map((set) => set.join('')).join(' ');
      expect(show(graph.components()), text).to.equal(components);
      expect(show(graph.cliques()), text).to.equal(cliques);
      expect(
        graph.nodes.map((node) => graph.star(node, graph.nodes)),
        text,
      ).to.deep.equal(stars);
    }
  });

  const anyGraph = fc
    .integer({ min: 1, max: 9 })
    .chain((count) => fc.tuple(fc.constant(count), fc.array(fc.boolean(), { minLength: 36, maxLength: 36 })));
  const build = ([count, edges]: readonly [number, boolean[]]): ReachGraph => {
    const all = nodes(count);
    return new ReachGraph(all, (a, b) => {
      const [i, j] = [all.indexOf(a), all.indexOf(b)].toSorted((x, y) => x - y) as [number, number];
      return edges[(j * (j - 1)) / 2 + i] === true;
    });
  };

  it('finds exactly the maximal cliques, as trying all sets does', () => {
    fc.assert(
      fc.property(anyGraph, (input) => {
        const graph = build(input);
        const { nodes: all } = graph;
        const isClique = (set: readonly string[]): boolean =>
          all.every((a) => all.every((b) => !set.includes(a) || !set.includes(b) || graph.isUp(a, b)));
        const sets = Array.from({ length: 2 ** all.length - 1 }, (_, bits) => all.filter((_node, i) => (((bits + 1) >> i) & 1) === 1));
        const cliques = sets.filter((set) => isClique(set) && all.every((extra) => set.includes(extra) || !isClique([...set, extra])));
        expect(graph.cliques().map((clique) => clique.join(' '))).to.have.members(cliques.map((clique) => clique.join(' ')));
      }),
      { numRuns: 200 },
    );
  });

  it('finds cliques greedily in larger graphs: true ones, maximal ones, and one for every node', () => {
    fc.assert(
      fc.property(anyGraph, (input) => {
        const graph = build(input);
        const isUp = (i: number, j: number): boolean => graph.isUp(nodeId(`n${i + 1}`), nodeId(`n${j + 1}`));
        const found = greedyCliques(graph.nodes.length, isUp);
        const exact = graph.cliques().map((clique) => clique.map((node) => graph.nodes.indexOf(node)).join());
        for (const clique of found) expect(exact).to.include(clique.join());
        expect(new Set(found.flat()).size).to.equal(graph.nodes.length);
      }),
      { numRuns: 200 },
    );
  });

  it('takes 60 nodes in two camps apart', () => {
    const all = nodes(60);
    const graph = new ReachGraph(all, (a, b) => all.indexOf(a) < 20 === all.indexOf(b) < 20);
    expect(graph.cliques().map(({ length }) => length)).to.deep.equal([40, 20]);
  });
});
