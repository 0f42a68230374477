export const faultKinds = ['complete', 'partial', 'one-way', 'bridge', 'kill', 'pause'] as const;
export type FaultKind = (typeof faultKinds)[number];

/** A drawn whole number from 0 and less than the bound. */
type Below = (bound: number) => number;

interface Span {
  /** From the beginning of the round. */
  readonly atMs: number;
  readonly forMs: number;
}

/** Some links, as `dev partition` takes them; one such fault at a time. */
export interface LinkFault extends Span {
  readonly kind: 'complete' | 'partial' | 'one-way' | 'bridge';
  readonly links: string;
}

/** Nodes, by their numbers from 1, that are killed and started again, or stand still. */
export interface NodeFault extends Span {
  readonly kind: 'kill' | 'pause';
  readonly nodes: readonly number[];
}

/** Faults of links follow each other, and so do those of nodes; the two kinds may overlap. */
export interface Round {
  readonly links: readonly LinkFault[];
  readonly nodes: readonly NodeFault[];
}

/** A split that is held so long is seen by everyone: rows come four times a second, and a class has to stand for 300 ms. */
const leastSplitMs = 2000;

/**
 * The faults of one round, drawn. What goes wrong goes wrong around a change of leaders, so half of the faults are aimed at `leader`: the same seed gives the same
 * faults but for who leads.
 */
export function drawRound(below: Below, count: number, leader: number): Round {
  const draw = (from: number, to: number): number => from + below(to - from + 1);
  const links: LinkFault[] = [];
  const shapes = draw(0, 3);
  // Links that change three times in ten seconds are held for flapping: sometimes they shall be, and sometimes not.
  const calmMs = draw(0, 1) === 0 ? 0 : draw(4000, 8000);
  for (let atMs = calmMs + draw(0, 500); links.length < (shapes === 3 ? 2 : Math.min(shapes, 1)); ) {
    const forMs = draw(leastSplitMs, 8000);
    links.push({ ...drawLinks(below, order(below, count, leader)), atMs, forMs });
    // Soon enough, at times, to come in the middle of the heal.
    atMs += forMs + draw(50, 3000);
  }
  const nodes: NodeFault[] = [];
  if (links.length === 0 || draw(0, 1) === 1) {
    const kind = draw(0, 1) === 0 ? 'kill' : 'pause';
    const who = order(below, count, leader).slice(0, [1, 1, 1, 1, 2, 2, 2, Math.ceil(count / 2), count][draw(0, 8)]);
    nodes.push({ kind, nodes: who.toSorted((a, b) => a - b), atMs: calmMs + draw(0, 6000), forMs: draw(500, 6000) });
  }
  return { links, nodes };
}

/** The nodes in a drawn order, every other time with the leader at its head. */
function order(below: Below, count: number, leader: number): number[] {
  const left = Array.from({ length: count }, (_, i) => i + 1);
  const drawn: number[] = [];
  while (left.length > 0) drawn.push(...left.splice(below(left.length), 1));
  return below(2) === 0 ? drawn : [leader, ...drawn.filter((node) => node !== leader)];
}

function drawLinks(below: Below, nodes: readonly number[]): Pick<LinkFault, 'kind' | 'links'> {
  const few = 1 + below(Math.floor(nodes.length / 2));
  const [first = 1] = nodes;
  const group = (members: readonly number[]): string => members.toSorted((a, b) => a - b).join(',');
  const [near, far] = [nodes.slice(0, few), nodes.slice(few)];
  switch (below(7)) {
    case 0:
      return { kind: 'complete', links: nodes.map(String).join('/') };
    case 1:
    case 2:
      return { kind: 'complete', links: `${group(near)}/${group(far)}` };
    case 3:
      // One pair alone does not hear each other.
      return { kind: 'partial', links: `${group(nodes.slice(1))}/${group([first, ...nodes.slice(2)])}` };
    case 4:
      return { kind: 'one-way', links: `${group(near)}>${group(far)}` };
    case 5:
      return { kind: 'one-way', links: `${group(far)}>${group(near)}` };
    default:
      return { kind: 'bridge', links: `${group([first, ...nodes.slice(1, few + 1)])}/${group([first, ...nodes.slice(few + 1)])}` };
  }
}
