import { SeededRandom } from '../src/core/random.ts';
import { type Action, maxNodes, type Plan, type Step, type Target } from './plan.ts';

/** A kind of fault with the mean time between two of them and the range of how long one lasts. */
interface FaultKind {
  readonly everyMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly draw: () => Action;
}

/** Which faults a seed has, and how often, is drawn once (swarm testing, Groce et al. 2012), so that each run tries a mixture of its own. */
export function drawPlan(seed: number, founders: number, faultyMs: number): Plan {
  const random = new SeededRandom(seed);
  const below = (bound: number): number => random.below(bound);
  const nodes = Math.min(maxNodes, founders + (below(2) === 0 ? 0 : below(3)));
  const sometimes = <T>(value: T, otherwise: T): T => (below(2) === 0 ? value : otherwise);
  /** A mean between a few hundred milliseconds and ten seconds, on a logarithmic scale: some seeds never come to rest. */
  const often = (minMs: number): number => Math.round(minMs * 2 ** (below(50) / 10));
  // The production store takes longer to simulate than its twin.
  const storage = below(4) === 0 ? 'level' : 'memory';
  const kinds = faultKinds(random, nodes, often).filter(() => below(3) === 0);
  const steps: Step[] = [];
  for (const { everyMs, minMs, maxMs, draw } of kinds) {
    for (let atMs = below(everyMs * 2); atMs < faultyMs; atMs += Math.round(everyMs / 2) + below(everyMs)) {
      steps.push({ atMs, forMs: minMs + below(maxMs - minMs), action: draw() });
    }
  }
  return {
    title: `drawn from seed ${seed}`,
    nodes,
    founders,
    faultyMs,
    network: {
      minDelayUs: 100 + below(1000),
      maxDelayUs: 2000 + below(sometimes(3000, 40_000)),
      lossChance: sometimes(0, below(1000)),
      duplicateChance: sometimes(0, below(500)),
      tailChance: sometimes(0, below(100)),
    },
    disk: { minWriteUs: 50, maxWriteUs: 200 + below(sometimes(1000, 50_000)) },
    storage,
    clients: { writers: 1 + below(5), readers: 1 + below(2), agents: 2 + below(3), deciders: 0 },
    snapshotBytes: 1000 * 2 ** below(5),
    appendBytes: sometimes(1_000_000, 1 + below(400)),
    mixed: below(4) === 0,
    reads: below(4) === 0 ? 'lease' : 'safe',
    steps: steps.toSorted((a, b) => a.atMs - b.atMs),
  };
}

function faultKinds(random: SeededRandom, nodes: number, often: (minMs: number) => number): FaultKind[] {
  const below = (bound: number): number => random.below(bound);
  const anyNode = (): Target => below(nodes);
  /** A leader is the better half of all targets: what goes wrong, goes wrong around a change of leaders. */
  const one = (): Target => (below(2) === 0 ? 'leader' : anyNode());
  const sides = (): Target[][] => {
    const first = Array.from({ length: nodes }, (_, node) => node).filter(() => below(2) === 0);
    return [first.length === 0 ? ['leader'] : first, ['others']];
  };
  const pair = (): Target[][] => {
    const from = one();
    const to = anyNode();
    return [[from], [from === to ? 'others' : to]];
  };
  /** Three voters or five of all nodes, or one. */
  const voters = (): Target[] => {
    const size = Math.min(nodes, [1, 3, 3, 3, 5, 5, 2, 4][below(8)] ?? 3);
    const all = Array.from({ length: nodes }, (_, node) => node);
    while (all.length > size) all.splice(below(all.length), 1);
    return all;
  };
  const kind = (everyMs: number, minMs: number, maxMs: number, draw: () => Action): FaultKind => ({ everyMs, minMs, maxMs, draw });
  return [
    kind(often(600), 10, 3000, () => ({ kind: 'crash', who: [below(12) === 0 ? 'all' : anyNode()] })),
    // Short lives of leaders: entries that reached some followers and were not committed pile up (Raft figure 8).
    kind(often(400), 10, 2000, () => ({ kind: 'crash', who: ['leader'] })),
    kind(often(600), 200, 4000, () => ({ kind: 'split', groups: sides() })),
    kind(often(500), 200, 3000, () => ({
      kind: 'split',
      groups: [['leader', ...(below(2) === 0 && nodes > 3 ? ['follower' as const] : [])], ['others']],
    })),
    kind(often(600), 200, 4000, () => ({ kind: 'cut', groups: pair() })),
    kind(often(800), 200, 4000, () => ({ kind: 'clog', groups: pair() })),
    kind(often(2000), 500, 4000, () => ({ kind: 'bridge', groups: [[0], [1], ['others']] })),
    kind(often(2000), 200, 3000, () => ({ kind: 'shatter' })),
    kind(often(4000), 2000, 10_000, () => ({ kind: 'ambush', frames: below(8 * nodes) })),
    kind(often(1500), 0, 1, () => ({ kind: 'members', who: voters() })),
    kind(often(1000), 0, 1, () => ({ kind: 'transfer', who: [anyNode(), anyNode()] })),
    kind(often(4000), 500, 4000, () => ({ kind: 'skew', who: [anyNode()] })),
    kind(often(1000), 100, 5000, () => ({ kind: 'pause', who: [one()] })),
    kind(often(1500), 10, 3000, () => ({ kind: 'fail', who: [one()] })),
    kind(often(2000), 10, 3000, () => ({ kind: 'lose', who: [one()] })),
    kind(often(2000), 10, 3000, () => ({ kind: 'flip', who: [one()] })),
    kind(often(1000), 500, 4000, () => ({ kind: 'slow', who: [one()], ms: 5 + below(400) })),
    kind(often(2000), 0, 1, () => ({ kind: 'clock', who: [anyNode()], ms: below(20_000) - 10_000 })),
    kind(often(2000), 1000, 8000, () => ({ kind: 'drift', who: [anyNode()], percent: below(40) - 20 })),
  ];
}
