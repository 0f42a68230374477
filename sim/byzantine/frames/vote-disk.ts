import { toHex } from '../../../src/byzantine/bytes.ts';
import type { Random } from '../../../src/core/random.ts';
import type { VoteChange, VoteRecord } from '../../../src/storage/vote-store.ts';

const maxOlder = 20;

/** What a member has made durable, and what it had before. */
export class VoteDisk {
  #records: ReadonlyMap<string, VoteRecord> = new Map();
  readonly #older: ReadonlyMap<string, VoteRecord>[] = [];

  get records(): readonly VoteRecord[] {
    return [...this.#records.values()];
  }

  write(changes: readonly VoteChange[]): void {
    this.#older.push(this.#records);
    if (this.#older.length > maxOlder) this.#older.shift();
    const records = new Map(this.#records);
    for (const { key, value } of changes) {
      if (value === undefined) records.delete(toHex(key));
      else records.set(toHex(key), { key, value });
    }
    this.#records = records;
  }

  /** Puts an older state in place of the newest. */
  goBack(random: Random): void {
    this.#records = this.#older[random.below(this.#older.length)] ?? this.#records;
    this.#older.length = 0;
  }

  lose(): void {
    this.#records = new Map();
    this.#older.length = 0;
  }
}
