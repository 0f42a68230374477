import type { LogIndex } from '../../core/ids.ts';
import { type HealPart, maxListed, type Truncated } from '../../partition/heal/heal-report.ts';
import type { Entry } from '../../raft/messages.ts';
import type { StateEvent } from '../../tasks/events.ts';
import { decodeEntry } from '../../wire/commands.ts';

/** What is counted in a node's life, before and after. */
export interface Tallies {
  readonly commitIndex: LogIndex;
  readonly snapshots: number;
  /** Results that came too late, under a fence that was no longer the task's. */
  readonly lateResults: number;
  readonly votes: { readonly open: number; readonly decided: number; readonly noConsensus: number };
}

/** A node's notes of one split, to say afterwards what it was given and what it had to give up. */
export class SplitNotes {
  readonly #before: Tallies;
  #truncated: readonly Truncated[] = [];
  #requeued = 0;

  constructor(before: Tallies) {
    this.#before = before;
  }

  /** These entries, which nobody had committed, gave way to a leader's. */
  addTruncated(entries: readonly Entry[]): void {
    if (entries.length > 0) this.#truncated = [...this.#truncated, ...entries.flatMap(truncatedOf)].slice(0, maxListed);
  }

  onRequeue(): void {
    this.#requeued++;
  }

  /** What all nodes see alike, of the log, is told by one of them: the leader. */
  part(now: Tallies, isLeader: boolean): Omit<HealPart, 'gossip' | 'discarded'> {
    const { commitIndex, snapshots, lateResults, votes } = this.#before;
    return {
      raft: { caughtUpEntries: now.commitIndex - commitIndex, truncated: this.#truncated, snapshots: now.snapshots - snapshots },
      tasks: {
        kept: 0,
        fenced: [],
        requeued: isLeader ? this.#requeued : 0,
        orphanResults: isLeader ? now.lateResults - lateResults : 0,
      },
      bft: isLeader
        ? { resumed: votes.open, decided: now.votes.decided - votes.decided, expired: now.votes.noConsensus - votes.noConsensus }
        : { resumed: 0, decided: 0, expired: 0 },
    };
  }
}

/** A task went back to the queue because its agent, or its lease, was lost. */
export const isRequeue = ({ state, reason }: Extract<StateEvent, { kind: 'task' }>): boolean =>
  state === 'pending' && (reason === 'agent_down' || reason === 'lease_expired');

/** Each command of the entry by itself: its client asks again by its session and number. */
function truncatedOf({ index, term, kind, count, data }: Entry): readonly Truncated[] {
  const commands = kind === 'command' ? decodeEntry(data)?.commands : undefined;
  if (commands === undefined) return [{ index, term, session: undefined, seq: undefined, kind }];
  return commands.map((command, i) => ({
    index: index - count + 1 + i,
    term,
    session: command && String(command.session),
    seq: command?.seq,
    kind: command?.command.op,
  }));
}
