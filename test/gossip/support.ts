import { type NodeId, nodeId } from '../../src/core/ids.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { SealedBatch } from '../../src/gossip/batch.ts';
import { type Dot, counterOf } from '../../src/gossip/dot.ts';
import type { Sibling } from '../../src/gossip/entry.ts';
import { Gossip, type GossipOptions, type Moment } from '../../src/gossip/gossip.ts';
import type { GossipMessage, OutgoingGossip } from '../../src/gossip/messages.ts';
import type { GossipVerdict, SpoofSuspected } from '../../src/gossip/ready.ts';
import { resolve } from '../../src/gossip/resolver.ts';
import { LightSeals } from '../../sim/gossip/light-seals.ts';

export const [n1, n2, n3, n4, n5] = ['n1', 'n2', 'n3', 'n4', 'n5'].map((name) => nodeId(name)) as [NodeId, NodeId, NodeId, NodeId, NodeId];

export const dot = (node: NodeId, number: number, boot = 1): Dot => ({ node, counter: counterOf(boot, number) });

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const sibling = (at: Dot, fields: Partial<Sibling> = {}): Sibling => ({
  dot: at,
  stamp: 1,
  generation: 1,
  role: 'owner',
  value: text(`${at.node}/${at.counter}`),
  ...fields,
});

const startUnixMs = 1_800_000_000_000;
export const at = (ms: number): Moment => ({ ms, unixMs: startUnixMs + ms });

/** Some nodes by hand: nothing moves unless the test says so. */
export class Circle {
  readonly seals = new LightSeals();
  readonly nodes = new Map<NodeId, Gossip>();
  readonly suspects: SpoofSuspected[] = [];
  nowMs = 0;

  constructor(members: readonly NodeId[], options: Partial<GossipOptions> = {}) {
    for (const self of members) this.start(self, members, { boot: 1, ...options });
  }

  get now(): Moment {
    return at(this.nowMs);
  }

  start(self: NodeId, members: readonly NodeId[], options: Partial<GossipOptions> & { readonly boot: number }): Gossip {
    const gossip = new Gossip({ self, sealer: this.seals.sealer(self), random: new SeededRandom(1), ...options }, this.now);
    gossip.setMembers(members, 1, this.now);
    this.nodes.set(self, gossip);
    return gossip;
  }

  node(node: NodeId): Gossip {
    const gossip = this.nodes.get(node);
    if (gossip === undefined) throw new Error(`there is no ${node}`);
    return gossip;
  }

  write(node: NodeId, key: string, value: string | undefined, generation = 1): void {
    this.node(node).write(key, value === undefined ? undefined : text(value), { generation, role: 'owner' }, this.now);
  }

  /** The node's batches after its next flush. */
  batches(node: NodeId): readonly SealedBatch[] {
    this.node(node).tick(this.now);
    this.nowMs += 10;
    this.node(node).tick(this.now);
    return this.#ready(node).batches;
  }

  /** The node's only message. */
  message(node: NodeId): OutgoingGossip {
    const [one, ...others] = this.messages(node);
    if (one === undefined || others.length > 0) throw new Error('there is not just one message');
    return one;
  }

  messages(node: NodeId): readonly OutgoingGossip[] {
    return this.#ready(node).messages;
  }

  step(to: NodeId, from: NodeId, message: GossipMessage): GossipVerdict {
    return this.node(to).step(from, message, this.now);
  }

  give(to: NodeId, from: NodeId, batches: readonly SealedBatch[]): GossipVerdict[] {
    return batches.map((batch) => this.step(to, from, { type: 'batch', batch }));
  }

  /** One round of anti-entropy between two, until neither has more to say. */
  meet(a: NodeId, b: NodeId): void {
    this.messages(a);
    this.messages(b);
    this.node(a).linkUp(b, this.now);
    for (let round = 0; round < 50; round++) {
      const said = [a, b].flatMap((from) => this.messages(from).map((outgoing) => ({ from, ...outgoing })));
      if (said.length === 0) return;
      for (const { from, to, message } of said) if (to === a || to === b) this.step(to, from, message);
    }
    throw new Error('they do not come to an end');
  }

  read(node: NodeId, key: string): string | undefined {
    const entry = this.node(node).get(key);
    const value = entry === undefined ? undefined : resolve(entry.siblings, this.now.unixMs)?.winner.value;
    return value === undefined ? undefined : new TextDecoder().decode(value);
  }

  values(node: NodeId, key: string): string[] {
    return (this.node(node).get(key)?.siblings ?? []).map(({ value }) => new TextDecoder().decode(value)).toSorted();
  }

  #ready(node: NodeId) {
    const ready = this.node(node).takeReady();
    this.suspects.push(...(ready?.suspects ?? []));
    return ready ?? { batches: [], messages: [] };
  }
}
