import { equalBytes } from '../core/bytes.ts';
import type { LogIndex, NodeId } from '../core/ids.ts';
import type { SignedHead } from '../wire/frames.ts';

/** Two heads that one node signed for one index: shows anyone who knows its key that it told two logs, or that its log was rewritten. */
export interface Equivocation {
  readonly node: NodeId;
  readonly index: LogIndex;
  readonly heads: readonly [SignedHead, SignedHead];
}

/** Heads of one node that are remembered: some seconds at speed, which is longer than peers take to pass on what differs. */
const maxRemembered = 64;
/** Nodes of which heads are remembered, and equivocations that are kept, the first of each node. */
const maxNodes = 128;

/** Remembers what others have signed of their logs, and notices who signs two of them. It is told only heads whose signatures are right. */
export class HeadWitness {
  readonly #heads = new Map<NodeId, SignedHead[]>();
  readonly #found = new Map<NodeId, Equivocation>();

  /** Of each node the first. */
  get equivocations(): readonly Equivocation[] {
    return [...this.#found.values()];
  }

  /** The very same was taken before: its signature need not be checked again. */
  knows({ node, index, chain, signature }: SignedHead): boolean {
    const isSame = (head: SignedHead): boolean =>
      head.index === index && equalBytes(head.chain, chain) && equalBytes(head.signature, signature);
    return this.#heads.get(node)?.some(isSame) ?? false;
  }

  /** The equivocation that it makes with an earlier one, if it is this node's first. */
  take(head: SignedHead): Equivocation | undefined {
    const { node, index, chain } = head;
    const heads = this.#headsOf(node);
    const other = heads.find((each) => each.index === index && !equalBytes(each.chain, chain));
    heads.push(head);
    if (heads.length > maxRemembered) heads.shift();
    if (other === undefined || this.#found.has(node) || this.#found.size >= maxNodes) return undefined;
    const found: Equivocation = { node, index, heads: [other, head] };
    this.#found.set(node, found);
    return found;
  }

  #headsOf(node: NodeId): SignedHead[] {
    const known = this.#heads.get(node);
    if (known !== undefined) return known;
    const [oldest] = this.#heads.keys();
    if (this.#heads.size >= maxNodes && oldest !== undefined) this.#heads.delete(oldest);
    const heads: SignedHead[] = [];
    this.#heads.set(node, heads);
    return heads;
  }
}
