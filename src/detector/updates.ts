import type { NodeId } from '../core/ids.ts';
import { maxUpdates, type Update } from './messages.ts';

/**
 * The news that messages carry, each told a few times (SWIM, section 4.1): those told least go first, and new news of a node takes the place of the old. At most one
 * for each node.
 */
export class Updates {
  readonly #waiting = new Map<NodeId, { readonly update: Update; told: number }>();

  add(update: Update): void {
    this.#waiting.set(update.node, { update, told: 0 });
  }

  /** For one message to `to`: what concerns that node itself always goes first, so that it can refute. */
  take(to: NodeId, timesEach: number): readonly Update[] {
    const chosen = [...this.#waiting.values()]
      .toSorted((a, b) => Number(b.update.node === to) - Number(a.update.node === to) || a.told - b.told)
      .slice(0, maxUpdates);
    for (const item of chosen) if (++item.told >= timesEach) this.#waiting.delete(item.update.node);
    return chosen.map(({ update }) => update);
  }

  forget(node: NodeId): void {
    this.#waiting.delete(node);
  }
}
