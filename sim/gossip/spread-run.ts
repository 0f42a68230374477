import { defined } from '../../src/core/assert.ts';
import { emptyBytes } from '../../src/core/bytes.ts';
import { type NodeId, nodeId } from '../../src/core/ids.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { GossipMessage } from '../../src/gossip/messages.ts';
import { EventQueue } from '../event-queue.ts';
import { type GossipListener, GossipProcess } from './gossip-process.ts';
import { LightSeals } from './light-seals.ts';

export interface SpreadOptions {
  readonly seed: number;
  readonly n: number;
  /** Percent of messages. */
  readonly loss: number;
  readonly updates: number;
}

/** Times in virtual milliseconds. */
export interface SpreadFigures {
  readonly nodes: number;
  readonly updates: number;
  /** From a write to its being at one other node. */
  readonly reachedP50Ms: number;
  readonly reachedP99Ms: number;
  /** From a write to its being at 99 % of the nodes, at the median. */
  readonly mostP50Ms: number;
  /** To its being at all of them, at the median and at worst. */
  readonly allP50Ms: number;
  readonly allMaxMs: number;
  /** Updates that were everywhere within two rounds of anti-entropy. */
  readonly inTwoRounds: number;
  readonly messagesPerUpdate: number;
}

/** Links of each node: a cluster of more is not fully meshed. */
const maxLinks = 32;
const pauseMs = 500;
const twoRoundsMs = 2 * 250 * 1.2;

/** How fast updates spread over links of a millisecond: many nodes, one update at a time. */
export function runSpread({ seed, n, loss, updates }: SpreadOptions): SpreadFigures {
  const queue = new EventQueue();
  const random = new SeededRandom(seed);
  const ids = Array.from({ length: n }, (_, i) => nodeId(`n${i + 1}`));
  const arrivals = new Map<string, number[]>();
  const seals = new LightSeals();
  let batches = 0;
  const processes = new Map<NodeId, GossipProcess>();
  const listener: GossipListener = {
    send(from: NodeId, to: NodeId, message: GossipMessage, hops: number): void {
      if (message.type === 'batch') batches++;
      if (random.below(100) < loss) return;
      queue.after(500 + random.below(1500), () => processes.get(to)?.receive(from, message, hops));
    },
    changed: (_process, key) => void arrivals.get(key)?.push(queue.nowUs / 1000),
    suspected: () => {},
  };
  for (const id of ids) {
    const parts = { id, members: ids, queue, random, sealer: seals.sealer(id), mayWrite: () => true, clockOffsetMs: 0, listener };
    processes.set(id, new GossipProcess(parts));
  }
  const all = [...processes.values()];
  for (const process of all) process.start();
  for (const [i, process] of all.entries())
    for (const peer of linksOf(i, ids, random)) link(process, defined(processes.get(peer), 'a peer'));
  const runUntil = (ms: number): void => {
    while (queue.step(ms * 1000));
  };
  // What the links said when they came up is over by then.
  runUntil(3000);
  batches = 0;
  const written: { readonly key: string; readonly atMs: number }[] = [];
  for (let update = 0; update < updates; update++) {
    const [key, atMs] = [`u${update}`, 3000 + update * pauseMs];
    arrivals.set(key, []);
    const writer = defined(all[random.below(n)], 'someone writes');
    queue.after(atMs * 1000 - queue.nowUs, () => {
      writer.gossip?.write(key, emptyBytes, { generation: 1, role: 'owner' }, writer.now);
      writer.pump();
    });
    // The wait for the flush is part of it.
    written.push({ key, atMs });
  }
  runUntil(3000 + updates * pauseMs + 10_000);
  return figuresOf(
    n,
    written.map(({ key, atMs }) => (arrivals.get(key) ?? []).slice(1).map((ms) => ms - atMs)),
    batches / updates,
  );
}

function linksOf(self: number, ids: readonly NodeId[], random: SeededRandom): Iterable<NodeId> {
  if (ids.length <= 2 * maxLinks) return ids.slice(self + 1);
  // Each links to half as many, and as many link to it.
  return new Set(
    Array.from({ length: maxLinks / 2 }, () => defined(ids[(self + 1 + random.below(ids.length - 1)) % ids.length], 'a node')),
  );
}

function link(a: GossipProcess, b: GossipProcess): void {
  a.linkUp(b.id);
  b.linkUp(a.id);
}

function figuresOf(n: number, spreads: readonly (readonly number[])[], messagesPerUpdate: number): SpreadFigures {
  const at = (values: readonly number[], part: number): number =>
    values.toSorted((a, b) => a - b)[Math.ceil(part * values.length) - 1] ?? Number.NaN;
  const whole = spreads.map((times) => (times.length === n - 1 ? at(times, 1) : Number.POSITIVE_INFINITY));
  const reached = spreads.flat();
  const round = (ms: number): number => Math.round(ms * 10) / 10;
  return {
    nodes: n,
    updates: spreads.length,
    reachedP50Ms: round(at(reached, 0.5)),
    reachedP99Ms: round(at(reached, 0.99)),
    mostP50Ms: round(
      at(
        spreads.map((times) => times.toSorted((a, b) => a - b)[Math.ceil(0.99 * n) - 2] ?? Number.POSITIVE_INFINITY),
        0.5,
      ),
    ),
    allP50Ms: round(at(whole, 0.5)),
    allMaxMs: round(at(whole, 1)),
    inTwoRounds: whole.filter((ms) => ms <= twoRoundsMs).length,
    messagesPerUpdate: Math.round(messagesPerUpdate),
  };
}
