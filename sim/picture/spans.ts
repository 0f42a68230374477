import type { Mark } from './recording.ts';

/** What a node was over a stretch of time: up in a term (perhaps leading it), or down. */
export interface Span {
  readonly fromUs: number;
  readonly toUs: number;
  readonly state: 'up' | 'leader' | 'down';
  readonly term: number;
}

export interface Stretch {
  readonly fromUs: number;
  readonly toUs: number;
}

/** A stretch of time in which links are cut. */
export interface Partition extends Stretch {
  /** Nodes that still hear each other both ways, the largest group first. */
  readonly groups: readonly (readonly number[])[];
  /** Some link is cut in one direction only. */
  readonly isOneWay: boolean;
}

/** A node's life, without gaps, from 0 to the end. */
export function spansOf(marks: readonly Mark[], node: number, endUs: number): Span[] {
  const spans: Span[] = [];
  let current: Span = { fromUs: 0, toUs: endUs, state: 'down', term: 0 };
  const become = (atUs: number, state: Span['state'], term: number): void => {
    if (state === current.state && term === current.term) return;
    if (atUs > current.fromUs) spans.push({ ...current, toUs: atUs });
    current = { fromUs: atUs, toUs: endUs, state, term };
  };
  for (const { atUs, kind, x, node: of } of marks) {
    if (of !== node) continue;
    if (kind === 'start') become(atUs, 'up', current.term);
    else if (kind === 'crash') become(atUs, 'down', current.term);
    else if (kind === 'term') become(atUs, 'up', x);
    else if (kind === 'leader') become(atUs, 'leader', x);
  }
  if (endUs > current.fromUs) spans.push(current);
  return spans;
}

/** When a node was paused: until it resumed or crashed. */
export function pausesOf(marks: readonly Mark[], node: number, endUs: number): Stretch[] {
  const pauses: Stretch[] = [];
  let fromUs: number | undefined;
  for (const { atUs, kind, node: of } of marks) {
    if (of !== node) continue;
    if (kind === 'pause') fromUs ??= atUs;
    else if ((kind === 'resume' || kind === 'crash') && fromUs !== undefined) {
      pauses.push({ fromUs, toUs: atUs });
      fromUs = undefined;
    }
  }
  return fromUs === undefined ? pauses : [...pauses, { fromUs, toUs: endUs }];
}

/** The stretches with cut links. Cuts add up until they end, so a partition inside a partition starts a stretch of its own. */
export function partitionsOf(marks: readonly Mark[], nodes: number, endUs: number): Partition[] {
  const partitions: Partition[] = [];
  /** By link: how many faults cut it now. */
  const cuts = new Map<string, number>();
  let fromUs = 0;
  const close = (toUs: number): void => {
    const cut = new Set(cuts.keys());
    if (cut.size > 0 && toUs > fromUs) partitions.push({ fromUs, toUs, groups: groupsOf(cut, nodes), isOneWay: isOneWay(cut) });
    fromUs = toUs;
  };
  for (const { atUs, kind, node, x } of marks) {
    if (kind === 'heal') {
      close(atUs);
      cuts.clear();
    } else if (kind === 'cut' || kind === 'join') {
      const pair = `${node} ${x}`;
      const before = cuts.get(pair) ?? 0;
      const after = Math.max(0, before + (kind === 'cut' ? 1 : -1));
      if (before === 0 || after === 0) close(atUs);
      if (after === 0) cuts.delete(pair);
      else cuts.set(pair, after);
    }
  }
  close(endUs);
  return partitions;
}

const isOneWay = (cut: ReadonlySet<string>): boolean => [...cut].some((pair) => !cut.has(pair.split(' ').toReversed().join(' ')));

function groupsOf(cut: ReadonlySet<string>, nodes: number): number[][] {
  const groups: number[][] = [];
  const seen = new Set<number>();
  for (let first = 0; first < nodes; first++) {
    if (seen.has(first)) continue;
    seen.add(first);
    const group = [first];
    for (const a of group) {
      for (let b = 0; b < nodes; b++) {
        if (seen.has(b) || cut.has(`${a} ${b}`) || cut.has(`${b} ${a}`)) continue;
        seen.add(b);
        group.push(b);
      }
    }
    groups.push(group.toSorted((a, b) => a - b));
  }
  return groups.toSorted((a, b) => b.length - a.length);
}
