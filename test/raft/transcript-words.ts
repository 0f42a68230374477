import type { NodeId } from '../../src/core/ids.ts';
import { decodeConfigurationChange } from '../../src/raft/configuration-change.ts';
import type { Configuration, Entry, HardState, RaftMessage } from '../../src/raft/messages.ts';
import type { RaftStatus } from '../../src/raft/status.ts';

const decoder = new TextDecoder();

/** `index/term` and what the entry says. */
export function sayEntry({ index, term, kind, data }: Entry): string {
  const place = `${index}/${term}`;
  if (kind === 'noop') return `${place} noop`;
  if (kind === 'command') return `${place} "${decoder.decode(data)}"`;
  const change = decodeConfigurationChange(data);
  if (change === undefined) return `${place} nonsense`;
  if (change.changes.length === 0) return `${place} leave-joint`;
  return `${place} ${[change.transition, ...change.changes.flatMap(({ type, node }) => [type, node])].join(' ')}`;
}

export const sayEntries = (entries: readonly Entry[]): string => `[${entries.map(sayEntry).join(', ')}]`;

export function sayConfiguration({ voters, outgoing, learners, learnersNext, autoLeave }: Configuration): string {
  const parts: readonly (readonly [string, readonly NodeId[]])[] = [
    ['voters', voters],
    ['outgoing', outgoing],
    ['learners', learners],
    ['learners to be', learnersNext],
  ];
  const said = parts.filter(([, ids]) => ids.length > 0).map(([name, ids]) => `${name} ${ids.join(' ')}`);
  return [...said, ...(autoLeave ? ['leaves by itself'] : [])].join(', ');
}

export const sayHardState = ({ currentTerm, votedFor, commitIndex }: HardState): string =>
  `term ${currentTerm}, vote ${votedFor ?? 'none'}, commit ${commitIndex}`;

/** The whole message on one line. */
export function sayMessage(message: RaftMessage): string {
  const head = `${message.type} term ${message.term}`;
  switch (message.type) {
    case 'RequestVote':
      return `${head}${message.preVote ? ' pre' : ''}${message.transfer ? ' transfer' : ''} last ${message.lastLogIndex}/${message.lastLogTerm}`;
    case 'RequestVoteResponse':
      return `${head}${message.preVote ? ' pre' : ''} ${message.voteGranted ? 'granted' : 'refused'}`;
    case 'AppendEntries':
      return `${head} after ${message.prevLogIndex}/${message.prevLogTerm} commit ${message.leaderCommit} ${sayEntries(message.entries)}`;
    case 'AppendEntriesResponse':
      if (message.success) return `${head} matches ${message.index}`;
      return `${head} refuses ${message.index}, may agree at ${message.conflictIndex}/${message.conflictTerm}`;
    case 'Heartbeat':
      return `${head} commit ${message.leaderCommit}${message.context === 0 ? '' : ` round ${message.context}`}`;
    case 'HeartbeatResponse':
      return `${head}${message.context === 0 ? '' : ` round ${message.context}`}${message.leaseMs === 0 ? '' : ` promises ${message.leaseMs} ms`}`;
    case 'InstallSnapshot':
      return `${head} ${message.snapshot.index}/${message.snapshot.term} chunk ${message.chunk + 1} of ${message.chunks}`;
    case 'InstallSnapshotResponse':
      return `${head} ${message.index} wants chunk ${message.nextChunk + 1}`;
    case 'TimeoutNow':
      return `${head} commit ${message.leaderCommit}`;
    case 'ReadIndex':
      return `${head} read ${message.context}`;
    case 'ReadIndexResponse':
      return `${head} read ${message.context} at ${message.index}`;
  }
}

/** A line for the node and, on a leader, one for each other member. */
export function sayStatus(status: RaftStatus): string[] {
  const { id, role, term, leader, firstIndex, lastIndex, commitIndex, appliedIndex, progress, configuration } = status;
  const own = `${id} ${role} term ${term}, leader ${leader ?? 'none'}, log ${firstIndex}..${lastIndex}, commit ${commitIndex}, applied ${appliedIndex}; ${sayConfiguration(configuration)}`;
  const others = role === 'leader' ? [...progress].filter(([other]) => other !== id) : [];
  return [
    own,
    ...others.map(([other, { match, next, state, inflight, pendingSnapshot }]) => {
      const extras = `${inflight > 0 ? ` inflight ${inflight}` : ''}${pendingSnapshot > 0 ? ` snapshot ${pendingSnapshot}` : ''}`;
      return `  ${other} ${state} match ${match} next ${next}${extras}`;
    }),
  ];
}
