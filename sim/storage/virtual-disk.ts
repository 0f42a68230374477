import { concatBytes } from '../../src/core/bytes.ts';
import type { SeededRandom } from '../../src/core/random.ts';
import type { Operation, SlotNumber } from '../../src/storage/engine.ts';
import { Damage } from '../../src/storage/recovery.ts';

/** Bytes of log after which LevelDB makes tables of it: far fewer than in truth, so that a short run sees both. */
const logBytesPerTable = 32 * 1024;

/** What the damage has hit: one of the guard's slots, the database's log, a file that the database checks when it opens, or a record that has the value of another. */
export type FlipTarget = 'slot' | 'log' | 'table' | 'record';

type Slot = Uint8Array | undefined;

/** A step of a batch: a name with its new value, or without one when it is deleted. */
interface Change {
  readonly name: string;
  readonly value: Uint8Array | undefined;
}

/**
 * A disk with a LevelDB and the guard's slots, between what was written and what a crash leaves. LevelDB appends batches to a log and makes tables of it now and
 * then. What is in tables is durable and checked; of the log the first `synced` batches are durable. A damaged or torn record of the log is left out without a
 * word when it is read again, with those after it in the same block (measured on LevelDB 1.20, docs/decisions/0007).
 */
export class VirtualDisk {
  readonly #tables = new Map<string, Uint8Array>();
  #log: (readonly Change[])[] = [];
  #logBytes = 0;
  #synced = 0;
  readonly #slots: [Slot, Slot] = [undefined, undefined];
  readonly #slotsInFlight: [Slot, Slot] = [undefined, undefined];
  #isReadable = true;

  /** LevelDB opens: it makes a table of its log, and refuses tables that are not whole. Throws Damage. */
  mount(): void {
    if (!this.#isReadable) throw new Damage('the file db/000005.ldb has a damaged block');
    this.#makeTable();
  }

  /** Takes a batch into the log, where it can be read at once; gives the place to sync up to. The bytes are not copied: a store never changes what it has handed over. */
  append(operations: readonly Operation[]): number {
    const batch = operations.map(changeOf);
    this.#log.push(batch);
    for (const { name, value } of batch) this.#logBytes += name.length + (value?.length ?? 0);
    return this.#log.length;
  }

  /** Makes the log durable up to this place. */
  sync(end: number): void {
    this.#synced = Math.max(this.#synced, end);
    if (this.#logBytes >= logBytesPerTable && this.#synced === this.#log.length) this.#makeTable();
  }

  beginSlot(slot: SlotNumber, parts: readonly Uint8Array[]): void {
    this.#slotsInFlight[slot] = concatBytes(parts);
  }

  syncSlot(slot: SlotNumber): void {
    const bytes = this.#slotsInFlight[slot];
    if (bytes === undefined) return;
    this.#slots[slot] = overwrite(this.#slots[slot], bytes);
    this.#slotsInFlight[slot] = undefined;
  }

  get slots(): readonly [Slot, Slot] {
    return this.#slots;
  }

  /** What is read now, or, `isDurable`, what would be after a crash that keeps only what must be kept. */
  get(key: Uint8Array, { isDurable = false } = {}): Uint8Array | undefined {
    const name = nameOf(key);
    for (let at = (isDurable ? this.#synced : this.#log.length) - 1; at >= 0; at--) {
      const change = this.#log[at]?.findLast((step) => step.name === name);
      if (change !== undefined) return change.value;
    }
    return this.#tables.get(name);
  }

  /** Every record, by key. */
  records(): readonly (readonly [key: Uint8Array, value: Uint8Array])[] {
    const all = new Map(this.#tables);
    for (const batch of this.#log) apply(batch, all);
    const order = [...all].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return order.map(([name, value]) => [Uint8Array.from(name, (letter) => letter.charCodeAt(0)), value]);
  }

  /** The power goes. Any beginning of the log beyond what was synced has got to the disk, and any beginning of what was being written to a slot. */
  crash(random: SeededRandom): void {
    const kept = this.#synced + random.below(this.#log.length - this.#synced + 1);
    this.#log = this.#log.slice(0, kept);
    this.#synced = kept;
    for (const slot of [0, 1] as const) {
      const bytes = this.#slotsInFlight[slot];
      if (bytes === undefined) continue;
      const reached = [0, random.below(bytes.length + 1), bytes.length][random.below(3)] ?? 0;
      this.#slots[slot] = overwrite(this.#slots[slot], bytes.subarray(0, reached));
      this.#slotsInFlight[slot] = undefined;
    }
  }

  /** Damages something, while nothing has the disk open: a bit flips, or a write went to the wrong place. */
  flip(random: SeededRandom): FlipTarget {
    const slot = random.below(2) === 0 ? 0 : 1;
    const bytes = this.#slots[slot];
    switch (random.below(5)) {
      case 0:
        if (bytes === undefined || bytes.length === 0) break;
        this.#slots[slot] = flipBit(bytes, random);
        return 'slot';
      case 1:
      case 2:
        if (this.#log.length === 0) break;
        this.#dropRecords(random);
        return 'log';
      case 3:
        if (!this.#misplace(random)) break;
        return 'record';
    }
    this.#isReadable = false;
    return 'table';
  }

  /** Nothing is left. */
  erase(): void {
    this.#tables.clear();
    this.#log = [];
    this.#logBytes = 0;
    this.#synced = 0;
    for (const slot of [0, 1] as const) {
      this.#slots[slot] = undefined;
      this.#slotsInFlight[slot] = undefined;
    }
    this.#isReadable = true;
  }

  /** One record is left out or, with those after it in its block, a run of them. The newest are the ones that a torn write could be taken for. */
  #dropRecords(random: SeededRandom): void {
    const { length } = this.#log;
    const first = random.below(2) === 0 ? length - 1 - random.below(Math.min(3, length)) : random.below(length);
    const count = random.below(2) === 0 ? 1 : 1 + random.below(length - first);
    this.#log.splice(first, count);
    this.#synced = this.#log.length;
  }

  /** A record gets the value of another one: a misdirected write. False when there are not two. */
  #misplace(random: SeededRandom): boolean {
    this.#makeTable();
    const names = [...this.#tables.keys()];
    const from = this.#tables.get(names[random.below(names.length)] ?? '');
    const to = names[random.below(names.length)];
    if (from === undefined || to === undefined || this.#tables.get(to) === from) return false;
    this.#tables.set(to, from);
    return true;
  }

  #makeTable(): void {
    for (const batch of this.#log) apply(batch, this.#tables);
    this.#log = [];
    this.#logBytes = 0;
    this.#synced = 0;
  }
}

/** A key as a string of bytes, which sorts as the key does. */
const nameOf = (key: Uint8Array): string => String.fromCharCode(...key);

const changeOf = (operation: Operation): Change => ({
  name: nameOf(operation.key),
  value: operation.type === 'put' ? operation.value : undefined,
});

function apply(batch: readonly Change[], records: Map<string, Uint8Array>): void {
  for (const { name, value } of batch) {
    if (value === undefined) records.delete(name);
    else records.set(name, value);
  }
}

/** In place: what was longer stays behind the new bytes. */
function overwrite(old: Slot, bytes: Uint8Array): Uint8Array {
  return old === undefined || old.length <= bytes.length ? bytes : concatBytes([bytes, old.subarray(bytes.length)]);
}

function flipBit(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.length);
  return bytes.with(at, (bytes[at] ?? 0) ^ (1 << random.below(8)));
}
