import type { Failure, FailureCode } from '../core/errors.ts';
import { taskId } from '../core/ids.ts';
import type { CommandResult, ResultValue } from './commands.ts';
import { isTaskState } from './task-table.ts';
import type { TaskState } from './task.ts';

/** Plain data that any encoding carries without loss: no `undefined`, no maps, no bytes. */
export type SnapshotValue = null | boolean | number | string | readonly SnapshotValue[];

/** One line of a snapshot: its kind, then its fields by position. At most some 1.3 MiB of UTF-8 (a key with its value, a task with payload and result), mostly far below 1 KiB. */
export type SnapshotRecord = readonly SnapshotValue[];

/** Reads a record's fields in order. A snapshot comes checksummed from our own store or our leader, so this only keeps a mistake from spreading. */
export class Fields {
  readonly #record: SnapshotRecord;
  #next = 0;

  constructor(record: SnapshotRecord) {
    this.#record = record;
  }

  get isAtEnd(): boolean {
    return this.#next >= this.#record.length;
  }

  value(): SnapshotValue {
    const value = this.#record[this.#next];
    if (value === undefined) throw this.#wrong('a field is missing');
    this.#next += 1;
    return value;
  }

  text(): string {
    const value = this.value();
    if (typeof value !== 'string') throw this.#wrong('text was expected');
    return value;
  }

  number(): number {
    const value = this.value();
    if (typeof value !== 'number') throw this.#wrong('a number was expected');
    return value;
  }

  boolean(): boolean {
    const value = this.value();
    if (typeof value !== 'boolean') throw this.#wrong('true or false was expected');
    return value;
  }

  list(): readonly SnapshotValue[] {
    const value = this.value();
    if (!isList(value)) throw this.#wrong('a list was expected');
    return value;
  }

  texts(): readonly string[] {
    const nested = new Fields(this.list());
    const texts: string[] = [];
    while (!nested.isAtEnd) texts.push(nested.text());
    return texts;
  }

  /** Each element of a list, itself a list, read by `read`. */
  each<T>(read: (fields: Fields) => T): T[] {
    const nested = new Fields(this.list());
    const items: T[] = [];
    while (!nested.isAtEnd) items.push(read(new Fields(nested.list())));
    return items;
  }

  /** `undefined`, written as null, or what `read` reads. */
  maybe<T>(read: (fields: Fields) => T): T | undefined {
    if (this.#record[this.#next] !== null) return read(this);
    this.#next += 1;
    return undefined;
  }

  /** One of a few words. */
  word<T extends string>(words: readonly T[]): T {
    const text = this.text();
    const word = words.find((each) => each === text);
    if (word === undefined) throw this.#wrong(`${JSON.stringify(text)} is not one of ${words.join(', ')}`);
    return word;
  }

  taskState(): TaskState {
    const text = this.text();
    if (!isTaskState(text)) throw this.#wrong(`${JSON.stringify(text)} is not the state of a task`);
    return text;
  }

  #wrong(what: string): RangeError {
    return new RangeError(`snapshot record ${JSON.stringify(this.#record[0] ?? null)}, field ${this.#next}: ${what}`);
  }
}

const isList = (value: SnapshotValue): value is readonly SnapshotValue[] => Array.isArray(value);

export function writeResult(result: CommandResult): SnapshotValue {
  if (result.ok) return [true, result.index, ...writeValue(result.value)];
  const { code, detail, data } = result.failure;
  return [false, result.index, code, detail, data === undefined ? null : JSON.stringify(data)];
}

function writeValue(value: ResultValue): readonly SnapshotValue[] {
  switch (value.kind) {
    case 'session':
      return [value.kind, value.session];
    case 'key':
      return [value.kind, value.version];
    case 'agent':
      return [value.kind, value.generation];
    case 'task':
      return [value.kind, value.task, value.state, value.created];
    case 'decision':
      return [value.kind, value.index];
    case 'none':
      return [value.kind];
  }
}

export function readResult(fields: Fields): CommandResult {
  const ok = fields.boolean();
  const index = fields.number();
  return ok ? { ok, index, value: readValue(fields) } : { ok, index, failure: readFailure(fields) };
}

function readValue(fields: Fields): ResultValue {
  const kind = fields.word(['session', 'key', 'agent', 'task', 'decision', 'none']);
  switch (kind) {
    case 'session':
      return { kind, session: fields.number() };
    case 'key':
      return { kind, version: fields.number() };
    case 'agent':
      return { kind, generation: fields.number() };
    case 'task':
      return { kind, task: taskId(fields.text()), state: fields.taskState(), created: fields.boolean() };
    case 'decision':
      return { kind, index: fields.number() };
    case 'none':
      return { kind };
  }
}

function readFailure(fields: Fields): Failure {
  const code = fields.word(failureCodes);
  const detail = fields.text();
  const data: unknown = JSON.parse(fields.maybe((each) => each.text()) ?? 'null');
  return isRecord(data) ? { code, detail, data } : { code, detail };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

/** Every failure that `apply` answers with. */
const failureCodes: readonly FailureCode[] = [
  'invalid_argument',
  'not_found',
  'unknown_agent',
  'unknown_task',
  'version_mismatch',
  'stale_generation',
  'stale_fence',
  'id_conflict',
  'already_completed',
  'wrong_state',
  'idempotency_conflict',
  'token_refused',
  'session_expired',
  'overloaded',
  'too_large',
];
