import { messageTypes, type RaftMessage } from '../../src/raft/messages.ts';
import type { Role } from '../../src/raft/status.ts';

const roles: readonly Role[] = ['follower', 'precandidate', 'candidate', 'leader'];

/** Which message has met which role and what that became: what a set of runs has covered of Raft. */
export class Transitions {
  readonly #seen = new Uint32Array(roles.length * messageTypes.length * roles.length);

  add(before: Role, { type }: RaftMessage, after: Role): void {
    const at = placeOf(before, type, after);
    this.#seen[at] = (this.#seen[at] ?? 0) + 1;
  }

  /** `candidate AppendEntries follower`: those that were seen. */
  names(): readonly string[] {
    const found: string[] = [];
    for (const before of roles) {
      for (const type of messageTypes) {
        for (const after of roles) {
          if ((this.#seen[placeOf(before, type, after)] ?? 0) > 0) found.push(`${before} ${type} ${after}`);
        }
      }
    }
    return found;
  }
}

const placeOf = (before: Role, type: RaftMessage['type'], after: Role): number =>
  (roles.indexOf(before) * messageTypes.length + messageTypes.indexOf(type)) * roles.length + roles.indexOf(after);
