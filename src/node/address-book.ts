import type { NodeId } from '../core/ids.ts';
import { members } from '../raft/configuration.ts';
import type { Configuration } from '../raft/messages.ts';
import type { MemberTable } from '../tasks/members.ts';
import type { MemberInfo } from './genesis.ts';

/** Where every node that was ever heard of can be reached: the founders, what this node was told when it joined, and what the log says, the later over the earlier. */
export class AddressBook {
  readonly #given: ReadonlyMap<NodeId, MemberInfo>;

  constructor(founders: readonly MemberInfo[], told: readonly MemberInfo[]) {
    this.#given = new Map([...founders, ...told].map((member) => [member.nodeId, member]));
  }

  all(table: MemberTable): ReadonlyMap<NodeId, MemberInfo> {
    const known = new Map(this.#given);
    for (const { nodeId, name, http, peer } of table.all()) known.set(nodeId, { nodeId, name, http, peer });
    return known;
  }

  /**
   * Whom this node talks with: the members. A node that is not (or not yet) a member of the configuration that it knows can't judge that by it, and
   * talks with everyone it was told of.
   */
  peers(self: NodeId, configuration: Configuration, table: MemberTable): readonly MemberInfo[] {
    const current = members(configuration);
    const everyone = [...this.all(table).values()].filter(({ nodeId }) => nodeId !== self);
    return current.includes(self) ? everyone.filter(({ nodeId }) => current.includes(nodeId)) : everyone;
  }
}
