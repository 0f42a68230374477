import type { LogIndex, TaskId } from '../../core/ids.ts';
import { emptyPart, type HealPart, maxListed, type Truncated } from '../../partition/heal/heal-report.ts';
import type { Lease } from '../../partition/heal/summary.ts';
import type { Entry } from '../../raft/messages.ts';
import type { StateEvent } from '../../tasks/events.ts';
import { decodeEntry } from '../../wire/commands.ts';
import { type Hold, ReturnedLeases } from './returned-leases.ts';

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
  /** What agents of this node held when it began: by the time that it meets the others again, its log may already say otherwise. */
  readonly heldBefore: readonly Lease[];
  /** Of the nodes that it met again. */
  readonly returned = new ReturnedLeases();
  #truncated: readonly Truncated[] = [];
  #unlisted = 0;
  #requeued = 0;

  constructor(before: Tallies, heldBefore: readonly Lease[]) {
    this.#before = before;
    this.heldBefore = heldBefore;
  }

  /** These entries, which nobody had committed, gave way to a leader's. */
  addTruncated(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const all = [...this.#truncated, ...entries.flatMap(truncatedOf)];
    this.#truncated = all.slice(0, maxListed);
    this.#unlisted += all.length - this.#truncated.length;
  }

  onRequeue(): void {
    this.#requeued++;
  }

  /** What all nodes see alike, of the log, is told by one of them: the leader. `hold`: how a task stands now. */
  part(now: Tallies, isLeader: boolean, hold: (task: TaskId) => Hold | undefined): Omit<HealPart, 'gossip'> {
    const { commitIndex, snapshots, lateResults, votes } = this.#before;
    const raft = { caughtUpEntries: now.commitIndex - commitIndex, truncated: this.#truncated, snapshots: now.snapshots - snapshots };
    const discarded = this.#unlisted === 0 ? [] : [`${this.#unlisted} more commands that were not committed`];
    if (!isLeader) return { ...emptyPart, raft, discarded };
    return {
      raft,
      tasks: { ...this.returned.compared(hold), requeued: this.#requeued, orphanResults: now.lateResults - lateResults },
      bft: { resumed: votes.open, decided: now.votes.decided - votes.decided, expired: now.votes.noConsensus - votes.noConsensus },
      discarded,
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
