import { assert } from '../core/assert.ts';
import type { LogIndex, Term } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { Entry } from '../raft/messages.ts';
import type { Raft } from '../raft/raft.ts';
import type { CommandResult, SessionCommand } from '../tasks/commands.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { ClusterState } from '../tasks/state.ts';
import { decodeEntry } from '../wire/commands.ts';
import type { ReplicaCounters } from './replica-options.ts';

export interface ApplierPorts {
  readonly raft: Pick<Raft, 'applyConfigChange'>;
  readonly counters: ReplicaCounters;
  readonly logger: Logger;
  /** Runs the job soon; what it throws stops the node. */
  readonly defer: (job: () => void) => void;
  /** One command was carried out. Its effects are the `events` from the place `from` on. */
  readonly onCommand: (
    index: LogIndex,
    command: SessionCommand,
    result: CommandResult,
    events: readonly StateEvent[],
    from: number,
  ) => void;
  /** A guarded entry: carries it out, or not. */
  readonly applyGuarded: (entry: Entry, events: StateEvent[]) => void;
  /** The log has come to a configuration; Raft may have gone by it for a while. */
  readonly onConfiguration: (index: LogIndex) => void;
  readonly onEntry: (entry: Entry) => void;
  /** Some entries were applied; `membersChanged` when one of them touched the configuration or the table of members. */
  readonly onApplied: (events: readonly StateEvent[], membersChanged: boolean) => void;
}

/** Commands applied at a time, the last entry's rest aside: a few milliseconds. */
const commandsPerSlice = 1_000;

/**
 * The state machine, and how far it has come along the log. Committed entries are applied as they come; when there are more than a heartbeat has time
 * for, or when the state is being replaced by a snapshot, the rest waits here and follows a slice at a time. Entries that wait are also in Raft's log,
 * which is not cut meanwhile: they cost no memory of their own.
 *
 * A change of configuration is Raft's, not the state's, and never waits: a node that did not know the newest committed one might win an election by
 * votes that no longer count.
 */
export class Applier {
  readonly #ports: ApplierPorts;
  #state: ClusterState;
  #index: LogIndex;
  #term: Term;
  #backlog: Entry[] = [];
  /** Of the backlog's next entry. */
  #next = 0;
  #isHeld = false;
  #isDeferred = false;

  constructor(ports: ApplierPorts, state: ClusterState, at: { readonly index: LogIndex; readonly term: Term }) {
    this.#ports = ports;
    this.#state = state;
    this.#index = at.index;
    this.#term = at.term;
  }

  get state(): ClusterState {
    return this.#state;
  }

  /** Of the last applied entry. */
  get index(): LogIndex {
    return this.#index;
  }

  get term(): Term {
    return this.#term;
  }

  /** Everything that was committed here is applied. */
  get isUpToDate(): boolean {
    return !this.#isHeld && this.#next === this.#backlog.length;
  }

  take(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    for (const entry of entries) {
      this.#backlog.push(entry);
      if (entry.kind === 'configuration') this.#ports.raft.applyConfigChange(entry);
    }
    if (!this.#isDeferred) this.#applySome();
  }

  /** What waits to be applied. */
  get waiting(): readonly Entry[] {
    return this.#backlog.slice(this.#next);
  }

  /** A snapshot takes the place of the state: what follows it waits for `replace`. */
  hold(): void {
    this.#isHeld = true;
    this.#backlog = [];
    this.#next = 0;
  }

  replace(state: ClusterState, at: { readonly index: LogIndex; readonly term: Term }): void {
    assert(this.#isHeld && at.index > this.#index, 'a snapshot takes the state forward');
    this.#state = state;
    this.#index = at.index;
    this.#term = at.term;
    this.#isHeld = false;
    this.#applySome();
  }

  #applySome(): void {
    if (this.isUpToDate || this.#isHeld) return;
    const { members } = this.#state;
    const { version } = members;
    const events: StateEvent[] = [];
    let commands = 0;
    let membersChanged = false;
    for (let entry = this.#backlog[this.#next]; entry !== undefined && commands < commandsPerSlice; entry = this.#backlog[this.#next]) {
      assert(entry.index - entry.count === this.#index, 'entries are applied in order, each once');
      this.#next++;
      commands += entry.count;
      if (entry.kind === 'command') this.#applyCommands(entry, events);
      else if (entry.kind === 'guarded') this.#ports.applyGuarded(entry, events);
      else if (entry.kind === 'configuration') {
        this.#ports.onConfiguration(entry.index);
        membersChanged = true;
      }
      this.#index = entry.index;
      this.#term = entry.term;
      this.#ports.onEntry(entry);
    }
    if (this.#next === this.#backlog.length) {
      this.#backlog = [];
      this.#next = 0;
    } else {
      this.#isDeferred = true;
      this.#ports.defer(() => {
        this.#isDeferred = false;
        this.#applySome();
      });
    }
    this.#ports.onApplied(events, membersChanged || members.version !== version);
  }

  #applyCommands(entry: Entry, events: StateEvent[]): void {
    const { counters, logger, onCommand } = this.#ports;
    const decoded = decodeEntry(entry.data);
    if (decoded === undefined || decoded.commands.length !== entry.count) {
      logger.error({ index: entry.index }, 'skipped an entry that is not a batch of commands');
      return;
    }
    let index = entry.index - entry.count;
    for (const command of decoded.commands) {
      index++;
      counters.commandsApplied++;
      if (command === undefined) continue;
      const from = events.length;
      onCommand(index, command, this.#state.apply(index, decoded.ts, command, events), events, from);
    }
  }
}
