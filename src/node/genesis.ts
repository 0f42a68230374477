import type { LogIndex, NodeId } from '../core/ids.ts';

/** A node as the cluster's founding record names it. */
export interface MemberInfo {
  readonly nodeId: NodeId;
  readonly name: string;
  /** Client port, `http://host:port`. */
  readonly http: string;
  /** Peer port, `host:port`. */
  readonly peer: string;
}

/** A member as it is now. */
export interface MemberStatus extends MemberInfo {
  readonly voter: boolean;
}

/** The members as they were when the log was applied up to `index`. */
export interface Roster {
  readonly index: LogIndex;
  readonly members: readonly MemberStatus[];
}

/** The founding record of a cluster: the same bytes on every node. */
export interface Genesis {
  readonly version: 1;
  readonly clusterId: string;
  readonly members: readonly MemberInfo[];
  readonly votes?:
    | {
        /** Changes of 4 and more voters need a certificate of theirs. Absent: if there are 4 founders and more. */
        readonly guardMembership: boolean;
      }
    | undefined;
}

/** 32 bits of the cluster's id (FNV-1a), in every frame: keeps apart clusters that were given each other's addresses. Not a defence; the peer ids are. */
export function clusterTag(clusterId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < clusterId.length; i++) hash = Math.imul(hash ^ clusterId.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
