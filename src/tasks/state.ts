import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { assert } from '../core/assert.ts';
import { failure } from '../core/errors.ts';
import type { LogIndex } from '../core/ids.ts';
import { Registry } from '../registry/registry.ts';
import { execute, isLeadersCommand } from './apply.ts';
import { enact, type GuardedCommand } from './apply-guarded.ts';
import type { CommandResult, SessionCommand } from './commands.ts';
import { Decisions } from './decisions.ts';
import { type EpochRecord, EpochTable } from './epochs.ts';
import type { StateEvent } from './events.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { KeyValue } from './key-value.ts';
import { commandBounds, defaultLimits, type StateLimits } from './limits.ts';
import type { Machine, Outcome } from './machine.ts';
import { Secrets } from './secrets.ts';
import { Sessions } from './sessions.ts';
import { MemberTable } from './members.ts';
import { freezeRecords, type FrozenState, lineOf, RecordReader, type SnapshotRecord, writeRecords } from './snapshot.ts';
import { TaskTable } from './task-table.ts';

/** A state in the making, from the records of a snapshot. */
export interface Restoring {
  /** @throws RangeError if it is not the record that has to come next. */
  take(record: SnapshotRecord): void;
  /** @throws RangeError if records are missing. */
  finish(): ClusterState;
}

/** What is merely remembered for a time is let go in steps of this length, so that its going costs few entries in the log. */
const housekeepingMs = 10_000;

/**
 * The replicated state machine: keys, agents, tasks and sessions. Every node that applies the same log has the same state (T7), so nothing here looks at
 * a clock, at chance or at an order that the log did not make. `apply` never throws for what a client or a leader says; a thrown invariant means that this
 * node can no longer trust its memory.
 *
 * Everything but `apply` is for reading, between two commands; what is read must not be changed and, tasks and agents above all, not be kept.
 */
export class ClusterState {
  readonly limits: StateLimits;
  readonly keys = new KeyValue();
  readonly registry = new Registry();
  readonly tasks: TaskTable;
  readonly sessions: Sessions;
  readonly idempotency: IdempotencyKeys;
  readonly members = new MemberTable();
  readonly secrets = new Secrets();
  readonly epochs = new EpochTable();
  readonly decisions: Decisions;
  #ts = 0;
  #index: LogIndex = 0;

  constructor(limits: Partial<StateLimits> = {}) {
    this.limits = { ...defaultLimits, ...limits };
    this.tasks = new TaskTable(this.limits);
    this.sessions = new Sessions(this.limits);
    this.idempotency = new IdempotencyKeys(this.limits);
    this.decisions = new Decisions(this.limits.maxDecisions);
  }

  /** Time of the newest applied entry, in milliseconds since 1970; never goes back. */
  get ts(): number {
    return this.#ts;
  }

  /** Index of the newest applied command. */
  get index(): LogIndex {
    return this.#index;
  }

