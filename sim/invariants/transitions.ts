import type { RaftMessage } from '../../src/raft/messages.ts';
import type { Role } from '../../src/raft/status.ts';

const roles: readonly Role[] = ['follower', 'precandidate', 'candidate', 'leader'];
const types = [
  'RequestVote',
  'RequestVoteResponse',
  'AppendEntries',
  'AppendEntriesResponse',
  'Heartbeat',
  'HeartbeatResponse',
  'InstallSnapshot',
  'InstallSnapshotResponse',
  'TimeoutNow',
  'ReadIndex',
  'ReadIndexResponse',
] as const satisfies readonly RaftMessage['type'][];

/** Which message has met which role and what that became: what a set of runs has covered of Raft. */
export class Transitions {
  readonly #seen = new Uint32Array(roles.length * types.length * roles.length);

  add(before: Role, { type }: RaftMessage, after: Role): void {
    const at = (roles.indexOf(before) * types.length + types.indexOf(type)) * roles.length + roles.indexOf(after);
    this.#seen[at] = (this.#seen[at] ?? 0) + 1;
  }

  /** `candidate AppendEntries follower`: those that were seen. */
  names(): readonly string[] {
    const found: string[] = [];
    for (const before of roles) {
      for (const type of types) {
        for (const after of roles) {
          const at = (roles.indexOf(before) * types.length + types.indexOf(type)) * roles.length + roles.indexOf(after);
          if ((this.#seen[at] ?? 0) > 0) found.push(`${before} ${type} ${after}`);
        }
      }
    }
    return found;
  }
}
