import { nodeId, type LogIndex, type NodeId, type Term } from '../../src/core/ids.ts';
import { configurationOf } from '../../src/raft/configuration.ts';
import type { ChainHead } from '../../src/node/head-ring.ts';
import type { AppendEntriesResponse, Configuration, Entry, HardState, RequestVoteResponse } from '../../src/raft/messages.ts';
import type { Role } from '../../src/raft/status.ts';
import type { StoredState } from '../../src/storage/store.ts';
import type { Command, CommandResult } from '../../src/tasks/commands.ts';
import type { StateEvent } from '../../src/tasks/events.ts';
import { AgreedLog } from '../../sim/invariants/agreed-log.ts';
import { Disk } from '../../sim/invariants/disk.ts';
import type { Deed, Facts, NodeView } from '../../sim/invariants/invariant.ts';

export const [n1, n2, n3, n4] = [nodeId('n1'), nodeId('n2'), nodeId('n3'), nodeId('n4')] as const;
export const three = configurationOf([n1, n2, n3]);

/** The facts of a cluster of three whose log is these entries, all of them agreed on, on the disks of these nodes. */
/** @param committedIn the term in which all of them were committed; by default each in its own. */
export function factsOf(
  entries: readonly Entry[],
  holders: readonly NodeId[],
  committedIn?: Term,
): Facts & { readonly disks: Map<NodeId, Disk> } {
  const agreed = new AgreedLog(three);
  for (const each of entries) agreed.add(each, committedIn ?? each.term);
  const disks = new Map([n1, n2, n3, n4].map((id) => [id, holders.includes(id) ? diskOf(entries) : new Disk()]));
  return { agreed, disks, rewritten: new Set() };
}

export const entry = (index: LogIndex, term: Term, text = `${index}`, kind: Entry['kind'] = 'command'): Entry => ({
  index,
  term,
  count: 1,
  kind,
  data: new TextEncoder().encode(text),
});

export const hardState = (currentTerm: Term, votedFor?: NodeId, commitIndex: LogIndex = 0, rejoining = 0): HardState => ({
  currentTerm,
  votedFor,
  commitIndex,
  rejoining,
});

export function diskOf(entries: readonly Entry[], state: HardState = hardState(entries.at(-1)?.term ?? 0)): Disk {
  const disk = new Disk();
  disk.saved({ hardState: state, entries });
  return disk;
}

export const stored = (entries: readonly Entry[], state: HardState): StoredState => ({
  hardState: state,
  snapshot: undefined,
  entries,
  compactedIndex: 0,
  compactedTerm: 0,
});

interface View {
  readonly id?: NodeId;
  readonly disk?: Disk;
  readonly role?: Role;
  readonly term?: Term;
  readonly commitIndex?: LogIndex;
  readonly appliedIndex?: LogIndex;
  readonly log?: readonly Entry[];
  readonly configuration?: Configuration;
  readonly hash?: string;
  readonly head?: ChainHead;
  readonly differing?: readonly NodeId[];
}

export function node(view: View): NodeView {
  const { id = n1, disk = new Disk(), role = 'follower', term = 1, commitIndex = 0, log = [], configuration = three } = view;
  const raft = {
    role,
    term,
    commitIndex,
    configuration,
    termAt: (index: LogIndex) => log.find((each) => each.index === index)?.term,
    status: () => ({ lastIndex: log.at(-1)?.index ?? 0 }),
  };
  const divergence = { log: { head: view.head ?? { index: 0, chain: new Uint8Array(32) } }, differing: view.differing ?? [] };
  const replica = { raft, appliedIndex: view.appliedIndex ?? commitIndex, state: { hash: () => view.hash ?? '' }, divergence };
  return { id, disk, replica, configurations: [configuration] };
}

export const grantedVote = (term: Term): RequestVoteResponse => ({
  type: 'RequestVoteResponse',
  term,
  preVote: false,
  voteGranted: true,
  commitIndex: 0,
  commitTerm: 0,
});

export const holdsUpTo = (index: LogIndex, term: Term): AppendEntriesResponse => ({
  type: 'AppendEntriesResponse',
  term,
  success: true,
  index,
  conflictIndex: 0,
  conflictTerm: 0,
  rejoining: 0,
});

/** A command as the first node carries it out. */
export function deed(index: LogIndex, command: Command, effects: readonly StateEvent[], more: Partial<Deed['command']> = {}): Deed {
  const result: CommandResult = { ok: true, index, value: { kind: 'none' } };
  return {
    index,
    command: { session: 1, seq: index, acked: 0, idempotencyKey: undefined, command, ...more },
    result,
    effects,
    isFirst: true,
  };
}
