import type { NodeId } from '../core/ids.ts';
import type { Random } from '../core/random.ts';

/** Up to `count` of the items, chosen by chance, each at most once. */
export function sample<T>(items: readonly T[], count: number, random: Random): T[] {
  const rest = [...items];
  const chosen: T[] = [];
  while (chosen.length < count && rest.length > 0) chosen.push(...rest.splice(random.below(rest.length), 1));
  return chosen;
}

/** Probes that this node makes for others, until they are answered or forgotten. */
interface Errand {
  readonly asker: NodeId;
  readonly nonce: number;
  readonly askedMs: number;
}

/** Errands at a time; the oldest is forgotten for a new one, which costs its asker one indirect probe of three. */
const maxErrands = 1024;

/** What this node asks of a peer because another node asked it to. */
export class Errands {
  readonly #open = new Map<number, Errand>();

  add(nonce: number, errand: Errand): void {
    const [oldest] = this.#open.keys();
    if (this.#open.size === maxErrands && oldest !== undefined) this.#open.delete(oldest);
    this.#open.set(nonce, errand);
  }

  /** The errand that this answer ends. */
  take(nonce: number): Errand | undefined {
    const errand = this.#open.get(nonce);
    this.#open.delete(nonce);
    return errand;
  }

  /** Those asked at or before `untilMs` and not answered. */
  takeOld(untilMs: number): readonly Errand[] {
    const old: Errand[] = [];
    for (const [nonce, errand] of this.#open) {
      if (errand.askedMs > untilMs) break;
      this.#open.delete(nonce);
      old.push(errand);
    }
    return old;
  }
}
