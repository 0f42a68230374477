import { defined } from '../../src/core/assert.ts';
import type { NodeId } from '../../src/core/ids.ts';
import type { Dot } from '../../src/gossip/dot.ts';
import { type Entry, isTombstone } from '../../src/gossip/entry.ts';
import { gossipLimits } from '../../src/gossip/limits.ts';
import type { Gossip } from '../../src/gossip/gossip.ts';
import { hold } from '../violation.ts';

interface Written {
  readonly name: string;
  readonly writer: NodeId;
  readonly key: string;
  readonly value: string;
  /** What its writer saw and replaced, by name; the ancestors of these too. */
  readonly replaced: ReadonlySet<string>;
  /** Lives of nodes that held it. */
  readonly heldBy: Set<number>;
}

const nameOf = ({ node, counter }: Dot): string => `${node}/${counter}`;
const textOf = (value: Uint8Array | undefined): string => (value === undefined ? 'removed' : value.join(' '));

/** A key as it counts: its values, tombstones left out. */
const standing = (entry: Entry | undefined): string =>
  entry === undefined || isTombstone(entry)
    ? ''
    : entry.siblings
        .map(({ dot }) => nameOf(dot))
        .toSorted()
        .join(', ');

/** What must hold of gossip, by the causal history of all writes, which the checks keep on their own. */
export class GossipChecks {
  readonly #writes = new Map<string, Written>();
  /** The writes of each key by each node. */
  readonly #ownOf = new Map<string, string[]>();

  /** A node has written: `before` is what it held. */
  wrote(key: string, before: Entry | undefined, after: Entry): void {
    const { dot, value } = defined(after.siblings[0], 'a write is there');
    const name = nameOf(dot);
    hold(!this.#writes.has(name), 'dots-once', () => `${name} was used twice, for ${this.#writes.get(name)?.key} and ${key}`);
    const seen = (before?.siblings ?? []).map((sibling) => nameOf(sibling.dot));
    // A node's later write replaces its earlier ones though it was restarted and forgot them; what those had replaced it may not know of.
    const own = this.#ownOf.get(`${key} ${dot.node}`) ?? [];
    const replaced = new Set([...own, ...seen.flatMap((one) => [one, ...(this.#writes.get(one)?.replaced ?? [])])]);
    this.#ownOf.set(`${key} ${dot.node}`, [...own, name]);
    this.#writes.set(name, { name, writer: dot.node, key, value: textOf(value), replaced, heldBy: new Set() });
  }

  /** A node holds this of a key, after a change. */
  holds(node: string, life: number, key: string, entry: Entry | undefined): void {
    const siblings = entry?.siblings ?? [];
    hold(siblings.length <= gossipLimits.siblings, 'bounded', () => `${node} keeps ${siblings.length} values of ${key}`);
    const known = siblings.map(({ dot, value }) => {
      const written = this.#writes.get(nameOf(dot));
      const isGenuine = written !== undefined && written.key === key && written.value === textOf(value);
      hold(isGenuine, 'nobody-speaks-for-another', () => `${node} holds ${nameOf(dot)} of ${key}, which ${dot.node} did not write`);
      written.heldBy.add(life);
      return written;
    });
    for (const one of known) {
      const other = known.find(({ replaced }) => replaced.has(one.name));
      hold(other === undefined, 'no-sibling-explosion', () => `${node} holds ${one.name} of ${key} and ${other?.name}, which replaced it`);
    }
  }

  /** Where two nodes differ; `undefined` when all agree. */
  difference(nodes: readonly Gossip[], keys: readonly string[]): string | undefined {
    const [first, ...others] = nodes;
    for (const key of keys) {
      const values = standing(first?.get(key));
      const other = others.find((node) => standing(node.get(key)) !== values);
      if (other !== undefined) return `${key} is ${values || 'removed'} here and ${standing(other.get(key)) || 'removed'} there`;
    }
    return undefined;
  }

  /** All agree and nothing more is to come. @param lives of the nodes that are still running. */
  end(node: Gossip, lives: ReadonlySet<number>): void {
    const held = [...this.#writes.values()].filter(({ heldBy }) => [...heldBy].some((life) => lives.has(life)));
    for (const { name, writer, key, value } of held) {
      const isThere = node.get(key)?.siblings.some(({ dot }) => nameOf(dot) === name) === true;
      const later = held.find(({ replaced }) => replaced.has(name));
      // A later write of the same node may be covered by what came, though nobody holds it any more.
      const isOld = later !== undefined || [...this.#writes.values()].some((one) => one.writer === writer && one.replaced.has(name));
      const isLost = !isThere && !isOld && value !== 'removed';
      hold(!isLost, 'no-lost-update', () => `${name} of ${key} is gone, and nothing has replaced it`);
      hold(!isThere || later === undefined, 'no-revival', () => `${name} of ${key} is back, which ${later?.name} had replaced`);
    }
  }
}
