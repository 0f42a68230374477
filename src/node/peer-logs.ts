import type { LogIndex, NodeId } from '../core/ids.ts';
import { majority } from '../core/quorum.ts';
import type { Configuration } from '../raft/messages.ts';
import { jointReached } from '../raft/quorum.ts';
import type { SignedHead } from '../wire/frames.ts';

/** A peer's head that is not this node's. */
export interface Difference {
  readonly head: SignedHead;
  /** This node's chain there; undefined when no entry of its log ends at that index. */
  readonly own: Uint8Array | undefined;
}

/**
 * Whose log is not the cluster's. `peers`: a majority agrees with this node, so it is those that differ. `self`: a majority differs from this node. `unclear`: neither
 * is known yet, or there is no majority that agrees.
 */
export type Odd = 'self' | 'peers' | 'unclear';

interface PeerLog {
  /** The newest index at which its log was found equal to this node's; 0 while it differs. */
  agreedTo: LogIndex;
  /** The earliest that is known. */
  difference: Difference | undefined;
  isOdd: boolean;
}

/** Which peers have this node's log, and which another one, by their own words. A peer's latest word counts: logs are rewritten, and put right. */
export class PeerLogs {
  readonly #self: NodeId;
  readonly #peers = new Map<NodeId, PeerLog>();
  #isInDoubt = false;

  constructor(self: NodeId) {
    this.#self = self;
  }

  /** What is known of each peer that differs. */
  get differences(): readonly Difference[] {
    return [...this.#peers.values()].flatMap(({ difference }) => difference ?? []);
  }

  /** Peers that had this node's log when they were last compared. */
  get agreeing(): readonly NodeId[] {
    return [...this.#peers].flatMap(([id, { agreedTo }]) => (agreedTo > 0 ? [id] : []));
  }

  /**
   * As last judged: some peer has another log, and that a majority agrees with this node was never seen while it had; or so many have that no majority can agree. A
   * peer that was found odd casts no doubt alone any more: a liar must not be able to stop what hangs on this for more than a moment.
   */
  get isInDoubt(): boolean {
    return this.#isInDoubt;
  }

  /** The peer's log is this node's up to the index. */
  agrees(peer: NodeId, index: LogIndex): void {
    const log = this.#of(peer);
    // Before the first difference all logs are equal.
    if (log.difference !== undefined && index < log.difference.head.index) return;
    log.difference = undefined;
    log.agreedTo = Math.max(log.agreedTo, index);
  }

  /** The peer's log is another one. */
  differs(difference: Difference): void {
    const { node, index } = difference.head;
    const log = this.#of(node);
    log.agreedTo = 0;
    if (log.difference === undefined || index < log.difference.head.index) log.difference = difference;
  }

  /** Who is no member any more is of no account. */
  keepOnly(members: readonly NodeId[]): void {
    for (const peer of this.#peers.keys()) if (!members.includes(peer)) this.#peers.delete(peer);
  }

  /** Finds out who stands alone. */
  judge(configuration: Configuration): Odd {
    const reached = jointReached(configuration, (id) =>
      id === this.#self ? Number.MAX_SAFE_INTEGER : (this.#peers.get(id)?.agreedTo ?? 0),
    );
    const logs = [...this.#peers.values()].filter(({ difference }) => difference !== undefined);
    for (const log of logs) if (log.difference !== undefined && log.difference.head.index <= reached) log.isOdd = true;
    const { voters } = configuration;
    const differing = voters.filter((id) => this.#peers.get(id)?.difference !== undefined).length;
    const canBeRight = voters.length - differing >= majority(voters.length);
    this.#isInDoubt = !canBeRight || logs.some(({ isOdd }) => !isOdd);
    if (!this.#isInDoubt) return 'peers';
    return differing >= majority(voters.length) ? 'self' : 'unclear';
  }

  #of(peer: NodeId): PeerLog {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const log: PeerLog = { agreedTo: 0, difference: undefined, isOdd: false };
    this.#peers.set(peer, log);
    return log;
  }
}
