import type { NodeId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { isPeerId } from '../transport/identity.ts';
import type { PeerTransport, TransportMember } from '../transport/libp2p-transport.ts';
import { AddressBook, type OwnView } from './address-book.ts';
import type { Genesis, MemberInfo, MemberStatus, Roster } from './genesis.ts';
import type { Replica } from './replica.ts';

export interface PeersPorts {
  readonly genesis: Genesis;
  /** What was kept before the last stop, or told to a node that joined. */
  readonly roster: Roster | undefined;
  readonly replica: Replica;
  /** How long who has left keeps its link. */
  readonly farewellMs: number;
  /** To be kept, durably, for the next start. */
  readonly onRoster: (roster: Roster) => void;
  readonly logger: Logger;
}

/**
 * Whom a running node talks with. It follows who is a member, as its own log and others say: links are opened and closed, the roster is kept for the next start,
 * and a node that is no member any more is told so.
 */
export class Peers {
  readonly #ports: PeersPorts;
  readonly #book: AddressBook;
  #transport: PeerTransport | undefined;
  #linked: readonly TransportMember[] = [];
  /** The roster that was last given to be kept, as text; its index left out. */
  #kept: string;
  #isRemoved = false;
  readonly #removalListeners: (() => void)[] = [];
  #farewell: NodeJS.Timeout | undefined;

  constructor(ports: PeersPorts) {
    const { genesis, roster = foundersOf(genesis) } = ports;
    this.#ports = ports;
    this.#book = new AddressBook(genesis.members, ports.roster);
    this.#kept = JSON.stringify(roster.members);
  }

  /** This node was a member and is none any more. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Calls `listener` when this node finds that it was removed, before it fails what waits for it. */
  onRemoved(listener: () => void): void {
    this.#removalListeners.push(listener);
  }

  /** From now on the links are those that the members need. */
  connect(transport: PeerTransport): void {
    this.#transport = transport;
    this.#linked = this.dialable();
    this.follow();
  }

  stop(): void {
    clearTimeout(this.#farewell);
  }

  /** The latest word on who is a member. */
  members(): readonly MemberStatus[] {
    return this.#roster().members;
  }

  /** Undefined for a node that this one has never heard of. */
  infoOf(node: NodeId): MemberInfo | undefined {
    return this.#book.get(node, this.#ports.replica.state.members);
  }

  nameOf(node: NodeId): string | undefined {
    return this.infoOf(node)?.name;
  }

  /** Every node that this one has heard of but itself: whom to ask when no leader is heard. */
  known(): readonly MemberInfo[] {
    return [...this.#all().values()].filter(({ nodeId }) => nodeId !== this.#ports.replica.id);
  }

  /** The others, and where they listen. */
  dialable(): readonly TransportMember[] {
    // A record that names no key can be nobody's: it is passed over rather than handed to the transport.
    const peers = this.#book.peers(this.#ports.replica.id, this.#ownView()).filter((member) => isPeerId(member.nodeId));
    return peers.map(({ nodeId, peer }) => ({ nodeId, ...address(peer) }));
  }

  /** What another member says of the members. Heeded when it is later than what this node knows: it was away while they changed. */
  tell(roster: Roster): void {
    if (roster.index > this.#ports.replica.appliedIndex && this.#book.tell(roster)) this.follow();
  }

  /** Who is a member, or where, may have changed. */
  follow(): void {
    const roster = this.#roster();
    this.#followRemoval(roster);
    const text = JSON.stringify(roster.members);
    if (text !== this.#kept) {
      this.#kept = text;
      this.#ports.onRoster(roster);
    }
    this.#followLinks();
  }

  #followRemoval({ members }: Roster): void {
    const { replica, logger } = this.#ports;
    const { id } = replica;
    const isRemoved = members.every(({ nodeId }) => nodeId !== id);
    if (isRemoved === this.#isRemoved) return;
    this.#isRemoved = isRemoved;
    if (isRemoved) for (const listener of this.#removalListeners) listener();
    replica.requests.setRemoved(isRemoved);
    if (isRemoved) logger.warn({ id }, 'this node was removed from the cluster: stop it');
    else logger.info({ id }, 'this node is a member again');
  }

  /** Newcomers are met at once. Who has left keeps its link for a moment: the answer to its own removal may be on the way. */
  #followLinks(): void {
    const transport = this.#transport;
    if (transport === undefined) return;
    const peers = this.dialable();
    const leaving = this.#linked.filter(({ nodeId }) => peers.every((peer) => peer.nodeId !== nodeId));
    this.#linked = [...peers, ...leaving];
    transport.setMembers(this.#linked);
    clearTimeout(this.#farewell);
    this.#farewell = setTimeout(() => {
      this.#linked = this.dialable();
      transport.setMembers(this.#linked);
    }, this.#ports.farewellMs);
  }

  #all(): ReadonlyMap<NodeId, MemberInfo> {
    return this.#book.all(this.#ports.replica.state.members);
  }

  #roster(): Roster {
    return this.#book.roster(this.#ownView());
  }

  #ownView(): OwnView {
    const { raft, state, appliedIndex } = this.#ports.replica;
    return { index: appliedIndex, configuration: raft.configuration, table: state.members };
  }
}

/** The members at the founding. */
const foundersOf = ({ members }: Genesis): Roster => ({ index: 0, members: members.map((member) => ({ ...member, voter: true })) });

function address(peer: string): { readonly host: string; readonly port: number } {
  const at = peer.lastIndexOf(':');
  return { host: peer.slice(0, at), port: Number(peer.slice(at + 1)) };
}
