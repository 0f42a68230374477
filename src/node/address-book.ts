import type { LogIndex, NodeId } from '../core/ids.ts';
import { members } from '../raft/configuration.ts';
import type { Configuration } from '../raft/messages.ts';
import type { MemberTable } from '../tasks/members.ts';
import type { MemberInfo, MemberStatus, Roster } from './genesis.ts';

/** What this node's own log says, as far as it is applied. */
export interface OwnView {
  readonly index: LogIndex;
  readonly configuration: Configuration;
  readonly table: MemberTable;
}

/**
 * Who is a member, and where. Three sources: the founders of the genesis, the latest roster that this node was told of (when it joined, before its last
 * stop, or by another member after it had missed a change), and its own log. The later word counts.
 */
export class AddressBook {
  readonly #founders: ReadonlyMap<NodeId, MemberInfo>;
  #told: Roster | undefined;

  constructor(founders: readonly MemberInfo[], told: Roster | undefined) {
    this.#founders = new Map(founders.map((member) => [member.nodeId, member]));
    this.#told = told;
  }

  /** Takes a later roster than the one told before. False when it is none. */
  tell(roster: Roster): boolean {
    if (roster.index <= (this.#told?.index ?? 0)) return false;
    this.#told = roster;
    return true;
  }

  /** One of `all`, at the cost of one: gossip asks for every entry. */
  get(node: NodeId, table: MemberTable): MemberInfo | undefined {
    return table.get(node) ?? this.#told?.members.find(({ nodeId }) => nodeId === node) ?? this.#founders.get(node);
  }

  /** Every node that was ever heard of. */
  all(table: MemberTable): ReadonlyMap<NodeId, MemberInfo> {
    const known = new Map(this.#founders);
    for (const { nodeId, name, http, peer } of [...(this.#told?.members ?? []), ...table.all()])
      known.set(nodeId, { nodeId, name, http, peer });
    return known;
  }

  /** The latest word on who is a member. */
  roster(own: OwnView): Roster {
    if (this.#told !== undefined && this.#told.index > own.index) return this.#told;
    return { index: own.index, members: this.#ownMembers(own) };
  }

  /**
   * Whom this node talks with: the members; while its log is behind what it was told, also those of its log, one of which may lead it there. Nobody, once
   * it is no member any more.
   */
  peers(self: NodeId, own: OwnView): readonly MemberInfo[] {
    const roster = this.roster(own);
    if (roster.members.every(({ nodeId }) => nodeId !== self)) return [];
    const peers = new Map<NodeId, MemberInfo>();
    for (const member of [...this.#ownMembers(own), ...roster.members]) peers.set(member.nodeId, member);
    peers.delete(self);
    return [...peers.values()];
  }

  #ownMembers({ configuration, table }: OwnView): readonly MemberStatus[] {
    const current = members(configuration);
    return [...this.all(table).values()]
      .filter(({ nodeId }) => current.includes(nodeId))
      .map((member) => ({ ...member, voter: configuration.voters.includes(member.nodeId) }));
  }
}
