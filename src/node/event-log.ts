import type { LogIndex } from '../core/ids.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { VoteEvent } from './votes/vote-service.ts';

/** Events kept for watchers that come back: a few seconds of full load, hours of an ordinary day. */
const capacity = 20_000;

/** What watchers are told. A vote is not in the log: its event has the index that this node had applied, and no other node need have it there. */
export type NodeEvent = StateEvent | (VoteEvent & { readonly index: LogIndex; readonly ts: number });

export type EventListener = (events: readonly NodeEvent[]) => void;

/** The newest events of this node, and who listens. */
export class EventLog {
  #events: NodeEvent[] = [];
  /** Everything after this index is still here. */
  #completeAfter: LogIndex;
  readonly #listeners = new Set<EventListener>();

  /** `index`: where this node's knowledge begins (a snapshot's index, or 0). */
  constructor(index: LogIndex) {
    this.#completeAfter = index;
  }

  append(events: readonly NodeEvent[]): void {
    // One by one: a node that catches up appends more at once than a call can take as arguments.
    for (const event of events) this.#events.push(event);
    if (this.#events.length > 2 * capacity) {
      const dropped = this.#events.splice(0, this.#events.length - capacity);
      this.#completeAfter = dropped.at(-1)?.index ?? this.#completeAfter;
    }
    for (const listener of this.#listeners) listener(events);
  }

  /** A snapshot took the place of the log: what happened in between is not known here. */
  skipTo(index: LogIndex): void {
    this.#events = [];
    this.#completeAfter = index;
  }

  after(index: LogIndex): { readonly events: readonly NodeEvent[]; readonly complete: boolean } {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.index ?? 0) <= index) low = middle + 1;
      else high = middle;
    }
    return { events: this.#events.slice(low), complete: index >= this.#completeAfter };
  }

  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
