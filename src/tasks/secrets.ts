import type { LogIndex } from '../core/ids.ts';

/** A value that is handed out only after the members have voted for it. */
export interface Secret {
  readonly name: string;
  readonly value: string;
  /** Index of the entry that wrote it. */
  readonly version: LogIndex;
  /** Until when, in the log's time, it is handed out; undefined: it is locked. */
  readonly unlockedUntilTs: number | undefined;
}

/** The secrets, by name. They lie in the log and on the disks in the clear: what a vote guards is that honest nodes hand them out. */
export class Secrets {
  readonly #byName = new Map<string, Secret>();

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Secret | undefined {
    return this.#byName.get(name);
  }

  all(): Iterable<Secret> {
    return this.#byName.values();
  }

  /** When the next unlocking ends. */
  nextDueTs(): number | undefined {
    let first: number | undefined;
    for (const { unlockedUntilTs: ts } of this.#byName.values()) if (ts !== undefined && (first === undefined || ts < first)) first = ts;
    return first;
  }

  // Changes, for `apply` alone.

  put(secret: Secret): void {
    this.#byName.set(secret.name, secret);
  }

  delete(name: string): void {
    this.#byName.delete(name);
  }

  lockDue(ts: number): void {
    for (const secret of this.#byName.values())
      if (secret.unlockedUntilTs !== undefined && secret.unlockedUntilTs <= ts) this.put({ ...secret, unlockedUntilTs: undefined });
  }
}
