import { firstIndex } from '../core/first-index.ts';
import type { LogIndex, NodeId } from '../core/ids.ts';
import type { HealReport } from '../partition/heal/heal-report.ts';
import type { Standing } from '../partition/partition-state.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { Odd } from './peer-logs.ts';
import type { VoteEvent, VoteNews } from './votes/vote-service.ts';
import { eventsOf } from './votes/vote-views.ts';

/** A change in what this node finds of its peers' logs: noticed here, not derived from the log. `index`: of the last entry that is applied here. */
export interface DivergenceEvent {
  readonly kind: 'divergence';
  readonly index: LogIndex;
  readonly ts: number;
  readonly odd: Odd;
  /** Nodes whose logs differ from this one's; empty when all is well again. */
  readonly differing: readonly NodeId[];
  readonly detail: string;
}

/** Where this node stands in a split, whenever that changes; and its report, when it has healed. Noticed here, as a divergence is. */
export interface PartitionEvent extends Standing {
  readonly kind: 'partition';
  readonly index: LogIndex;
  readonly ts: number;
  readonly sides: readonly (readonly NodeId[])[];
  readonly report: HealReport | undefined;
}

type At = { readonly index: LogIndex; readonly ts: number };
type LoggedEvent = StateEvent | DivergenceEvent | PartitionEvent;

/** What happened. A vote is not in the log: its event has the index that this node had applied, and no other node need have it there. */
export type NodeEvent = LoggedEvent | (VoteNews & At);

/** What watchers are told. */
export type ToldEvent = LoggedEvent | (VoteEvent & At);

export const toldOf = (events: readonly NodeEvent[]): readonly ToldEvent[] =>
  events.flatMap((event): ToldEvent | ToldEvent[] => {
    if (event.kind !== 'vote') return event;
    const { index, ts } = event;
    return eventsOf(event).map((each) => ({ ...each, index, ts }));
  });

/** Events kept for watchers that come back: a few seconds of full load, hours of an ordinary day. A vote counts once for each of its items. */
const capacity = 20_000;
const sizeOf = (event: NodeEvent): number => (event.kind === 'vote' ? event.subjects.length : 1);

export type EventListener = (events: readonly NodeEvent[]) => void;

/** The newest events of this node's state machine and of its comparisons with others, and who listens. */
export class EventLog {
  #events: NodeEvent[] = [];
  #size = 0;
  /** Everything after this index is still here. */
  #completeAfter: LogIndex;
  readonly #listeners = new Set<EventListener>();

  /** `index`: where this node's knowledge begins (a snapshot's index, or 0). */
  constructor(index: LogIndex) {
    this.#completeAfter = index;
  }

  append(events: readonly NodeEvent[]): void {
    // One by one: a node that catches up appends more at once than a call can take as arguments.
    for (const event of events) {
      this.#events.push(event);
      this.#size += sizeOf(event);
    }
    if (this.#size > 2 * capacity) this.#shrink();
    for (const listener of this.#listeners) listener(events);
  }

  #shrink(): void {
    let count = 0;
    for (const event of this.#events) {
      if (this.#size <= capacity) break;
      this.#size -= sizeOf(event);
      count++;
    }
    const dropped = this.#events.splice(0, count);
    this.#completeAfter = dropped.at(-1)?.index ?? this.#completeAfter;
  }

  /** A snapshot took the place of the log: what happened in between is not known here. */
  skipTo(index: LogIndex): void {
    this.#events = [];
    this.#size = 0;
    this.#completeAfter = index;
  }

  after(index: LogIndex): { readonly events: readonly NodeEvent[]; readonly complete: boolean } {
    const from = firstIndex(this.#events.length, (at) => (this.#events[at]?.index ?? 0) > index);
    return { events: this.#events.slice(from), complete: index >= this.#completeAfter };
  }

  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
