import { directMembers } from '../core/direct-members.ts';
import type { NodeId } from '../core/ids.ts';
import type { Random } from '../core/random.ts';

/** How a batch spreads by direct links. */
export interface SpreadSettings {
  /** To how many peers each node that has it new hands it on. */
  readonly fanout: number;
  /** Over how many links it goes at most. */
  readonly ttl: number;
}

/** What was chosen instead of what is computed. */
export type ChosenSpread = { readonly [Setting in keyof SpreadSettings]?: number | undefined };

/**
 * Computed for `n` members. Few are told directly: a gossip network brings a batch several times to each, which costs all of them more than it saves the one that
 * writes. For more, a fanout of ln n + c reaches all with a probability that grows with c (Kermarrec et al. 2003); the time to live is what that fanout
 * takes to reach everybody, and three more for the last ones.
 */
export function spreadFor(n: number): SpreadSettings {
  if (n <= directMembers) return { fanout: Math.max(1, n - 1), ttl: 1 };
  const fanout = Math.max(3, Math.ceil(Math.log(n)) + 3);
  return { fanout, ttl: Math.ceil(Math.log(n) / Math.log(fanout)) + 3 };
}

/** To whom a batch goes from here: `fanout` of the peers by chance, but not back to those who have it. */
export function targetsOf(peers: readonly NodeId[], { fanout }: SpreadSettings, random: Random, except: readonly NodeId[]): NodeId[] {
  const candidates = peers.filter((peer) => !except.includes(peer));
  const chosen: NodeId[] = [];
  while (chosen.length < fanout && candidates.length > 0) {
    const at = random.below(candidates.length);
    const [drawn] = candidates.splice(at, 1);
    if (drawn !== undefined) chosen.push(drawn);
  }
  return chosen;
}

/** The carrier by direct links: hands batches to some peers, and on from there (rumour mongering, Demers et al. 1987). Pure: it says to whom, not how. */
export class Mesh {
  readonly #random: Random;
  readonly #chosen: ChosenSpread;
  readonly #peers = new Set<NodeId>();
  #settings: SpreadSettings = spreadFor(1);

  constructor(random: Random, chosen: ChosenSpread = {}) {
    this.#random = random;
    this.#chosen = chosen;
  }

  setMembers(count: number): void {
    const { fanout, ttl } = spreadFor(count);
    this.#settings = { fanout: this.#chosen.fanout ?? fanout, ttl: this.#chosen.ttl ?? ttl };
  }

  linkUp(peer: NodeId): void {
    this.#peers.add(peer);
  }

  linkDown(peer: NodeId): void {
    this.#peers.delete(peer);
  }

  /** For an own batch, which will have come over one link. */
  publish(): NodeId[] {
    return targetsOf([...this.#peers], this.#settings, this.#random, []);
  }

  /** For a batch that was taken; none when it has come far enough. @param hops links that it has come over. */
  relay(from: NodeId, origin: NodeId, hops: number): NodeId[] {
    return hops < this.#settings.ttl ? targetsOf([...this.#peers], this.#settings, this.#random, [from, origin]) : [];
  }
}