  /**
   * Applies one command; `ts` is its entry's stamp. A repeat of a session's command, or of an idempotency key, gets the first result and changes nothing
   * else. The events that it caused are appended to `events`.
   */
  apply(index: LogIndex, ts: number, entry: SessionCommand, events: StateEvent[]): CommandResult {
    this.#advance(index, ts);
    if (entry.session === 0) return this.#applyOnce(entry, events);
    const known = this.sessions.admit(entry, index, this.#ts);
    if (known !== undefined) return known;
    const result = this.#applyOnce(entry, events);
    this.sessions.remember(entry.session, entry.seq, result);
    return result;
  }

  /** Applies a guarded command whose certificate the members of the current epoch made: the caller has checked it. A repeat changes nothing. */
  enact(index: LogIndex, ts: number, command: GuardedCommand, events: StateEvent[]): CommandResult {
    this.#advance(index, ts);
    return this.#resultOf(enact(this.#machine(events), command));
  }

  /** The members have changed. The caller has checked that they may follow those before. */
  enterEpoch(record: EpochRecord): void {
    this.epochs.add(record);
    this.decisions.beginEpoch();
  }

  /** Time of the next thing that a Tick would move, or undefined: the leader proposes a Tick once its clock has reached it. */
  nextDueTs(): number | undefined {
    const endedTs = this.tasks.oldestEnded()?.endedTs;
    const memory = earliest(
      endedTs === undefined ? undefined : endedTs + this.limits.retentionMs,
      this.tasks.nextForgottenTs(this.limits.purgedIdsMs),
      this.sessions.nextDueTs(),
      this.idempotency.nextDueTs(),
    );
    const tidyTs = memory === undefined ? undefined : Math.ceil(memory / housekeepingMs) * housekeepingMs;
    return earliest(this.tasks.nextTimerTs(), this.tasks.queue.nextDueTs(), this.secrets.nextDueTs(), tidyTs);
  }

  /** The state at this moment, as plain data in a fixed order, to be consumed before the next command is applied. */
  snapshot(): Iterable<SnapshotRecord> {
    return writeRecords(this, { index: this.#index, ts: this.#ts });
  }

  /** The same, to be consumed bit by bit while commands are applied. One at a time: the one before must have been released. */
  freeze(): FrozenState {
    return freezeRecords(this, { index: this.#index, ts: this.#ts });
  }

  /** @throws RangeError if a record is not one that `snapshot` made. */
  static restore(records: Iterable<SnapshotRecord>, limits: Partial<StateLimits> = {}): ClusterState {
    const restoring = ClusterState.restoring(limits);
    for (const record of records) restoring.take(record);
    return restoring.finish();
  }

  /** The same, record by record. */
  static restoring(limits: Partial<StateLimits> = {}): Restoring {
    const state = new ClusterState(limits);
    const reader = new RecordReader(state, (index, ts) => {
      state.#index = index;
      state.#ts = ts;
      state.tasks.advance(ts);
    });
    return {
      take: (record) => reader.take(record),
      finish() {
        reader.finish();
        return state;
      },
    };
  }

  /** Hex SHA-256 over the snapshot's records, each as a line of JSON: equal on all nodes that applied the same log. */
  hash(): string {
    const hash = sha256.create();
    const encoder = new TextEncoder();
    for (const record of this.snapshot()) hash.update(encoder.encode(lineOf(record)));
    return bytesToHex(hash.digest());
  }

  #applyOnce(entry: SessionCommand, events: StateEvent[]): CommandResult {
    const { command, idempotencyKey: key } = entry;
    const index = this.#index;
    if (entry.session !== 0 && isLeadersCommand(command)) {
      return { ok: false, index, failure: failure('invalid_argument', `${command.op} is the leader's`) };
    }
    if (key === undefined) return this.#execute(entry, events);
    if (key.length === 0 || key.length > commandBounds.maxIdempotencyKey) {
      return {
        ok: false,
        index,
        failure: failure('invalid_argument', `an idempotency key has 1 to ${commandBounds.maxIdempotencyKey} characters`),
      };
    }
    const first = this.idempotency.admit(key, command, index);
    if (first !== undefined) return first;
    const result = this.#execute(entry, events);
    // A refusal for want of room is an invitation to come back with the same request, so it is not the key's answer for ever.
    if (result.ok || result.failure.code !== 'overloaded') this.idempotency.remember(key, command, this.#ts, result);
    return result;
  }

  #execute(entry: SessionCommand, events: StateEvent[]): CommandResult {
    return this.#resultOf(execute(this.#machine(events), entry.command));
  }

  #advance(index: LogIndex, ts: number): void {
    assert(index > this.#index, 'entries are applied once, in the order of the log');
    this.#index = index;
    if (ts > this.#ts) {
      this.#ts = ts;
      this.tasks.advance(ts);
    }
  }

  #machine(events: StateEvent[]): Machine {
    const { limits, keys, registry, tasks, sessions, idempotency, members, secrets, decisions } = this;
    return { limits, keys, registry, tasks, sessions, idempotency, members, secrets, decisions, index: this.#index, ts: this.#ts, events };
  }

  #resultOf(outcome: Outcome): CommandResult {
    const index = this.#index;
    return outcome.ok ? { ok: true, index, value: outcome.value } : { ok: false, index, failure: outcome.failure };
  }
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined;
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time;
  return first;
}
