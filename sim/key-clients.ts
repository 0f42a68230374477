import type { Consistency, Answer, ReadPoint } from '../src/node/service.ts';
import type { Command } from '../src/tasks/commands.ts';
import { type ClientHistory, keyOutput } from './client-history.ts';
import type { Connection } from './clients.ts';
import type { Observer } from './invariants/observer.ts';
import type { RegisterInput } from './linearizability/register.ts';
import type { WorkloadCounts } from './workload.ts';

const keys = 8;

/** Clients that write, compare and set, delete and read a few keys. */
export class KeyClients {
  readonly #connection: Connection;
  readonly #history: ClientHistory;
  readonly #observer: Observer;
  readonly #counts: WorkloadCounts;
  /** By key: the version that some client saw last, for compare-and-set. */
  readonly #versions = new Map<string, number>();

  constructor(connection: Connection, history: ClientHistory, observer: Observer, counts: WorkloadCounts) {
    this.#connection = connection;
    this.#history = history;
    this.#observer = observer;
    this.#counts = counts;
  }

  write(client: number): void {
    const connection = this.#connection;
    const key = `key-${connection.below(keys)}`;
    const kind = connection.below(16);
    const isDelete = kind < 2;
    const ifVersion = kind % 4 === 1 ? (this.#versions.get(key) ?? 0) : undefined;
    const value = `${client}.${++this.#counts.writes}`;
    // Nothing in a deletion tells two of them apart, so each has a name.
    const idempotencyKey = isDelete || kind >= 12 ? connection.newRequest() : undefined;
    const command: Command = isDelete ? { op: 'DeleteKey', key, ifVersion } : { op: 'PutKey', key, value, ifVersion };
    const condition = ifVersion === undefined ? {} : { ifVersion };
    const input: RegisterInput = isDelete ? { kind: 'delete', ...condition } : { kind: 'put', value, ...condition };
    const open = this.#history.key(client, key, input, idempotencyKey ?? `put ${value}`);
    // Only a write with a name may be sent again blindly.
    const attempts = idempotencyKey === undefined ? 1 : 4;
    connection.send(command, { open, idempotencyKey, attempts }, keyOutput, (result) => {
      if (result !== undefined) this.#counts.writesAcknowledged++;
      if (result?.ok === true) this.#versions.set(key, result.value.kind === 'key' ? result.value.version : 0);
      connection.after(50_000 + connection.below(250_000), () => this.write(client));
    });
  }

  read(client: number): void {
    const connection = this.#connection;
    const again = (): void => connection.after(100_000 + connection.below(300_000), () => this.read(client));
    const replica = connection.anyReplica();
    if (replica === undefined) return again();
    const key = `key-${connection.below(keys)}`;
    const kind = connection.below(10);
    const consistency: Consistency = kind === 0 ? 'local' : kind === 1 ? 'leader' : 'linearizable';
    const after = connection.acknowledged;
    const open = consistency === 'linearizable' ? this.#history.key(client, key, { kind: 'get' }, undefined) : undefined;
    const ask = (done: (answer: Answer<ReadPoint>) => void): void => replica.requests.read(consistency, 2000, done);
    connection.ask(ask, (answer) => {
      if (answer.ok) {
        this.#counts.reads++;
        const found = replica.state.keys.get(key);
        this.#versions.set(key, found?.version ?? 0);
        open?.answered(found === undefined ? { kind: 'missing' } : { kind: 'value', value: found.value, version: found.version });
        this.#observer.read({ consistency, key, found, index: answer.value.index, after });
      }
      again();
    });
    return undefined;
  }
}
